"""A graph compiled for one run: every task with its id, its arguments, and whom it tells of its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobbers.core.payload import Ref
from jobbers.dag.graph import Graph, Node, Param, TaskLike, Trigger
from jobbers.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Planned:
    """One task of a run. ``waits`` is for how many others it waits; ``then`` are the ids of those that wait for it."""

    id: str
    name: str
    task: TaskLike
    args: list[Any]
    kwargs: dict[str, Any]
    trigger: Trigger
    parents: list[str]
    queue: str | None = None
    then: list[str] = field(default_factory=list)

    @property
    def waits(self) -> int:
        """For how many others it waits."""
        return len(self.parents)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. ``output`` is what it returns, with a :class:`Ref` wherever a task's result belongs; ``ends`` are the
    tasks for which nobody else waits: when they have ended, the run has."""

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

    def filled(value: Any) -> Any:
        match value:
            case Node():
                return Ref(ids[value])
            case Param():
                return params[value.name]
            case Mapping():
                return {key: filled(item) for key, item in value.items()}
            case list() | tuple():
                return [filled(item) for item in value]
            case _:
                return value

    tasks: dict[Node, Planned] = {}
    for node in order:
        args, kwargs = filled(node.args), filled(node.kwargs)
        node.task.signature.check(args, kwargs, pending=_holds_ref)
        parents = [ids[parent] for parent in node.parents]
        tasks[node] = Planned(
            ids[node], node.name, node.task, args, kwargs, node.trigger, parents, node.queue
        )
        for parent in node.parents:
            tasks[parent].then.append(ids[node])
    ends = [node for node in order if not tasks[node].then]
    for node in ends:
        tasks[node].then.append(run_id)
    if output is None:
        output = ends[0] if len(ends) == 1 else {node.name: node for node in ends}
    return Plan(
        run_id, graph.name, dict(params), list(tasks.values()), [ids[node] for node in ends], filled(output)
    )


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
