"""Workflows as users build them: named graphs of an app, and chains and groups that need no name."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobbers.client import Client, new_id
from jobbers.core.events import RunSubmitted
from jobbers.core.ids import check_id
from jobbers.dag.compose import Call, Chain, Group, Part, to_graph
from jobbers.dag.graph import Graph
from jobbers.dag.nodes import MapNode, Node
from jobbers.dag.text import dumps
from jobbers.dag.values import Param
from jobbers.errors import InvalidInput
from jobbers.launch import Launch, Startable, prepare, task_type_of
from jobbers.run import RunHandle
from jobbers.store.runs import RUN_TYPE
from jobbers.task_type import TaskType

GetClient = Callable[[], Awaitable[Client]]


class Dag:
    """A named graph of tasks: built once, run as often as one likes.

    ``node(task, *args, **kwargs)`` adds a task. Where an argument is another node, that one's result is passed; where it is
    ``param(name)``, what the run was given.
    """

    def __init__(self, name: str, client: GetClient, deadline_ms: int = 0) -> None:
        self._client = client
        self._deadline_ms = deadline_ms
        self.graph = Graph(name)
        self.name = self.graph.name
        self.output: Any = None

    def build(self, function: Callable[..., Any]) -> Dag:
        """Have a function add the nodes: it is called with this graph and, by name, a parameter of the runs for each of its
        other parameters. What it returns, a node or nodes in lists or dicts, is what the runs return."""
        _, *names = inspect.signature(function).parameters
        self.output = function(self, **{name: self.param(name) for name in names})
        return self

    def param(self, name: str) -> Param:
        """A value that each run must give."""
        return self.graph.param(name)

    def node(self, task: TaskType[..., Any], *args: Any, **kwargs: Any) -> Node:
        """Add a task with its arguments: constants, parameters and other nodes, also inside lists and dicts.

        Returns the node, which takes a name (``named``), others to wait for (``after``) and a trigger (``when``). Raises
        :class:`InvalidArgument` for what the function would refuse, or a parent whose result is of another type.
        """
        return self.graph.node(task, *args, **kwargs)

    def map(self, task: TaskType[..., Any], over: Any, *args: Any, **kwargs: Any) -> MapNode:
        """Add one task for each item of a list or dict: another node's result, a parameter, or a constant; of several
        with :func:`zipped` or :func:`product`. The item is the task's first argument; ``args`` and ``kwargs`` are the same
        for all. Returns a node that stands for the list of all results, for a dict with the same keys. Raises like
        :meth:`node`.
        """
        return self.graph.map(task, over, *args, **kwargs)

    def switch(
        self,
        subject: Node | Param,
        cases: Mapping[Any, Node | Sequence[Node]],
        default: Node | Sequence[Node] = (),
    ) -> None:
        """Let only those nodes start whose case the result of another node, or a parameter, equals; those of ``default`` if
        it is none of the cases. The others are skipped, with all that needs them."""
        self.graph.switch(subject, cases, default)

    def text(self, form: str = "json") -> str:
        """The graph as text, as ``app.load_dag`` reads it: ``"json"`` or ``"yaml"``. Raises :class:`InvalidInput` for a
        value in it that cannot be written so."""
        return dumps(self.graph, form)

    def check(self) -> None:
        """Refuse a graph that could not run. Raises :class:`InvalidInput`, which names the cycle if there is one."""
        self.graph.ordered()

    async def submit(self, /, **params: Any) -> RunHandle:
        """Start a run with these parameters. It is there whole, or not at all.

        Raises :class:`InvalidInput` for a graph that cannot run and parameters that are missing or unknown,
        :class:`InvalidArgument`, and like ``submit`` of a task.
        """
        return await self.submit_as(None, params)

    async def submit_as(self, run_id: str | None, params: Mapping[str, Any]) -> RunHandle:
        """Like :meth:`submit`, under an id made with ``new_id()``: one that exists is left alone."""
        return await _start(self.call(**params), run_id, self._client, self._deadline_ms)

    async def again(self, run_id: str, **params: Any) -> RunHandle:
        """Start another run with the parameters of an earlier one, but for those that are given.

        Raises :class:`NotFound`, :class:`InvalidInput` for a run of another graph, and like :meth:`submit`.
        """
        record = await RunHandle(check_id(run_id), self._client).record()
        if record.type != f"{RUN_TYPE}{self.name}":
            raise InvalidInput(
                f"{record.id} is not a run of graph {self.name!r}, but a {record.type[:100]!r}"
            )
        return await self.submit(**{**record.keywords, **params})

    def call(self, /, **params: Any) -> DagCall:
        """A run with these parameters that is not submitted yet: a task may return it, to have it run in its place."""
        return DagCall(self.graph, params, self.output)


@dataclass(frozen=True, slots=True)
class DagCall(Startable):
    """A graph with the parameters of a run."""

    graph: Graph
    params: Mapping[str, Any]
    output: Any = None

    def prepare(self, run_id: str) -> Launch:
        """See :class:`Startable`."""
        return prepare(self.graph, self.params, run_id, self.output)


class Flow(Startable):
    """Tasks one after another and side by side; made with :func:`chain` and :func:`group`. A task may return one, to have
    it run in its place."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def then(self, *parts: Flow | Call) -> Flow:
        """These behind it, one after another: the first takes its result, or a list of results if it is a group."""
        return Flow(Chain((self.part, *map(_part, parts))))

    async def submit(self, id: str | None = None) -> RunHandle:
        """Start it. Raises like :meth:`Dag.submit`."""
        return await _start(self, id, _client_of(self.part))

    def prepare(self, run_id: str) -> Launch:
        """See :class:`Startable`."""
        graph, output = to_graph(self.part, "flow")
        return prepare(graph, {}, run_id, output)


def chain(*parts: Flow | Call) -> Flow:
    """One after another: ``chain(fetch.s(url), parse.s())``. The result of each is the first argument of the next."""
    return Flow(Chain(tuple(map(_part, parts))))


def group(*parts: Flow | Call) -> Flow:
    """Side by side: ``group(a.s(1), b.s(2)).then(join.s())``. The result is a list in their order."""
    return Flow(Group(tuple(map(_part, parts))))


def _part(given: Flow | Call) -> Part:
    if isinstance(given, Flow):
        return given.part
    if isinstance(given, Call):
        return given
    raise InvalidInput(
        f"a workflow is made of task.s(…), chain(…) and group(…), got a {type(given).__name__}"
    )


def _client_of(part: Part) -> GetClient:
    while not isinstance(part, Call):
        if not part.parts:
            raise InvalidInput(f"a {type(part).__name__.lower()} of nothing: give it at least one task.s(…)")
        part = part.parts[0]
    return task_type_of(part.task).client


async def _start(
    work: Startable, run_id: str | None, get_client: GetClient, deadline_ms: int = 0
) -> RunHandle:
    launch = work.prepare(new_id() if run_id is None else check_id(run_id))
    if run_id is None and launch.limited:
        launch = work.prepare(new_id(limited=True))
    client = await get_client()
    if await client.heard_anew():
        launch = work.prepare(launch.run_id)
    await client.store.runs.launch(*launch, deadline_ms=deadline_ms)
    if (tell := client.events.tell) is not None:
        tell(RunSubmitted(launch.run_id, launch.plan.name, len(launch.tasks)))
    return RunHandle(launch.run_id, get_client)
