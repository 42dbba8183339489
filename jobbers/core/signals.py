"""What a task may raise to steer its own outcome. Signals, not errors."""

from __future__ import annotations

from jobbers.core.durations import Duration, to_ms


class Signal(Exception):
    """Base of the signals."""


class Fail(Signal):
    """``raise Fail("no such customer")``: fail now, whatever attempts are left."""

    def __init__(self, reason: str = "failed by the task") -> None:
        super().__init__(reason)
        self.reason = reason


class Snooze(Signal):
    """``raise Snooze(60)``: run again after a delay, without using an attempt.

    ``delay`` is in seconds or a timedelta; ``reason`` is kept in the record.
    """

    def __init__(self, delay: Duration, reason: str = "snoozed by the task") -> None:
        super().__init__(reason)
        self.delay_ms = to_ms(delay, "the delay of Snooze")
        self.reason = reason


class Skip(Signal):
    """``raise Skip("nothing new")``: end as skipped. In a run, what needs this task's result is skipped with it, and the
    run does not fail by it."""

    def __init__(self, reason: str = "skipped by the task") -> None:
        super().__init__(reason)
        self.reason = reason
