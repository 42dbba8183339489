"""The nodes of a graph: what each runs, when it may start, and what its failure means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from jobbers.core.condition import Test
from jobbers.core.names import check_name
from jobbers.core.signature import Signature
from jobbers.dag.values import Param, Placeholder, placeholders
from jobbers.errors import InvalidInput

if TYPE_CHECKING:
    from jobbers.dag.graph import Graph

_UNSET = object()
DEFAULT_WINDOW = 1000
MAX_WINDOW = 1000
"""Most items of a map that are under way at a time: cancelling the map ends them in one call to the server."""


class TaskLike(Protocol):
    """What a node needs of a task type."""

    name: str
    signature: Signature


class Trigger(StrEnum):
    """When a node may start, once all that it waits for have ended; with *any succeeded* already once one has succeeded.

    A node that is skipped since a branch was not taken has not succeeded and has not failed.
    """

    ALL_SUCCEEDED = "all_succeeded"
    ALL_DONE = "all_done"
    NONE_FAILED = "none_failed"
    ANY_SUCCEEDED = "any_succeeded"
    ANY_FAILED = "any_failed"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a node's result or a parameter when the node would start; else it is skipped."""

    subject: Placeholder
    test: Test
    wanted: Any


@dataclass(frozen=True, slots=True, eq=False)
class NodeError(Placeholder):
    """How a node failed: a dict of ``reason``, ``type`` and ``message``; ``None`` if it did not."""

    node: Node


