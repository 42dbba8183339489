"""Workflows without a name: calls one after another and side by side, nested freely, made into a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobbers.dag.graph import Graph
from jobbers.dag.nodes import TaskLike
from jobbers.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Call:
    """A task with arguments, not submitted yet: ``task.s(1, 2)``. What comes before it in a chain becomes its first
    positional argument."""

    task: TaskLike
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts one after another; each takes the result of the one before."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Parts side by side; each takes the result of what came before the group, and what follows takes a list of theirs."""

    parts: tuple[Part, ...]


Part = Call | Chain | Group
_NOTHING = object()


def to_graph(part: Part, name: str) -> tuple[Graph, Any]:
    """The graph of a composition, and its output: a node or (nested) lists of nodes. Raises :class:`InvalidInput`."""
    graph = Graph(name)
    return graph, _added(graph, part, _NOTHING)


def _added(graph: Graph, part: Part, before: Any) -> Any:
    match part:
        case Call():
            args = part.args if before is _NOTHING else (before, *part.args)
            return graph.node(part.task, *args, **part.kwargs)
        case Chain(parts) | Group(parts) if not parts:
            raise InvalidInput(f"a {type(part).__name__.lower()} of nothing: give it at least one task.s(…)")
        case Chain():
            for one in part.parts:
                before = _added(graph, one, before)
            return before
        case _:
            return [_added(graph, one, before) for one in part.parts]
