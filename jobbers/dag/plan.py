"""A graph compiled for one run: every task with its id, its arguments, and whom it tells of its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobbers.core.payload import Ref
from jobbers.dag.graph import Graph
from jobbers.dag.nodes import MapNode, Node, NodeError, TaskLike, Trigger
from jobbers.dag.values import Param
from jobbers.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Planned:
    """One task of a run. ``then`` are the ids of those that it tells of its end; ``need`` is how many of its parents must
    succeed, where that is what it waits for; ``caught`` says that its failure is provided for; ``undoes`` is the id of the
    task that it makes good for; ``extras`` travels beside its arguments."""

    id: str
    name: str
    task: TaskLike
    args: list[Any]
    kwargs: dict[str, Any]
    trigger: Trigger
    parents: list[str]
    queue: str | None = None
    need: int = 0
    caught: bool = False
    undoes: str = ""
    mapped: bool = False
    in_place: bool | None = None
    window: int = 0
    enough: int | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    then: list[str] = field(default_factory=list)

    @property
    def waits(self) -> int:
        """For how many others it waits."""
        return len(self.parents)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. ``output`` is what it returns, with a :class:`Ref` wherever a task's result belongs; ``ends`` are the
    tasks that tell the run itself: when they have ended, everything has."""

    id: str
    name: str
    params: dict[str, Any]
    tasks: list[Planned]
    ends: list[str]
    output: Any


def compile_graph(
    graph: Graph, params: Mapping[str, Any], run_id: str, make_id: Callable[[], str], output: Any = None
) -> Plan:
    """Make a plan. ``make_id`` gives ids in the run's shard; ``output`` is a node, or nodes in lists or dicts: by default
    the one last node, or a dict of all last nodes by name.

    Raises :class:`InvalidInput` for a graph that cannot run, and parameters that are missing or unknown;
    :class:`InvalidArgument` for a parameter that a function would refuse.
    """
    _check_params(graph, params)
    order = graph.ordered()
    ids = {node: make_id() for node in order}
    parents, ends = _edges(order)
    tasks = {node: _planned(node, ids, params, parents[node]) for node in order}
    for node in order:
        for parent in parents[node]:
            tasks[parent].then.append(ids[node])
    for node in ends:
        tasks[node].then.append(run_id)
    if output is None:
        last = _last(order, parents)
        output = last[0] if len(last) == 1 else {node.name: node for node in last}
    return Plan(
        run_id,
        graph.name,
        dict(params),
        list(tasks.values()),
        [ids[node] for node in ends],
        _filled(output, ids, params),
    )


def _edges(order: Sequence[Node]) -> tuple[dict[Node, list[Node]], list[Node]]:
    """Whom each node waits for, and which nodes the run waits for: those for which nobody else does, and those whose
    followers may start, and end, before them. Compensation waits for all of these, and goes backwards."""
    parents = {node: node.parents for node in order}
    for node in order:
        for parent in parents[node]:
            if parent.undoes is not None and node.undoes is None:
                raise InvalidInput(
                    f"node {node.name!r} waits for {parent.name!r}, which runs only when the run has gone wrong: it is "
                    f"compensation for {parent.undoes.name!r}"
                )
    hurried = {node: True for node in order if node.undoes is None}
    for node in hurried:
        for parent in parents[node]:
            hurried[parent] &= bool(node.need)
    ends = [node for node, all_hurry in hurried.items() if all_hurry]
    places = {node: place for place, node in enumerate(order)}
    backward = (node for node in order if node.undoes is not None)
    for node in sorted(backward, key=lambda node: places[node.undoes or node], reverse=True):
        parents[node] = list(dict.fromkeys([*parents[node], *ends]))
        ends = [node]
    return parents, ends


def _last(order: Sequence[Node], parents: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """The nodes whose results a run returns: those that nobody else takes, but for compensation and handlers of errors."""
    forward = {node: bool(node.handles) for node in order if node.undoes is None}
    followed = {parent for node, handles in forward.items() if not handles for parent in parents[node]}
    last = [node for node in forward if node not in followed]
    return [node for node in last if not forward[node]] or last


def _planned(
    node: Node, ids: Mapping[Node, str], params: Mapping[str, Any], parents: Sequence[Node]
) -> Planned:
    args, kwargs = _filled(node.args, ids, params), _filled(node.kwargs, ids, params)
    extras: dict[str, Any] = {}
    if node.conditions:
        extras["if"] = [
            [_filled(it.subject, ids, params), it.test.value, it.wanted] for it in node.conditions
        ]
    planned = Planned(
        ids[node], node.name, node.task, args, kwargs, node.trigger, [ids[parent] for parent in parents], node.queue,
        node.need, node.caught, ids[node.undoes] if node.undoes else "", in_place=node.in_place, extras=extras,
    )  # fmt: skip
    if not isinstance(node, MapNode):
        if node.takes_params:  # all else was checked when the node was added
            node.task.signature.check(args, kwargs, pending=_holds_ref)
        return planned
    extras["each"] = [node.over.how, _filled(node.over.sources, ids, params), node.queue]
    return replace(planned, mapped=True, window=node.window, enough=node.enough)


def _filled(value: Any, ids: Mapping[Node, str], params: Mapping[str, Any]) -> Any:
    match value:
        case Node():
            return Ref(ids[value])
        case NodeError():
            return Ref(ids[value.node], error=True)
        case Param():
            return params[value.name]
        case Mapping():
            return {key: _filled(item, ids, params) for key, item in value.items()}
        case list() | tuple():
            return [_filled(item, ids, params) for item in value]
        case _:
            return value


def _check_params(graph: Graph, params: Mapping[str, Any]) -> None:
    known = ", ".join(graph.params) or "none"
    for name in params:
        if name not in graph.params:
            raise InvalidInput(f"graph {graph.name!r} has no parameter {name!r} (it has: {known})")
    for name in graph.params:
        if name not in params:
            raise InvalidInput(f"graph {graph.name!r} needs parameter {name!r} (it has: {known})")


def _holds_ref(value: Any) -> bool:
    match value:
        case Ref():
            return True
        case Mapping():
            return any(map(_holds_ref, value.values()))
        case list() | tuple():
            return any(map(_holds_ref, value))
        case _:
            return False
