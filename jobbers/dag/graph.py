"""A graph of tasks, as it is being built: nodes, the values that flow between them, and the rules that it must obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from jobbers.core.names import check_name
from jobbers.core.signature import Signature
from jobbers.errors import InvalidArgument, InvalidInput

MAX_NODES = 1000
"""What one call to the server may create."""


class TaskLike(Protocol):
    """What a node needs of a task type."""

    name: str
    signature: Signature


class Trigger(StrEnum):
    """When a node may start: when all that it waits for have succeeded, or when all have ended, however they did."""

    ALL_SUCCEEDED = "all_succeeded"
    ALL_DONE = "all_done"


@dataclass(frozen=True, slots=True)
class Param:
    """A value that each run gives; stands in an argument's place."""

    name: str


@dataclass(eq=False)
class Node:
    """One task of a graph. Passed as an argument to another node it stands for its result, and makes that one wait."""

    graph: Graph
    task: TaskLike
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    name: str
    trigger: Trigger = Trigger.ALL_SUCCEEDED
    queue: str | None = None
    earlier: list[Node] = field(default_factory=list)

    def named(self, name: str) -> Node:
        """Give it another name than its task type's. Raises :class:`InvalidInput` for one that is taken."""
        self.graph.rename(self, check_name(name, "the name of a node"))
        return self

    def after(self, *nodes: Node) -> Node:
        """Start only when these have ended, too, though nothing of theirs is needed."""
        self.graph.own(nodes)
        self.earlier += nodes
        return self

    def on(self, queue: str) -> Node:
        """Send it to this queue instead of its task type's. Raises :class:`InvalidName`."""
        self.queue = check_name(queue, "the queue")
        return self

    def when(self, trigger: Trigger | str) -> Node:
        """Choose when it may start, a :class:`Trigger`. With ``all_done`` what did not succeed has the result ``None``."""
        try:
            self.trigger = Trigger(trigger)
        except ValueError:
            known = ", ".join(Trigger)
            raise InvalidInput(f"there is no trigger {str(trigger)[:80]!r}; there are {known}") from None
        return self

    @property
    def parents(self) -> list[Node]:
        """What it waits for, each once: first those whose results it takes."""
        taken = [it for it in placeholders((self.args, self.kwargs)) if isinstance(it, Node)]
        return list(dict.fromkeys([*taken, *self.earlier]))

    def __repr__(self) -> str:
        return f"<Node {self.name}>"


