"""Attempts that are told of together: one span a window for each type, queue and outcome."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Tracer

from jobbers.core.events import AttemptEnded, Outcome
from jobbers.telemetry import names
from jobbers.telemetry.histogram import Histogram
from jobbers.telemetry.identity import span_context

WINDOW_SECONDS = 10.0
MOST_LINKS = 10


@dataclass(slots=True)
class Window:
    """What came together."""

    began_ns: int
    histogram: Histogram = field(default_factory=Histogram)
    ended_ns: int = 0
    errors: int = 0
    traces: list[dict[str, str]] = field(default_factory=list)


class Windows:
    """Adds on the event loop, and makes spans on the thread that calls :meth:`flush`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str, str, str], Window] = {}
        self._opened = time.monotonic()

    def add(self, event: AttemptEnded, trace: dict[str, str] | None) -> None:
        """Count an attempt; ``trace`` is where it was submitted, for a link."""
        now = time.time_ns()
        key = event.type, event.queue, event.outcome.value, event.worker
        with self._lock:
            window = self._open.get(key)
            if window is None:
                window = self._open[key] = Window(now - int(event.seconds * 1e9))
            window.ended_ns = now
            window.histogram.add(event.seconds)
            window.errors += event.error is not None and event.outcome in (Outcome.FAILED, Outcome.RETRIED)
            if trace and len(window.traces) < MOST_LINKS and trace not in window.traces:
                window.traces.append(trace)

    def flush(self, *, now: bool = False) -> None:
        """Make a span of each window that is long enough, or of all."""
        if not now and time.monotonic() - self._opened < WINDOW_SECONDS:
            return
        with self._lock:
            windows, self._open = self._open, {}
            self._opened = time.monotonic()
        for (type_, queue, outcome, worker), window in windows.items():
            self._tell(type_, queue, outcome, worker, window)

    def _tell(self, type_: str, queue: str, outcome: str, worker: str, window: Window) -> None:
        histogram = window.histogram
        attributes: dict[str, str | int | float | bool] = {
            names.SYSTEM: "jobbers",
            names.DESTINATION: queue,
            names.OPERATION: "process",
            names.OPERATION_TYPE: "process",
            names.CLIENT_ID: worker,
            names.TASK_TYPE: type_,
            names.TASK_OUTCOME: outcome,
            names.AGGREGATED: True,
            names.MESSAGE_COUNT: histogram.count,
            names.ERRORS: window.errors,
            names.DURATION_MIN: histogram.low,
            names.DURATION_MAX: histogram.high,
            names.DURATION_P50: histogram.percentile(0.5),
            names.DURATION_P95: histogram.percentile(0.95),
            names.DURATION_P99: histogram.percentile(0.99),
        }
        found = [span_context(trace) for trace in window.traces]
        links = [Link(one) for one in found if one is not None]
        span = self._tracer.start_span(
            f"process {queue}", Context(), SpanKind.CONSUMER, attributes, links, start_time=window.began_ns
        )
        span.end(window.ended_ns)
