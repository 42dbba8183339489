"""What a schedule is, which of its slots are to be started, and under which ids. Pure: the caller brings time.

A slot is the time, in ms since 1970, at which something is to be started. The id of what it starts is made of the slot and
the schedule's name, so whoever starts it starts the same task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from jobbers.core.ids import make_id, unique_tail, with_tail
from jobbers.core.names import check_name
from jobbers.core.payload import Undecodable, pack, unpack
from jobbers.core.timing import Timing, known_timing, shortest_gap
from jobbers.errors import InvalidInput

GRACE_MS = 10_000
"""How late a slot may be started without counting as missed: a worker's death and the take-over lie within it."""
LOOK_AGAIN_MS = 200
"""How often a schedule whose slots wait looks whether the one before has ended."""
MOST_CATCH_UP = 1_000
MOST_STARTS = 100
"""Most starts in one turn; what is left comes with the next one, at once."""
_REFERENCE_MS = 1_704_067_200_000  # 2024, a leap year


class Overlap(StrEnum):
    """What a slot does while what the slot before has started still goes on."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"
    ALLOW = "allow"


class Missed(StrEnum):
    """Which slots are made good for that nobody started in time."""

    SKIP = "skip"
    ONE = "one"
    ALL = "all"


class Kind(StrEnum):
    """What a schedule starts."""

    TASK = "task"
    DAG = "dag"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it is stored: ``target`` is the name of a task type or graph; ``queue``, ``priority`` and
    ``deadline_ms`` (0: none) are for tasks. ``catch_up`` is how many missed or waiting slots are kept at most."""

    name: str
    timing: Timing
    kind: Kind
    target: str
    queue: str = "default"
    priority: int = 5
    deadline_ms: int = 0
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.ONE
    catch_up: int = 100
    jitter_ms: int = 0

    def check(self) -> Schedule:
        """Return it if it makes sense. Raises :class:`InvalidInput`."""
        check_name(self.name, "the name of a schedule")
        if self.missed is Missed.ALL and self.overlap not in (Overlap.QUEUE, Overlap.ALLOW):
            raise InvalidInput(
                f"missed='all' of schedule {self.name!r} needs overlap='queue' or 'allow': with "
                f"{self.overlap.value!r} only one of the missed slots could run",
                "missed",
            )
        if not 1 <= self.catch_up <= MOST_CATCH_UP:
            raise InvalidInput(
                f"catch_up must be from 1 to {MOST_CATCH_UP:,} slots, got {self.catch_up}", "catch_up"
            )
        gap = self.timing.every_ms or (shortest_gap(self.timing, _REFERENCE_MS) if self.jitter_ms else 1)
        if self.jitter_ms and self.jitter_ms >= gap:
            raise InvalidInput(
                f"jitter of schedule {self.name!r} must be shorter than the {gap / 1000:g} s between two of its slots, "
                f"got {self.jitter_ms / 1000:g} s",
                "jitter",
            )
        return self

    def when(self, slot: int) -> int:
        """When a slot is started: at most the jitter later, always the same for the same slot."""
        return slot + _digest(self.name, slot) % (self.jitter_ms + 1)

    def id_of(self, slot: int) -> str:
        """The id of the task or run of a slot."""
        return with_tail(make_id(slot, _digest(self.name, slot)), unique_tail(self.name))

    def pack(self) -> bytes:
        """The schedule as it is kept."""
        timing = self.timing
        return pack(
            [
                [timing.cron, timing.tz, timing.every_ms],
                [self.kind, self.target, self.queue, self.priority, self.deadline_ms],
                [self.overlap, self.missed, self.catch_up, self.jitter_ms],
            ]
        )


def unpack_schedule(name: str, data: bytes) -> Schedule:
    """What :meth:`Schedule.pack` wrote. Raises :class:`Undecodable`."""
    try:
        timing, target, policies = unpack(data)
        cron, tz, every_ms = timing
        kind, target_name, queue, priority, deadline_ms = target
        overlap, missed, catch_up, jitter_ms = policies
        if int(catch_up) < 1 or int(jitter_ms) < 0:
            raise ValueError("catch_up or jitter is out of range")
        return Schedule(
            name,
            known_timing(cron, tz, every_ms),
            Kind(kind),
            str(target_name),
            str(queue),
            int(priority),
            int(deadline_ms),
            Overlap(overlap),
            Missed(missed),
            int(catch_up),
            int(jitter_ms),
        )
    except (TypeError, ValueError) as error:
        raise Undecodable(f"not a schedule: {error}") from None


class Turn(NamedTuple):
    """What is to be done for a schedule now: slots to start, after ending what still runs if ``cancel``; how many slots
    were passed over since something still ran; the next slot, when to look again (``None``: never) and the slots that
    wait."""

    starts: Sequence[int]
    cancel: bool
    passed: int
    slot: int | None
    when: int | None
    waiting: Sequence[int]


def decide(schedule: Schedule, slot: int | None, waiting: Sequence[int], running: bool, now: int) -> Turn:
    """The turn of a schedule whose next slot is ``slot``; ``running``: what it started last has not ended.

    A slot counts as missed when the slot after it has come as well, or ten seconds have passed.
    """
    due: list[int] = []
    if slot is not None and schedule.when(slot) <= now:
        due, slot = _due(schedule, slot, now)
    starts, passed = due, 0
    match schedule.overlap:
        case Overlap.SKIP if running:
            starts, passed = [], len(due)
        case Overlap.QUEUE:
            pool = [*waiting, *due]
            starts = [] if running else pool[:1]
            waiting = pool[len(starts) :][: schedule.catch_up]
            passed = len(pool) - len(starts) - len(waiting)
        case _:
            pass
    when = None if slot is None else schedule.when(slot)
    if schedule.overlap is not Overlap.QUEUE:
        waiting = ()
    elif waiting:
        when = now + LOOK_AGAIN_MS if when is None else min(when, now + LOOK_AGAIN_MS)
    cancel = schedule.overlap is Overlap.CANCEL and running and bool(starts)
    return Turn(starts, cancel, passed, slot, when, waiting)


def _due(schedule: Schedule, slot: int, now: int) -> tuple[list[int], int | None]:
    """The slots that are to be started, and the one that comes next."""
    wanted = schedule.catch_up if schedule.missed is Missed.ALL else 1
    due = schedule.timing.newest(slot, now, wanted + 1)
    if not due:  # the zone's rules have changed since, so this is no slot any more
        return [], schedule.timing.after(slot)
    late = due.pop() if schedule.when(due[-1]) > now else None  # its jitter is not over
    due = due[-wanted:]
    if schedule.missed is Missed.SKIP and now - schedule.when(due[-1]) > GRACE_MS:
        return [], late or schedule.timing.after(due[-1])
    if len(due) > MOST_STARTS:
        return due[:MOST_STARTS], due[MOST_STARTS]
    return due, late or schedule.timing.after(due[-1])


def _digest(name: str, slot: int) -> int:
    return int.from_bytes(blake2b(f"{name}\n{slot}".encode(), digest_size=10).digest())
