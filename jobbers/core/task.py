"""What is asked (:class:`TaskSpec`), who may write (:class:`Claimed`), what is known (:class:`TaskRecord`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from jobbers.core.glimpse import glimpse
from jobbers.core.status import Status

GLIMPSE = 120
KNOWN_MS = 600_000
"""For how long an id is known again that made no task, since another stands for it."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where and when a task goes: what all tasks of one call to ``map`` have in common, compared by identity.

    ``delay_ms`` counts from the server's now; ``at_ms`` is absolute and wins; ``deadline_ms`` is the time left to start;
    ``retention_ms`` is how long a record stays that is cancelled to make room for one of these tasks.
    ``collapse`` is how tasks with one key come to one: ``d`` by a debounce, ``t`` by a throttle, ``l`` by one with the last
    task at the end of the period; ``""``: they do not.
    ``chosen`` names which of ``priority`` and ``deadline`` its submitter has said: nothing live takes their place.
    """

    type: str
    queue: str
    priority: int
    delay_ms: int = 0
    at_ms: int = 0
    deadline_ms: int = 0
    unique_key: str = ""
    unique_scope: str = ""
    unique_ttl_ms: int = 0
    retention_ms: int = 0
    collapse: str = ""
    wait_ms: int = 0
    max_wait_ms: int = 0
    chosen: frozenset[str] = frozenset()

    @cached_property
    def head(self) -> tuple[str | int, ...]:
        """The placement as the store's script takes it."""
        lane = f"{self.queue}:{self.priority}"
        if self.collapse:
            return (
                lane,
                self.type,
                self.deadline_ms,
                self.collapse,
                self.wait_ms,
                self.max_wait_ms,
                KNOWN_MS,
            )
        return (
            lane,
            self.type,
            self.delay_ms,
            self.at_ms,
            self.deadline_ms,
            self.unique_key,
            self.unique_scope[:1],
            self.unique_ttl_ms,
        )


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task to submit: its id, its placement, its encoded arguments and headers, and the gates that it has to pass;
    ``key`` is what it is debounced or throttled by."""

    id: str
    placement: Placement
    envelope: bytes
    gates: str = ""
    key: str = ""

    @property
    def script(self) -> str:
        """Which script of the store makes it."""
        if self.placement.collapse:
            return "collapse"
        return "submit_gated" if self.gates else "submit"

    @property
    def head(self) -> tuple[str | int, ...]:
        """What the script takes once for all tasks of a placement."""
        head = self.placement.head
        return (*head, self.placement.retention_ms) if self.script == "submit_gated" else head

    @property
    def row(self) -> tuple[str | bytes, ...]:
        """The task as the script takes it, behind the head."""
        if self.placement.collapse:
            return (self.id, self.key, self.envelope, self.gates)
        return (self.id, self.envelope, self.gates) if self.gates else (self.id, self.envelope)


class Claimed(NamedTuple):
    """One execution that a worker may make. ``owner`` is the fence: every later write must name it.

    ``created`` is in ms of the server's clock; ``attempt`` counts executions, this one included; ``crashes`` those that
    ended with their worker; ``snoozes`` how often the task was put back without using an attempt.
    """

    id: str
    owner: str
    type: str
    queue: str
    priority: int
    attempt: int
    crashes: int
    snoozes: int
    created: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class AttemptError:
    """How one attempt went wrong. ``traceback`` is bounded; times are of the worker, for reading only."""

    attempt: int
    type: str
    message: str
    traceback: str
    worker: str
    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What the store knows of a task. Times are of the server's clock; absent things are ``None``.

    ``arguments`` and ``keywords`` are decoded without their types; a result that lies in the blob store or was not asked
    for is not here. ``liveness`` tells a running task's health: ``running``, ``slow`` or ``stalled``.
    ``run`` and ``node`` say of which run it is; a run that is paused, and what would start in it, is ``held``.
    """

    id: str
    type: str
    status: Status
    queue: str
    priority: int
    created: datetime
    attempt: int = 0
    crashes: int = 0
    snoozes: int = 0
    reason: str | None = None
    due: datetime | None = None
    deadline: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    worker: str | None = None
    step: str | None = None
    progress: float | None = None
    heartbeat: datetime | None = None
    liveness: str | None = None
    unique_key: str | None = None
    run: str | None = None
    node: str | None = None
    held: bool = False
    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[AttemptError] = ()

    @property
    def error(self) -> AttemptError | None:
        """The last error."""
        return self.errors[-1] if self.errors else None

    @property
    def glimpse(self) -> str:
        """Its arguments in a line, up to 120 characters; in lists, empty for long ones."""
        text = glimpse(self.arguments, self.keywords)
        return text if len(text) <= GLIMPSE else f"{text[: GLIMPSE - 1]}…"