@dataclass(eq=False)
class Node(Placeholder):
    """One task of a graph. Passed as an argument to another node it stands for its result, and makes that one wait."""

    graph: Graph
    task: TaskLike
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    name: str
    trigger: Trigger = Trigger.ALL_SUCCEEDED
    need: int = 0
    queue: str | None = None
    caught: bool = False
    in_place: bool | None = None
    undoes: Node | None = None
    earlier: list[Node] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)

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

    def when(self, trigger: Trigger | str | None = None, *, at_least: int | None = None) -> Node:
        """Choose when it may start: a :class:`Trigger`, or as soon as ``at_least`` so many of those that it waits for have
        succeeded. What has not succeeded by then has the result ``None``."""
        if (trigger is None) == (at_least is None):
            raise InvalidInput("give a trigger, or at_least and a number")
        if at_least is not None:
            self.trigger, self.need = Trigger.ANY_SUCCEEDED, _count("at_least", at_least, 1)
            return self
        try:
            self.trigger = Trigger(trigger or "")
        except ValueError:
            known = ", ".join(Trigger)
            raise InvalidInput(f"there is no trigger {str(trigger)[:80]!r}; there are {known}") from None
        self.need = int(self.trigger is Trigger.ANY_SUCCEEDED)
        return self

    def may_fail(self) -> Node:
        """Its failure does not fail the run; what needs its result is skipped all the same."""
        self.caught = True
        return self

    @property
    def error(self) -> NodeError:
        """How it failed, as an argument of another node, which then handles it: that one runs only if this one failed, and
        the run does not fail by it."""
        return NodeError(self)

    def inline(self, wanted: bool = True) -> Node:
        """Whether the worker that has run the one node that this one waits for goes on with it at once, without a way
        through a queue: always if it can, or never. Undecided, it does so when the queue is the same and tasks of this type
        have lately been short. A node that waits for several is never run so."""
        self.in_place = wanted
        return self

    def undo(self, task: TaskLike, *args: Any, **kwargs: Any) -> Node:
        """Add a task that makes good for this one when the run goes wrong after it has succeeded. Those of a run go one by
        one, the last node's first, when everything else has ended."""
        node = self.graph.node(task, *args, **kwargs)
        node.undoes = self
        return node.after(self).when(Trigger.ALL_DONE)

    def only_if(self, subject: Placeholder, *, equals: Any = _UNSET, one_of: Any = _UNSET) -> Node:
        """Start only if the result of another node, or a parameter, is true, or ``equals`` a value, or is ``one_of`` some;
        else it is skipped. Several conditions must all hold."""
        return self._condition(subject, equals, one_of, (Test.TRUE, Test.EQUALS, Test.ONE_OF))

    def unless(self, subject: Placeholder, *, equals: Any = _UNSET, one_of: Any = _UNSET) -> Node:
        """The opposite of :meth:`only_if`."""
        return self._condition(subject, equals, one_of, (Test.FALSE, Test.DIFFERS, Test.NONE_OF))

    def _condition(
        self, subject: Placeholder, equals: Any, one_of: Any, tests: tuple[Test, Test, Test]
    ) -> Node:
        if not isinstance(subject, Placeholder):
            raise InvalidInput(f"a condition is about a node or a parameter, got a {type(subject).__name__}")
        if equals is not _UNSET and one_of is not _UNSET:
            raise InvalidInput("give equals or one_of, not both")
        if one_of is not _UNSET and (isinstance(one_of, str | bytes) or not isinstance(one_of, Iterable)):
            raise InvalidInput(
                f"one_of is a list of values, got {_shown(one_of)}: for a single value give equals"
            )
        self.graph.own(it for it in [subject] if isinstance(it, Node))
        if one_of is not _UNSET:
            self.conditions.append(Condition(subject, tests[2], list(one_of)))
        elif equals is not _UNSET:
            self.conditions.append(Condition(subject, tests[1], equals))
        else:
            self.conditions.append(Condition(subject, tests[0], None))
        return self

    def __post_init__(self) -> None:
        self._taken = placeholders(self._values())

    def _values(self) -> Any:
        """All values in which others may stand, in the order in which they make it wait."""
        return (self.args, self.kwargs)

    @property
    def handles(self) -> list[Node]:
        """The nodes whose errors it takes."""
        return list(dict.fromkeys(it.node for it in self._taken if isinstance(it, NodeError)))

    @property
    def takes_params(self) -> bool:
        """Whether a parameter of the run is among its arguments."""
        return any(isinstance(it, Param) for it in self._taken)

    @property
    def parents(self) -> list[Node]:
        """What it waits for, each once: first those whose results it takes."""
        taken = [*self._taken, *(condition.subject for condition in self.conditions)]
        found = (it.node if isinstance(it, NodeError) else it for it in taken)
        return list(dict.fromkeys([*(it for it in found if isinstance(it, Node)), *self.earlier]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


@dataclass(eq=False)
class MapNode(Node):
    """One task for each item of lists that are known at run time. It stands for the list of their results; for a dict,
    for a dict with the same keys."""

    over: Over = field(kw_only=True)
    window: int = DEFAULT_WINDOW
    enough: int | None = None

    def _values(self) -> Any:
        return (self.over.sources, *super()._values())

    def at_a_time(self, window: int) -> MapNode:
        """Let at most so many items be under way at a time, up to 1,000; the rest follow as they end."""
        self.window = _count("at_a_time", window, 1, MAX_WINDOW)
        return self

    def at_least(self, count: int) -> MapNode:
        """Succeed when so many items have, the others' results being ``None``; by default all must, and after a failure no
        further item is begun."""
        self.enough = _count("at_least", count, 0)
        return self


@dataclass(frozen=True, slots=True)
class Over:
    """What a node is mapped over: each of ``sources``' items, all their first ones together and so on (*zip*), or each with
    each (*product*)."""

    how: str
    sources: tuple[Any, ...]


def zipped(*sources: Any) -> Over:
    """Map over the first items of several lists, then over the second ones, and so on; the lists must be equally long."""
    return Over("zip", sources)


def product(*sources: Any) -> Over:
    """Map over every combination of the items of several lists; those of the last one change fastest."""
    return Over("product", sources)


def _count(what: str, value: object, least: int, most: int | None = None) -> int:
    """A whole number within bounds. Raises :class:`InvalidInput`."""
    rule = f"{least} or more" if most is None else f"from {least} to {most:,}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(f"{what} must be a whole number, {rule}, got {_shown(value)}")
    if not least <= value <= (most or value):
        raise InvalidInput(f"{what} must be {rule}, got {value}")
    return value


def _shown(value: object) -> str:
    return repr(value)[:80]
