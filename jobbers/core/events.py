"""The catalogue of events: what a worker and a client tell whoever listens. ``docs/telemetry.md`` shows it as a table.

Listening is ``app.events.subscribe(callback, AttemptEnded, ...)``. While nobody does, an event costs the place where it
would be told one look at ``None``. No event holds arguments or results.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

log = logging.getLogger("jobbers.events")

COMPLAINT_SECONDS = 60.0
"""How often a subscriber that raises is told of in the log."""


class Outcome(StrEnum):
    """How one attempt ended, as its worker saw it."""

    SUCCEEDED = "succeeded"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    FAILED = "failed"
    SKIPPED = "skipped"
    RELEASED = "released"
    SUSPENDED = "suspended"
    LOST = "lost"


class TaskSubmitted(NamedTuple):
    """The server has taken a task (or had it already under this id). Not told when another holds its unique key."""

    id: str
    type: str
    queue: str
    priority: int
    delayed: bool


class RunSubmitted(NamedTuple):
    """The server has taken a run, with so many tasks that are known from its start."""

    id: str
    name: str
    tasks: int


class AttemptStarted(NamedTuple):
    """A worker begins to run a task. ``created_ms`` is when it was submitted, by the server's clock."""

    id: str
    type: str
    queue: str
    priority: int
    attempt: int
    crashes: int
    snoozes: int
    created_ms: int
    worker: str
    headers: Mapping[str, str]


class AttemptEnded(NamedTuple):
    """A worker has run a task for so many seconds. The server may yet refuse it: see :class:`FinishRefused`.
    ``created_ms`` is when it was submitted, by the server's clock; 0 if unknown."""

    id: str
    type: str
    queue: str
    attempt: int
    worker: str
    outcome: Outcome
    seconds: float
    error: BaseException | None
    created_ms: int = 0


class FinishRefused(NamedTuple):
    """The server has refused what a worker wrote about a task that had moved on: the fence has held."""

    id: str
    verb: str


class LeaseLost(NamedTuple):
    """A worker ends an execution since the task is not its own any more, or was cancelled."""

    id: str
    type: str
    worker: str
    why: str


class TaskReclaimed(NamedTuple):
    """A task was taken back from a dead worker; ``poison``: it has become a dead letter by that. The rest is
    about the execution that is lost, by the server's clock; empty where the record was gone, or could not be read."""

    id: str
    worker: str
    poison: bool
    type: str = ""
    queue: str = ""
    attempt: int = 0
    snoozes: int = 0
    started_ms: int = 0
    headers: Mapping[str, str] = MappingProxyType({})


class WorkerStarted(NamedTuple):
    """A worker begins to claim."""

    worker: str
    queues: tuple[str, ...]
    concurrency: int


class WorkerStopped(NamedTuple):
    """A worker has written all that it had, or has given up doing so."""

    worker: str


class WorkerPulse(NamedTuple):
    """Every two seconds: how many slots are taken, by how much the event loop woke too late, and what the process has used
    since it started; 0 bytes where the system does not tell."""

    worker: str
    busy: int
    slots: int
    lag_seconds: float
    cpu_seconds: float
    memory_bytes: int


class LoopBlocked(NamedTuple):
    """Code blocks a worker's event loop, that of the task ``id`` unless that is empty. Told from a thread, when it has
    blocked for the setting ``block_warning``, and once more when it is ``over``. ``stack`` is where it was at first."""

    worker: str
    seconds: float
    id: str
    type: str
    stack: str
    over: bool


class ScriptCalled(NamedTuple):
    """A script of the server was called, and has answered or failed; reconnecting and sending it again are included."""

    name: str
    seconds: float


class TasksClaimed(NamedTuple):
    """One claim has brought so many tasks, one or more."""

    worker: str
    tasks: int


class BatchStarted(NamedTuple):
    """A function that takes many tasks at once is called with so many."""

    type: str
    tasks: int


class ScheduleFired(NamedTuple):
    """A slot of a schedule was started so many seconds after its time."""

    name: str
    late_seconds: float


class TasksCounted(NamedTuple):
    """How many tasks are ``scheduled``, ``running`` or ``dead``; told every ten seconds, by one worker of the cluster."""

    status: str
    tasks: int


class LimitMeasured(NamedTuple):
    """How a limit or a rate stands: permits that are taken, of all keys for which somebody waits, and tasks that wait; told
    every ten seconds, by one worker of the cluster."""

    limit: str
    used: int
    waiting: int


class SpreadMeasured(NamedTuple):
    """How evenly tasks lay that ended in the last five minutes: those of a type over its ``queues``, or (without a type)
    all over the ``shards``. ``skew`` is the share of the fullest part times the number of parts: 1 is even. Told every
    ten seconds, by one worker of the cluster."""

    over: str
    type: str
    parts: int
    skew: float


class RunsCounted(NamedTuple):
    """How many runs of a graph ended with an outcome in the last whole minute; told every ten seconds, by one worker of the
    cluster."""

    name: str
    outcome: str
    runs: int


class QueueMeasured(NamedTuple):
    """How a queue stands; told every ten seconds, by one worker of the cluster."""

    queue: str
    depth: int
    oldest_seconds: float
    paused: bool


Event = (
    TaskSubmitted
    | RunSubmitted
    | AttemptStarted
    | AttemptEnded
    | FinishRefused
    | LeaseLost
    | TaskReclaimed
    | WorkerStarted
    | WorkerStopped
    | WorkerPulse
    | LoopBlocked
    | ScriptCalled
    | TasksClaimed
    | BatchStarted
    | ScheduleFired
    | QueueMeasured
    | TasksCounted
    | LimitMeasured
    | SpreadMeasured
    | RunsCounted
)
Subscriber = Callable[[Any], None]
Tell = Callable[[Event], None]


class Dispatcher:
    """Tells subscribers of events, at once and on the thread where they happen.

    :attr:`tell` is ``None`` while nobody listens, so the place of an event is ``if (tell := events.tell) is not None``. A
    subscriber must be quick, for it runs on the event loop. One that raises changes nothing: that is logged, once a minute.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._subscribers: tuple[tuple[Subscriber, tuple[type, ...]], ...] = ()
        self._complained: dict[Subscriber, float] = {}
        self.tell: Tell | None = None

    def subscribe(self, subscriber: Subscriber, *kinds: type) -> Callable[[], None]:
        """Call ``subscriber`` with every event, or those of the given kinds. Returns what ends that."""
        entry = (subscriber, kinds)
        self._subscribers = (*self._subscribers, entry)
        self.tell = self._tell

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not entry)
            self.tell = self._tell if self._subscribers else None

        return unsubscribe

    def _tell(self, event: Event) -> None:
        for subscriber, kinds in self._subscribers:
            if kinds and not isinstance(event, kinds):
                continue
            try:
                subscriber(event)
            except Exception as error:
                self._complain(subscriber, event, error)

    def _complain(self, subscriber: Subscriber, event: Event, error: Exception) -> None:
        now = self._clock()
        if now - self._complained.get(subscriber, -COMPLAINT_SECONDS) >= COMPLAINT_SECONDS:
            self._complained[subscriber] = now
            log.error(
                "a subscriber of events failed at %s; tasks go on", type(event).__name__, exc_info=error
            )
