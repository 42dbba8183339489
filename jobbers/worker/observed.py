"""Executions as events tell of them."""

from __future__ import annotations

import time

from jobbers.core.events import AttemptEnded, AttemptStarted, Outcome
from jobbers.core.status import Event
from jobbers.worker.execution import Execution

OUTCOMES = {
    Event.FAIL: Outcome.FAILED,
    Event.RETRY: Outcome.RETRIED,
    Event.SKIP: Outcome.SKIPPED,
    Event.SNOOZE: Outcome.SNOOZED,
}
"""What was decided about an attempt that did not succeed, as an outcome."""


def started(execution: Execution) -> AttemptStarted:
    """An execution that begins."""
    claimed = execution.claimed
    return AttemptStarted(
        claimed.id,
        execution.type.name,
        claimed.queue,
        claimed.priority,
        claimed.attempt,
        claimed.crashes,
        claimed.snoozes,
        claimed.created,
        execution.context.worker,
        execution.context.headers,
    )


def ended(execution: Execution) -> AttemptEnded:
    """An execution that has ended, and been settled."""
    claimed = execution.claimed
    return AttemptEnded(
        claimed.id,
        execution.type.name,
        claimed.queue,
        claimed.attempt,
        execution.context.worker,
        execution.outcome,
        time.monotonic() - execution.started,
        execution.error,
        claimed.created,
    )
