"""What workers write of executions, one row each."""

from __future__ import annotations

from typing import NamedTuple

MAX_BATCH = 500
"""Most tasks in one script call: keeps the server's other callers waiting for some milliseconds at most."""
MAX_BATCH_BYTES = 4 * 1024 * 1024


class RetryBudget(NamedTuple):
    """``share``: how many retries there may be, of a million first attempts; 0 is any number. One may be every ``pace_us``
    in any case. Of each shard."""

    share: int = 0
    pace_us: int = 0


class Success(NamedTuple):
    """An execution that ended well. ``where`` is ``result`` for a value, ``blob`` for the name of an offloaded one."""

    id: str
    owner: str
    retention_ms: int
    where: str
    value: bytes


class Succession(NamedTuple):
    """An execution that ended well, and the task that its worker would go on with."""

    id: str
    owner: str
    retention_ms: int
    where: str
    value: bytes
    heir: str


class Failure(NamedTuple):
    """An execution that ended the task as failed; ``cause`` is that of :class:`jobbers.core.decide.Decision`."""

    id: str
    owner: str
    retention_ms: int
    reason: str
    report: bytes
    cause: str = ""


class Retrial(NamedTuple):
    """An execution to be repeated after ``delay_ms``; ``cause`` as for :class:`Failure`."""

    id: str
    owner: str
    delay_ms: int
    reason: str
    report: bytes
    cause: str = ""


class Skipping(NamedTuple):
    """An execution that ended the task as skipped."""

    id: str
    owner: str
    retention_ms: int
    reason: str


class Postponement(NamedTuple):
    """An execution that is put back for ``delay_ms`` without using an attempt."""

    id: str
    owner: str
    delay_ms: int
    reason: str


class Beat(NamedTuple):
    """Where an execution is; the last two are ms or ``""``."""

    id: str
    owner: str
    step: str
    progress: float | str
    overdue_ms: int | str
    slow_ms: int | str
