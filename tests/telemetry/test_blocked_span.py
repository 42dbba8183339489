"""What blocks the event loop is an event of its attempt's span, while the span is open."""

from __future__ import annotations

import contextvars

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jobbers.core.events import AttemptEnded, AttemptStarted, LoopBlocked, Outcome
from jobbers.core.granularity import parse_granularity
from jobbers.telemetry.attempts import Attempts
from jobbers.telemetry.windows import Windows


def blocked(task_id: str, *, over: bool = False) -> LoopBlocked:
    return LoopBlocked("w", 1.5, task_id, "work", "File shop.py, line 7", over)


def test_a_span_event_while_it_blocks() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    attempts = Attempts(tracer, None, Windows(tracer), lambda _: parse_granularity("always"))

    def one_attempt() -> None:
        attempts.started(AttemptStarted("t1", "work", "default", 5, 1, 0, 0, 0, "w", {}))
        attempts.blocked(blocked("t1"))
        attempts.blocked(blocked("t2"))
        attempts.blocked(blocked("t1", over=True))
        attempts.ended(AttemptEnded("t1", "work", "default", 1, "w", Outcome.SUCCEEDED, 2.0, None))
        attempts.blocked(blocked("t1"))

    contextvars.copy_context().run(one_attempt)
    (span,) = exporter.get_finished_spans()
    (event,) = span.events
    assert event.name == "event loop blocked"
    assert dict(event.attributes or {}) == {
        "code.stacktrace": "File shop.py, line 7",
        "jobbers.blocked.seconds": 1.5,
    }
    assert attempts._spans == {}
