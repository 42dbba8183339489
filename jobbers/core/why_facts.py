"""What is known of why a task waits, and what is made of it: see :mod:`jobbers.core.why`. Times are ms of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from jobbers.core.status import Status
from jobbers.core.task import TaskRecord

SILENT_SECONDS = 10.0
"""A worker that has said nothing for longer does not count as alive."""
SHOWN = 5
"""How many tasks or nodes a text names."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that a task waits for. ``code`` is stable, ``text`` says it to people, and ``facts`` has its numbers and
    names. ``task`` is the task that it is about, where that is another: a node of the run that was asked for."""

    code: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task or run does not run: the ``primary`` reason, and the ``others`` that would hold it up next. ``waits`` is
    false for one that runs or has ended; the reason then says that."""

    id: str
    type: str
    status: Status
    waits: bool
    primary: Reason
    others: Sequence[Reason] = ()


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker as it last said: the queues that it serves, how many of the slots for the task's queue are free, and
    for how many seconds it has been silent."""

    name: str
    queues: Sequence[str]
    role: str
    slots: int
    free: int
    silent: float
    stopping: bool
    paused: bool = False
    """Told to claim nothing; what is due it still moves into its lane."""

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self.silent < SILENT_SECONDS and not self.stopping


@dataclass(frozen=True, slots=True)
class LanePlace:
    """Where a task lies: ``ahead`` ready tasks before it in its lane (a guess unless ``exact``), of ``depth`` in all, and
    ``higher`` ones of its queue with a higher priority."""

    ahead: int
    exact: bool
    depth: int
    higher: int


@dataclass(frozen=True, slots=True)
class GateState:
    """A limit (``per_ms`` 0), a rate, a turn (``turn``) or a breaker (``breaker``) that a task has to
    pass. ``used`` permits of ``most`` are taken,
    by ``held_by`` (some of them); the task needs ``weight``, and has them if it ``holds``. ``waiting`` tasks stand in
    line, and it is at ``place`` (from 1 on) if it is among them. ``back`` are the next starts of a rate that come back:
    when, and how many permits each; ``step`` is the time from one to the next of a rate that is spread evenly. A breaker is
    closed if ``open_ms`` is ``None``, open for so many ms (-1: until it is reset), half-open if it is 0;
    permits are probes."""

    name: str
    weight: int
    most: int
    used: int
    per_ms: int = 0
    step: float = 0.0
    amount: int = 0
    turn: bool = False
    holds: bool = False
    held_by: Sequence[str] = ()
    waiting: int = 0
    place: int | None = None
    back: Sequence[tuple[int, int]] = ()
    breaker: bool = False
    open_ms: int | None = None

    @property
    def full(self) -> bool:
        """Whether it would hold the task up now."""
        if self.breaker and self.open_ms != 0:
            return self.open_ms is not None
        return not self.holds and self.used + min(self.weight, self.most) > self.most

    @property
    def limit(self) -> str:
        """The name without the value of its key."""
        return self.name.partition("=")[0].removeprefix("!")

    @property
    def key(self) -> str | None:
        """The value of its key; ``None`` if it has none."""
        _, separator, key = self.name.partition("=")
        return unquote(key) if separator else None


@dataclass(frozen=True, slots=True)
class Other:
    """Another task that matters: a node that is waited for, what a task has started. ``status`` ``None``: it has expired,
    or is not to be seen by who asks."""

    id: str
    name: str
    status: Status | None
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Items:
    """How far a map is: see :class:`jobbers.store.maps.MapProgress`. At most ``window`` items are under way."""

    total: int
    begun: int
    done: int
    open: int
    window: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of why a task waits. ``parked`` names the gate in whose line it stands; ``waits_for`` counts the
    ends that it has to hear of, ``need`` the successes where its trigger counts those; ``parents`` are the nodes before
    it that have not ended, ``nodes`` those of a run. ``strike`` is one that is on it, with what it does."""

    record: TaskRecord
    now: int
    lane: LanePlace | None = None
    paused: bool = False
    draining: bool = False
    workers: Sequence[WorkerState] = ()
    roles: Sequence[str] = ()
    gates: Sequence[GateState] = ()
    parked: str | None = None
    waits_for: int = 0
    need: int | None = None
    parents: Sequence[Other] = ()
    run_paused: bool = False
    items: Items | None = None
    started: Other | None = None
    nodes: Sequence[Other] = ()
    is_run: bool = False
    strike: tuple[str, str] | None = None