class Graph:
    """Nodes and parameters under a name."""

    def __init__(self, name: str) -> None:
        self.name = check_name(name, "the name of a graph")
        self.nodes: list[Node] = []
        self.params: dict[str, Param] = {}
        self._named: dict[str, Node] = {}
        self._numbers: Counter[str] = Counter()

    def param(self, name: str) -> Param:
        """A value that each run must give."""
        return self.params.setdefault(check_name(name, "the name of a parameter"), Param(name))

    def node(self, task: TaskLike, *args: Any, **kwargs: Any) -> Node:
        """Add a task with its arguments: constants, parameters, and nodes, also inside lists and dicts.

        Raises :class:`InvalidArgument` for what the function would refuse, or a parent whose result is of another type.
        """
        if len(self.nodes) >= MAX_NODES:
            raise InvalidInput(f"graph {self.name!r} has {MAX_NODES} nodes, and no more fit into one run")
        self.own(it for it in placeholders((args, kwargs)) if isinstance(it, Node))
        for name, value in task.signature.check(args, kwargs, pending=is_pending):
            _check_result(task, name, value)
        node = Node(self, task, args, kwargs, self._free_name(task.name))
        self.nodes.append(node)
        self._named[node.name] = node
        return node

    def _free_name(self, wanted: str) -> str:
        while True:
            self._numbers[wanted] += 1
            number = self._numbers[wanted]
            name = wanted if number == 1 else f"{wanted}-{number}"
            if name not in self._named:
                return name

    def rename(self, node: Node, name: str) -> None:
        """Give a node another name. Raises :class:`InvalidInput` for one that is taken."""
        if self._named.get(name, node) is not node:
            raise InvalidInput(f"graph {self.name!r} has a node {name!r} already: names must differ")
        del self._named[node.name]
        self._named[name] = node
        node.name = name

    def load(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Rebuild parameters that came off the wire or out of JSON, by the annotations of what takes them as they stand.

        Raises :class:`InvalidArgument` naming the parameter; one that the graph does not have stays as it is.
        """
        loaded = dict(values)
        for node in self.nodes:
            checkers = {parameter.name: parameter.checker for parameter in node.task.signature.parameters}
            for argument, pending in node.task.signature.check(node.args, node.kwargs, pending=is_pending):
                if isinstance(pending, Param) and pending.name in values and argument in checkers:
                    try:
                        loaded[pending.name] = checkers[argument].load(values[pending.name])
                    except (
                        TypeError,
                        ValueError,
                    ):  # pydantic's is one, and shows the value, which may be a secret
                        raise InvalidArgument(
                            f"parameter {pending.name!r} of graph {self.name!r} is not what argument {argument!r} of task "
                            f"{node.task.name!r} takes",
                            pending.name,
                        ) from None
        return loaded

    def own(self, nodes: Iterable[Node]) -> None:
        """Refuse nodes of another graph. Raises :class:`InvalidInput`."""
        for node in nodes:
            if node.graph is not self:
                raise InvalidInput(
                    f"node {node.name!r} belongs to graph {node.graph.name!r} and not to {self.name!r}: "
                    "build both in one graph"
                )

    def ordered(self) -> list[Node]:
        """The nodes, each behind all that it waits for. Raises :class:`InvalidInput` for an empty graph or a cycle, which
        it names.

        Source of the algorithm: A. B. Kahn, *Topological sorting of large networks*, 1962.
        """
        if not self.nodes:
            raise InvalidInput(f"graph {self.name!r} has no nodes: add one with node(task, …)")
        waiting = {node: set(node.parents) for node in self.nodes}
        order: list[Node] = []
        while waiting:
            ready = [node for node, parents in waiting.items() if not parents]
            if not ready:
                cycle = " → ".join(node.name for node in _cycle(waiting))
                raise InvalidInput(f"graph {self.name!r} has a cycle: {cycle}")
            for node in ready:
                del waiting[node]
            for parents in waiting.values():
                parents.difference_update(ready)
            order += ready
        return order


def placeholders(value: Any) -> Iterator[Node | Param]:
    """Every node and parameter inside a value, from left to right."""
    if isinstance(value, Node | Param):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from placeholders(item)


def is_pending(value: Any) -> bool:
    """Whether a value is not known before a run."""
    return next(placeholders(value), None) is not None


def _check_result(task: TaskLike, parameter: str, value: Any) -> None:
    """A plain annotation against the plain annotation of what is passed; what is not plain shows when it runs."""
    if not isinstance(value, Node):
        return
    wanted, given = task.signature.annotation(parameter), value.task.signature.annotation("return")
    if not fits(given, wanted):
        raise InvalidArgument(
            f"argument {parameter!r} of task {task.name!r} is annotated {_shown(wanted)}, and node {value.name!r} "
            f"returns {_shown(given)}",
            parameter,
        )


_PLAIN = (int, float, str, bytes, bool, list, dict, type(None), None)


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of one annotation may be one of another, as far as plain annotations tell."""
    if given not in _PLAIN or wanted not in _PLAIN:
        return True
    if (given or type(None)) is (wanted or type(None)):
        return True
    return given is int and wanted is float


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def _cycle(waiting: Mapping[Node, set[Node]]) -> list[Node]:
    """A cycle among nodes that all wait for others of them."""
    path = [next(iter(waiting))]
    while (ahead := next(iter(waiting[path[-1]]))) not in path:
        path.append(ahead)
    return [*reversed(path[path.index(ahead) :]), path[-1]]
