"""A graph of tasks, as it is being built: nodes, the values that flow between them, and the rules that it must obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from jobbers.core.names import check_name
from jobbers.core.signature import Signature
from jobbers.dag.nodes import MapNode, Node, NodeError, Over, TaskLike, Trigger
from jobbers.dag.values import ITEM, Param, Placeholder, fits, is_pending, placeholders, shown
from jobbers.errors import InvalidArgument, InvalidInput

AnyNode = TypeVar("AnyNode", bound=Node)
MAX_NODES = 5000
"""What one call to the server may create: a launch keeps it from all others for about 15 us a node."""

MAX_EDGES = 250_000
"""What 500 nodes make that each wait for 500 others: the id of each is in the record of whom it waits for."""


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
        self._check(task, args, kwargs)
        return self._added(Node(self, task, args, kwargs, self._free_name(task.name)))

    def map(self, task: TaskLike, over: Any, *args: Any, **kwargs: Any) -> MapNode:
        """Add one task for each item of ``over``: a node or a parameter that is a list or a dict, a list of either, or
        :func:`zipped` or :func:`product` of several. The item is the first argument, or the first ones; ``args`` and
        ``kwargs`` are the same for all. Raises like :meth:`node`.
        """
        wanted = over if isinstance(over, Over) else Over("each", (over,))
        for source in wanted.sources:
            if not isinstance(source, Placeholder | Mapping | Sequence) or isinstance(source, str | bytes):
                raise InvalidArgument(
                    f"a map goes over a list, a dict, a node or a parameter, got a {type(source).__name__}"
                )
        if not wanted.sources:
            raise InvalidInput("a map over nothing: give it at least one list")
        self._check(task, (*(ITEM for _ in wanted.sources), *args), kwargs)
        self.own(it for it in placeholders(wanted.sources) if isinstance(it, Node))
        return self._added(MapNode(self, task, args, kwargs, self._free_name(task.name), over=wanted))

    def switch(
        self,
        subject: Node | Param,
        cases: Mapping[Any, Node | Sequence[Node]],
        default: Node | Sequence[Node] = (),
    ) -> None:
        """Of several nodes let those start whose case the result of another node, or a parameter, equals; those of
        ``default`` if it is none of the cases. The others are skipped, with all that needs them."""
        if not isinstance(cases, Mapping):
            raise InvalidArgument(
                f"the cases of a switch are a dict of values to nodes, got a {type(cases).__name__}"
            )
        chosen = {value: _several(nodes) for value, nodes in cases.items()}
        others = _several(default)
        self.own([*others, *(node for nodes in chosen.values() for node in nodes)])
        for value, nodes in chosen.items():
            for node in nodes:
                node.only_if(subject, equals=value)
        for node in others:
            node.unless(subject, one_of=list(cases))

    def _check(self, task: TaskLike, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if len(self.nodes) >= MAX_NODES:
            raise InvalidInput(
                f"graph {self.name!r} has {MAX_NODES:,} nodes, and no more fit into one run: map over a "
                "list where nodes do the same, or let a node start a run of its own"
            )
        if not isinstance(getattr(task, "signature", None), Signature):
            raise InvalidArgument(f"{_what(task)} is no task: give what @app.task has made")
        taken = placeholders((args, kwargs))
        self.own(
            it.node if isinstance(it, NodeError) else it for it in taken if isinstance(it, Node | NodeError)
        )
        for name, value in task.signature.check(args, kwargs, pending=is_pending):
            _check_result(task, name, value)

    def _added(self, node: AnyNode) -> AnyNode:
        for handled in node.handles:
            handled.may_fail()
            node.when(Trigger.ANY_FAILED)
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
            for argument, pending in node.task.signature.check(*_called_with(node), pending=is_pending):
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
        """Refuse nodes of another graph, and what is no node. Raises :class:`InvalidInput`, :class:`InvalidArgument`."""
        for node in nodes:
            if not isinstance(node, Node):
                raise InvalidArgument(f"{_what(node)} is no node: make one with node(task, …) and give that")
            if node.graph is not self:
                raise InvalidInput(
                    f"node {node.name!r} belongs to graph {node.graph.name!r} and not to {self.name!r}: "
                    "build both in one graph"
                )

    def ordered(self) -> list[Node]:
        """The nodes, each behind all that it waits for. Raises :class:`InvalidInput` for an empty graph, a cycle, which it
        names, or a node that waits for more successes than it has parents.

        Source of the algorithm: A. B. Kahn, *Topological sorting of large networks*, 1962.
        """
        if not self.nodes:
            raise InvalidInput(f"graph {self.name!r} has no nodes: add one with node(task, …)")
        parents = {node: node.parents for node in self.nodes}
        if (edges := sum(map(len, parents.values()))) > MAX_EDGES:
            raise InvalidInput(
                f"graph {self.name!r} has {edges:,} edges, and {MAX_EDGES:,} fit into one run: put a node "
                "between those that all wait for the same"
            )
        left = {node: len(of) for node, of in parents.items()}
        followers: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node, of in parents.items():
            for parent in of:
                followers[parent].append(node)
            if node.need > len(of):
                raise InvalidInput(
                    f"node {node.name!r} starts when {node.need} have succeeded, and waits for {len(of)}"
                )
        order = [node for node, count in left.items() if not count]
        for node in order:  # grows meanwhile
            for follower in followers[node]:
                left[follower] -= 1
                if not left[follower]:
                    order.append(follower)
        if len(order) < len(self.nodes):
            cycle = " → ".join(node.name for node in _cycle([node for node in self.nodes if left[node]]))
            raise InvalidInput(f"graph {self.name!r} has a cycle: {cycle}")
        return order


def _called_with(node: Node) -> tuple[Sequence[Any], Mapping[str, Any]]:
    items = (ITEM for _ in node.over.sources) if isinstance(node, MapNode) else ()
    return (*items, *node.args), node.kwargs


def _several(nodes: Node | Sequence[Node]) -> Sequence[Node]:
    return nodes if isinstance(nodes, list | tuple) else [nodes]  # type: ignore[list-item]  # `own` refuses all else


def _what(thing: object) -> str:
    name = getattr(thing, "name", None)
    return f"{name!r} (a {type(thing).__name__})" if isinstance(name, str) else f"a {type(thing).__name__}"


def _check_result(task: TaskLike, parameter: str, value: Any) -> None:
    """A plain annotation against the plain annotation of what is passed; what is not plain shows when it runs."""
    if not isinstance(value, Node) or isinstance(value, MapNode):
        return
    wanted, given = task.signature.annotation(parameter), value.task.signature.annotation("return")
    if not fits(given, wanted):
        raise InvalidArgument(
            f"argument {parameter!r} of task {task.name!r} is annotated {shown(wanted)}, and node {value.name!r} "
            f"returns {shown(given)}",
            parameter,
        )


def _cycle(waiting: Sequence[Node]) -> list[Node]:
    """A cycle among nodes that all wait for others of them."""
    path = [waiting[0]]
    while (ahead := next(parent for parent in path[-1].parents if parent in waiting)) not in path:
        path.append(ahead)
    return [*reversed(path[path.index(ahead) :]), path[-1]]
