"""What may be said of queues: that they take no more, how long they may become, and which types go elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from jobbers.core.durations import to_ms, to_optional_ms
from jobbers.core.live_policy import Live
from jobbers.core.task import Placement, TaskSpec
from jobbers.errors import InvalidInput

WhenFull: TypeAlias = Literal["refuse", "drop_oldest"]
LONGEST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class QueueLimit:
    """How many tasks may be ready in a queue, and what happens to one more. 0 is no limit."""

    max_length: int
    when_full: WhenFull = "refuse"


@dataclass(frozen=True, slots=True)
class QueueRules:
    """What was said of all queues, and of what goes into them: ``routes`` are queues by task type, ``policies`` options."""

    draining: frozenset[str] = frozenset()
    limits: Mapping[str, QueueLimit] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, Live] = field(default_factory=dict)

    def placed(self, specs: Sequence[TaskSpec]) -> Sequence[TaskSpec]:
        """The same tasks, each in the queue to which its type is sent now, and as live policies want it."""
        if not (self.routes or self.policies):
            return specs
        moved: dict[Placement, Placement] = {}  # what goes to the same place is written together
        routed = []
        for spec in specs:
            place = spec.placement
            if place.type in self.routes or place.type in self.policies:
                other = moved.get(place)
                if other is None:
                    other = moved[place] = self._place(place)
                spec = dataclasses.replace(spec, placement=other)  # noqa: PLW2901 - the same task elsewhere
            routed.append(spec)
        return routed

    def _place(self, place: Placement) -> Placement:
        live = self.policies.get(place.type, {})
        changes: dict[str, Any] = {"queue": self.routes.get(place.type, place.queue)}
        if "priority" in live and "priority" not in place.chosen:
            changes["priority"] = live["priority"]
        if "deadline" in live and "deadline" not in place.chosen:
            changes["deadline_ms"] = to_optional_ms(live["deadline"], "deadline") or 0
        if "retention" in live:
            changes["retention_ms"] = to_ms(live["retention"], "retention")
        return dataclasses.replace(place, **changes)


def check_limit(max_length: int | None, when_full: str) -> QueueLimit:
    """A limit that makes sense; ``None`` is no limit. Raises :class:`InvalidInput`."""
    if when_full not in ("refuse", "drop_oldest"):
        raise InvalidInput(f"when_full is 'refuse' or 'drop_oldest', got {str(when_full)[:30]!r}")
    if max_length is None:
        return QueueLimit(0)
    if isinstance(max_length, bool) or not isinstance(max_length, int) or not 1 <= max_length <= LONGEST:
        raise InvalidInput(f"max_length must be from 1 to {LONGEST:,}, got {str(max_length)[:30]!r}")
    return QueueLimit(max_length, cast("WhenFull", when_full))
