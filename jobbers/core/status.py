"""The life of a task: statuses, events, and the one table that says which event may happen when.

Everything else obeys this table. The scripts get it rendered in (:mod:`jobbers.store.scripts`), so the
server cannot disagree with Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a task stands."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        """Whether no worker will touch the task any more."""
        return self in FINAL


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.SKIPPED})


class Event(StrEnum):
    """What can happen to a task."""

    UNBLOCK = "unblock"
    PROMOTE = "promote"
    PARK = "park"
    CLAIM = "claim"
    FOLLOW = "follow"
    SUCCEED = "succeed"
    JOIN = "join"
    RETRY = "retry"
    SNOOZE = "snooze"
    SUSPEND = "suspend"
    RELEASE = "release"
    RECLAIM = "reclaim"
    FAIL = "fail"
    EXPIRE = "expire"
    SKIP = "skip"
    HOLD = "hold"
    CANCEL = "cancel"
    REQUEUE = "requeue"
    REVIVE = "revive"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: an event, the statuses it may start from and the one it leads to."""

    sources: frozenset[Status]
    target: Status


def _row(target: Status, *sources: Status) -> Transition:
    return Transition(frozenset(sources), target)


# A submit makes the record and so has no source: it starts as blocked, scheduled or queued.
TRANSITIONS: dict[Event, Transition] = {
    Event.UNBLOCK: _row(Status.QUEUED, Status.BLOCKED),
    Event.PROMOTE: _row(Status.QUEUED, Status.SCHEDULED),
    # It waits for a permit, before its lane or instead of an execution.
    Event.PARK: _row(Status.BLOCKED, Status.BLOCKED, Status.SCHEDULED, Status.QUEUED),
    Event.CLAIM: _row(Status.RUNNING, Status.QUEUED),
    Event.FOLLOW: _row(
        Status.RUNNING, Status.BLOCKED
    ),  # by the worker that has just ended what it waited for
    Event.SUCCEED: _row(Status.SUCCEEDED, Status.RUNNING),
    Event.JOIN: _row(Status.SUCCEEDED, Status.BLOCKED),  # a run whose tasks have ended: no worker has it
    Event.RETRY: _row(Status.SCHEDULED, Status.RUNNING),
    Event.SNOOZE: _row(Status.SCHEDULED, Status.RUNNING),
    Event.SUSPEND: _row(Status.BLOCKED, Status.RUNNING),  # it waits for tasks that it has started
    Event.RELEASE: _row(Status.QUEUED, Status.RUNNING),
    Event.RECLAIM: _row(Status.QUEUED, Status.RUNNING),
    Event.FAIL: _row(Status.FAILED, Status.RUNNING, Status.BLOCKED),
    Event.EXPIRE: _row(Status.FAILED, Status.SCHEDULED, Status.QUEUED),
    Event.SKIP: _row(Status.SKIPPED, Status.BLOCKED, Status.RUNNING),
    Event.HOLD: _row(Status.BLOCKED, Status.QUEUED),  # its run is paused
    Event.CANCEL: _row(Status.CANCELLED, Status.BLOCKED, Status.SCHEDULED, Status.QUEUED, Status.RUNNING),
    Event.REQUEUE: _row(Status.QUEUED, Status.FAILED, Status.CANCELLED),
    Event.REVIVE: _row(Status.BLOCKED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.SKIPPED),
}


def allows(event: Event, status: Status) -> bool:
    """Whether ``event`` may happen to a task in ``status``."""
    return status in TRANSITIONS[event].sources
