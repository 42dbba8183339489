"""Workflows as users build them: named graphs of an app, and chains and groups that need no name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from jobbers.client import Client, new_id
from jobbers.core import ids
from jobbers.core.ids import check_id
from jobbers.core.lanes import Lane, parse_lane
from jobbers.core.payload import encode_arguments
from jobbers.core.policy import HIGHEST_PRIORITY
from jobbers.dag.compose import Call, Chain, Group, Part, to_graph
from jobbers.dag.graph import Graph
from jobbers.dag.nodes import MapNode, Node
from jobbers.dag.plan import Plan, Planned, compile_graph
from jobbers.dag.values import Param
from jobbers.errors import ConfigError, InvalidInput
from jobbers.run import RunHandle
from jobbers.store.maps import MAP_TYPE
from jobbers.store.runs import LaunchedTask, StoredNode, StoredPlan
from jobbers.task_type import TaskType

RUN_HEADER = "jobbers-run"
"""The header by which a worker knows that arguments may refer to results; its value is the run's id."""

GetClient = Callable[[], Awaitable[Client]]


class Dag:
    """A named graph of tasks: built once, run as often as one likes.

    ``node(task, *args, **kwargs)`` adds a task. Where an argument is another node, that one's result is passed; where it is
    ``param(name)``, what the run was given.
    """

    def __init__(self, name: str, client: GetClient) -> None:
        self._client = client
        self.graph = Graph(name)
        self.name = self.graph.name

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

    def check(self) -> None:
        """Refuse a graph that could not run. Raises :class:`InvalidInput`, which names the cycle if there is one."""
        self.graph.ordered()

    async def submit(self, **params: Any) -> RunHandle:
        """Start a run with these parameters. It is there whole, or not at all.

        Raises :class:`InvalidInput` for a graph that cannot run and parameters that are missing or unknown,
        :class:`InvalidArgument`, and like ``submit`` of a task.
        """
        return await self.submit_as(None, params)

    async def submit_as(self, run_id: str | None, params: Mapping[str, Any]) -> RunHandle:
        """Like :meth:`submit`, under an id made with ``new_id()``: one that exists is left alone."""
        return await _launch(self.graph, None, params, run_id, self._client)


class Flow:
    """Tasks one after another and side by side; made with :func:`chain` and :func:`group`."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def then(self, *parts: Flow | Call) -> Flow:
        """These behind it, one after another: the first takes its result, or a list of results if it is a group."""
        return Flow(Chain((self.part, *map(_part, parts))))

    async def submit(self, id: str | None = None) -> RunHandle:
        """Start it. Raises like :meth:`Dag.submit`."""
        graph, output = to_graph(self.part, "flow")
        return await _launch(graph, output, {}, id, _client_of(self.part))


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
    return _task_type(part.task).client


def _task_type(task: Any) -> TaskType[..., Any]:
    if not isinstance(task, TaskType):
        raise ConfigError(f"a {type(task).__name__} is no task type: decorate the function with @app.task")
    return task


async def _launch(
    graph: Graph, output: Any, params: Mapping[str, Any], run_id: str | None, get_client: GetClient
) -> RunHandle:
    run = new_id() if run_id is None else check_id(run_id)
    tail = ids.tail_of(run)
    plan = compile_graph(graph, params, run, lambda: ids.with_tail(new_id(), tail), output)
    queues = {planned.id: _queue(planned) for planned in plan.tasks}
    heirs = _heirs(plan, queues)
    tasks = [_launched(plan, planned, queues[planned.id], heirs.get(planned.id)) for planned in plan.tasks]
    limit = _task_type(plan.tasks[0].task).max_payload
    envelope = encode_arguments(f"run.{plan.name}", [], plan.params, {RUN_HEADER: run}, limit)
    nodes = [
        StoredNode(it.id, it.name, task.type, it.parents, parse_lane(task.lane).queue, it.need, it.undoes)
        for it, task in zip(plan.tasks, tasks, strict=True)
    ]
    client = await get_client()
    await client.store.runs.launch(run, envelope, StoredPlan(plan.name, nodes, plan.output, plan.ends), tasks)
    return RunHandle(run, get_client)


def _queue(planned: Planned) -> str:
    task = _task_type(planned.task)
    spread = task.policy.spread
    if planned.queue or spread is None or planned.mapped:
        return planned.queue or task.policy.queue
    return task.choose_queue(spread, planned.args, planned.kwargs)


def _heirs(plan: Plan, queues: Mapping[str, str]) -> dict[str, Planned]:
    """Who may follow whom on the same worker, by the id of the one before."""
    tasks = {planned.id: planned for planned in plan.tasks}
    heirs: dict[str, Planned] = {}
    for planned in plan.tasks:
        before = tasks[planned.parents[0]] if len(planned.parents) == 1 else None
        if before is None or before.mapped or planned.mapped or planned.undoes or planned.in_place is False:
            continue
        alone = before.then == [planned.id] and queues[planned.id] == queues[before.id]
        if planned.in_place or alone:
            heirs[before.id] = planned
    return heirs


def _launched(plan: Plan, planned: Planned, queue: str, heir: Planned | None) -> LaunchedTask:
    task = _task_type(planned.task)
    extras = (
        planned.extras
        if heir is None
        else planned.extras | {"heir": [heir.id, heir.task.name, heir.in_place]}
    )
    envelope = encode_arguments(
        task.name, planned.args, planned.kwargs, {RUN_HEADER: plan.id}, task.max_payload, extras
    )
    # A map makes room for its own tasks, so it goes first.
    lane = Lane(queue, HIGHEST_PRIORITY if planned.mapped else task.policy.priority)
    return LaunchedTask(
        planned.id,
        (MAP_TYPE if planned.mapped else "") + task.name,
        str(lane),
        envelope,
        planned.waits,
        planned.then,
        planned.name,
        planned.trigger.value,
        _fields(planned),
    )


def _fields(planned: Planned) -> dict[str, str | int]:
    fields: dict[str, str | int] = {
        "need": planned.need,
        "caught": int(planned.caught),
        "undoes": planned.undoes,
        "window": planned.window,
    }
    return {name: value for name, value in fields.items() if value} | (
        {} if planned.enough is None else {"enough": planned.enough}
    )
