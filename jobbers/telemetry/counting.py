"""What each event adds to the metrics; and telemetry that does no more than that, for a worker that is only asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobbers.core.events import (
    AttemptEnded,
    AttemptStarted,
    BatchStarted,
    Dispatcher,
    Event,
    FinishRefused,
    LeaseLost,
    LimitMeasured,
    LoopBlocked,
    QueueMeasured,
    RunsCounted,
    ScheduleFired,
    ScriptCalled,
    SpreadMeasured,
    TaskReclaimed,
    TasksClaimed,
    TasksCounted,
    TaskSubmitted,
    WorkerPulse,
    WorkerStopped,
)
from jobbers.telemetry.metrics import Metrics

Handlers = dict[type, Callable[[Any], None]]


def handlers(metrics: Metrics) -> Handlers:
    """By the kind of event; the end of an attempt is counted without its span."""
    return {
        AttemptStarted: metrics.started,
        AttemptEnded: lambda event: metrics.ended(event, None),
        TaskSubmitted: metrics.submitted,
        FinishRefused: metrics.refused,
        LeaseLost: metrics.lost,
        TaskReclaimed: metrics.reclaimed,
        WorkerPulse: metrics.pulse,
        WorkerStopped: metrics.stopped,
        LoopBlocked: metrics.blocked,
        ScriptCalled: metrics.script,
        TasksClaimed: metrics.claimed,
        BatchStarted: metrics.batch,
        ScheduleFired: metrics.fired,
        QueueMeasured: metrics.measured,
        TasksCounted: metrics.counted,
        LimitMeasured: metrics.limited,
        SpreadMeasured: metrics.spread,
        RunsCounted: metrics.runs,
    }


class Counting:
    """See :class:`jobbers.telemetry.ports.Telemetry`: metrics without spans, which nobody sends anywhere."""

    outbound = None
    inbound = None

    def __init__(self, events: Dispatcher) -> None:
        self.metrics = Metrics()
        self._handlers = handlers(self.metrics)
        events.subscribe(self._heard)

    def send_logs(self) -> None:
        """See the port; nothing is sent."""

    def flush(self, seconds: float) -> None:
        """See the port; there is nothing to send."""

    def _heard(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
