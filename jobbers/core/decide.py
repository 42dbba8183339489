"""What becomes of an attempt that did not succeed: decided purely, written once.

:func:`decide` is the only place where retry or fail is decided.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobbers.core.policy import NO_RETRY, Policy, Retry
from jobbers.core.signals import Fail, Skip, Snooze
from jobbers.core.status import Event

UNKNOWN_TYPE_SNOOZES = 12
"""How often a task of an unknown type is put back before it becomes a dead letter: about an hour in all."""

_FIRST_UNKNOWN_WAIT_MS = 1_000
_LONGEST_UNKNOWN_WAIT_MS = 600_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write: the event, the wait before the next execution, and why. ``report`` keeps the error in the record.
    ``cause`` is ``timeout`` or ``silent`` when the worker had ended the attempt for that; else it is for breakers:
    :data:`ANSWERED`, :data:`APART` or nothing."""

    event: Event
    delay_ms: int
    reason: str
    report: bool
    cause: str = ""


class TimedOut(Exception):
    """An execution ran longer than its type's timeout."""


class HeartbeatMissed(Exception):
    """A running task was silent for longer than its type's heartbeat allows."""


CAUSES: dict[type[BaseException], str] = {TimedOut: "timeout", HeartbeatMissed: "silent"}
"""For what a worker ends attempts, as it is counted."""
ANSWERED = "answered"
"""The cause of what the type's breaker does not count as a failure: what it guards has answered."""
APART = "apart"
"""The cause of what says nothing about what a breaker guards, since the function was not called or did not end."""


def decide(policy: Policy, failures: int, error: BaseException, chance: float) -> Decision:
    """Retry, snooze, skip or fail after an attempt that raised ``error``.

    ``failures`` counts the attempts used up, this one included (crashes have a budget of their own and do not count);
    ``chance`` is uniform in [0, 1) and only used for jitter.
    """
    if isinstance(error, Snooze):
        return Decision(Event.SNOOZE, error.delay_ms, error.reason, report=False)
    if isinstance(error, Skip):
        return Decision(Event.SKIP, 0, error.reason, report=False)
    cause = next((text for kind, text in CAUSES.items() if isinstance(error, kind)), "")
    if not cause and policy.breaker_on is not None and not isinstance(error, policy.breaker_on):
        cause = ANSWERED
    if isinstance(error, Fail):
        return Decision(Event.FAIL, 0, error.reason, report=True, cause=cause)
    rule = policy.retry
    if isinstance(error, Retry):
        rule = error if rule is NO_RETRY else rule
    if not isinstance(error, Retry) and not rule.covers(error):
        return Decision(Event.FAIL, 0, f"{type(error).__name__} is not retried", report=True, cause=cause)
    reason = f"attempt {failures} of {rule.attempts} failed"
    if failures >= rule.attempts:
        return Decision(Event.FAIL, 0, reason, report=True, cause=cause)
    wait = rule.wait_ms(failures, chance)
    if isinstance(error, Retry) and error.after_ms is not None:
        wait = error.after_ms
    return Decision(Event.RETRY, wait, reason, report=True, cause=cause)


def decide_unknown_type(task_type: str, snoozes: int) -> Decision:
    """Put a task back for a worker that knows its type, with a growing delay; in the end fail it."""
    if snoozes >= UNKNOWN_TYPE_SNOOZES:
        reason = f"no worker knows task type {task_type!r} (put back {snoozes} times)"
        return Decision(Event.FAIL, 0, reason, report=False, cause=APART)
    wait = min(_FIRST_UNKNOWN_WAIT_MS << snoozes, _LONGEST_UNKNOWN_WAIT_MS)
    return Decision(Event.SNOOZE, wait, f"this worker does not know task type {task_type!r}", report=False)
