"""Consumer spans: one an attempt, or what the task type's granularity makes of it.

Events are told inside the attempt's own asyncio task, so a span that is attached here is around what the function does,
and ends with that task's context: nothing has to be detached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from jobbers.core.events import AttemptEnded, AttemptStarted, LoopBlocked, Outcome, TaskReclaimed
from jobbers.core.granularity import AutoSwitch, Granularity, Kind
from jobbers.core.text import cut
from jobbers.core.trace_context import RUN_HEADER, TRACEPARENT, TRACESTATE
from jobbers.telemetry import names
from jobbers.telemetry.exceptions import LONGEST_STACK, kind_of, told
from jobbers.telemetry.identity import (
    ForetoldIds,
    attempt_context,
    attempt_span,
    context_of,
    sampled_in,
    trace_of,
)
from jobbers.telemetry.windows import Windows

LONGEST_ID = 200
"""Characters of what headers say of the run; whoever submits by HTTP may write those."""
ERRORS = {Outcome.FAILED, Outcome.RETRIED}
UNFINISHED = {Outcome.RELEASED, Outcome.SUSPENDED}
"""After these the same execution comes again, and only its last span may have the id that others can foretell."""


class Open(NamedTuple):
    """An attempt that runs, and its span if it has one of its own from the beginning."""

    started: AttemptStarted
    parent: Context
    span: Span | None


_open: ContextVar[Open | None] = ContextVar("jobbers_open_attempt", default=None)


def attempt_here() -> dict[str, AttributeValue]:
    """Which attempt the caller's code runs in, as attributes; empty outside."""
    opened = _open.get()
    if opened is None:
        return {}
    event = opened.started
    return {
        names.MESSAGE_ID: event.id,
        names.TASK_TYPE: event.type,
        names.TASK_ATTEMPT: event.attempt,
        names.DESTINATION: event.queue,
    }


class Attempts:
    """Turns :class:`AttemptStarted` and :class:`AttemptEnded` into spans."""

    def __init__(
        self,
        tracer: Tracer,
        ids: ForetoldIds | None,
        windows: Windows,
        granularity_of: Callable[[str], Granularity],
    ) -> None:
        self._tracer = tracer
        self._ids = ids
        self._windows = windows
        self._granularity_of = granularity_of
        self._attempts: dict[str, AutoSwitch] = {}
        self._errors: dict[str, AutoSwitch] = {}
        self._spans: dict[str, Span] = {}

    def started(self, event: AttemptStarted) -> None:
        """Begin the attempt's span, or at least put what it does into the trace that it was submitted in."""
        granularity = self._granularity_of(event.type)
        if granularity.kind is Kind.OFF:
            return
        parent = context_of(event.headers)
        span = None
        if self._individually(event, granularity, parent):
            span = self._span(event, parent, self._link(event, parent))
        _open.set(Open(event, parent, span))
        if span is not None:
            self._spans[event.id] = span
            context.attach(set_span_in_context(span, parent))
        elif parent:
            context.attach(parent)

    def ended(self, event: AttemptEnded) -> Span | None:
        """End it. Returns the attempt's span if it has one, for the metrics to point to."""
        opened = _open.get()
        if opened is None or opened.started.id != event.id:
            return None
        took = self._attempts.get(event.type)
        if took is not None:
            took.took(event.seconds)
        if opened.span is not None:
            if self._spans.get(event.id) is opened.span:  # the next attempt may be here already
                del self._spans[event.id]
            return self._end(opened, opened.span, event)
        return self._afterwards(opened, event)

    def reclaimed(self, event: TaskReclaimed) -> None:
        """Make the span that a dead worker could not end, under the id that it had: what is inside it nests there,
        and the next attempt links to it."""
        granularity = self._granularity_of(event.type)
        if not event.queue or granularity.kind in (Kind.OFF, Kind.BATCH):
            return
        parent, now = context_of(event.headers), time.time_ns()
        lost = AttemptStarted(
            event.id,
            event.type,
            event.queue,
            0,
            event.attempt,
            0,
            event.snoozes,
            0,
            event.worker,
            event.headers,
        )
        if granularity.kind is Kind.AUTO:
            switch = self._errors.setdefault(event.type, AutoSwitch())
            wanted = not switch.begun(time.monotonic()) and sampled_in(parent) is not False
        else:
            wanted = granularity.kind in (Kind.SLOW, Kind.ERRORS) or self._individually(
                lost, granularity, parent
            )
        if not wanted:
            return
        began = min(event.started_ms * 1_000_000 or now, now)
        span = self._span(lost, parent, self._link(lost, parent), began)
        span.set_attribute(names.TASK_OUTCOME, Outcome.LOST.value)
        span.set_attribute(names.ERROR_TYPE, "WorkerLost")
        span.set_status(Status(StatusCode.ERROR, "WorkerLost"))
        span.end(now)

    def blocked(self, event: LoopBlocked) -> None:
        """Note it in the attempt's span while it blocks, on the thread that has seen it."""
        span = self._spans.get(event.id)
        if span is not None and not event.over:
            span.add_event(
                "event loop blocked",
                {names.STACK: cut(event.stack, LONGEST_STACK), names.BLOCKED: event.seconds},
            )

    def _individually(self, event: AttemptStarted, granularity: Granularity, parent: Context) -> bool:
        """Whether the attempt has a span of its own from the beginning."""
        kind = granularity.kind
        if kind is Kind.AUTO:
            switch = self._attempts.get(event.type)
            if switch is None:
                switch = self._attempts[event.type] = AutoSwitch()
            return not switch.begun(time.monotonic()) and sampled_in(parent) is not False
        if kind is Kind.ALWAYS:
            return sampled_in(parent) is not False
        if kind is Kind.RATIO:
            sampled = sampled_in(parent)
            return trace_of(event.id) / 2**128 < granularity.ratio if sampled is None else sampled
        return False

    def _afterwards(self, opened: Open, event: AttemptEnded) -> Span | None:
        """What becomes of an attempt whose span was left open whether it is worth making."""
        granularity = self._granularity_of(event.type)
        kind = granularity.kind
        wrong = event.outcome is Outcome.FAILED or event.outcome is Outcome.RETRIED
        wanted = False
        if kind is Kind.AUTO or kind is Kind.BATCH:
            self._windows.add(event, _trace(opened.started.headers))
            if wrong and kind is Kind.AUTO:
                wanted = not self._errors.setdefault(event.type, AutoSwitch()).begun(time.monotonic())
        elif kind is Kind.SLOW:
            wanted = wrong or event.seconds * 1000 >= granularity.slow_ms
        elif kind is Kind.ERRORS:
            wanted = wrong
        if not wanted:
            return None
        return self._made_afterwards(opened, event)

    def _made_afterwards(self, opened: Open, event: AttemptEnded) -> Span:
        began = time.time_ns() - int(event.seconds * 1e9)
        link = self._link(opened.started, opened.parent)
        span = self._span(
            opened.started, opened.parent, link, began, foretold=event.outcome not in UNFINISHED
        )
        _conclude(span, event)
        span.end()
        return span

    def _end(self, opened: Open, span: Span, event: AttemptEnded) -> Span:
        if event.outcome in UNFINISHED and self._ids is not None:
            return self._made_afterwards(opened, event)
        _conclude(span, event)
        span.end()
        return span

    def _span(
        self,
        event: AttemptStarted,
        parent: Context,
        links: list[Link],
        began_ns: int | None = None,
        *,
        foretold: bool = True,
    ) -> Span:
        attributes: dict[str, AttributeValue] = {
            names.SYSTEM: "jobbers",
            names.DESTINATION: event.queue,
            names.MESSAGE_ID: event.id,
            names.OPERATION: "process",
            names.OPERATION_TYPE: "process",
            names.CLIENT_ID: event.worker,
            names.TASK_TYPE: event.type,
            names.TASK_ATTEMPT: event.attempt,
            names.TASK_PRIORITY: event.priority,
        }
        if event.crashes:
            attributes[names.TASK_CRASHES] = event.crashes
        if event.snoozes:
            attributes[names.TASK_SNOOZES] = event.snoozes
        if RUN_HEADER in event.headers:
            attributes[names.RUN_ID] = cut(event.headers[RUN_HEADER], LONGEST_ID)
        if self._ids is not None and foretold:
            trace_id = 0 if parent else trace_of(event.id)
            self._ids.foretell(trace_id, attempt_span(event.id, event.attempt + event.snoozes))
        return self._tracer.start_span(
            f"process {event.queue}", parent, SpanKind.CONSUMER, attributes, links, start_time=began_ns
        )

    def _link(self, event: AttemptStarted, parent: Context) -> list[Link]:
        """A link to the execution before this one, whichever worker it was on."""
        before = event.attempt + event.snoozes - 1
        if before < 1 or self._ids is None:
            return []
        upstream = get_current_span(parent).get_span_context()
        trace_id = upstream.trace_id if upstream.is_valid else trace_of(event.id)
        return [Link(attempt_context(trace_id, event.id, before), {"jobbers.link": "previous attempt"})]


def _conclude(span: Span, event: AttemptEnded) -> None:
    span.set_attribute(names.TASK_OUTCOME, event.outcome.value)
    if event.error is not None and event.outcome in ERRORS:
        kind = kind_of(event.error)
        span.set_attribute(names.ERROR_TYPE, kind)
        span.add_event("exception", told(event.error))
        span.set_status(Status(StatusCode.ERROR, kind))


def _trace(headers: Mapping[str, str]) -> dict[str, str] | None:
    if TRACEPARENT not in headers:
        return None
    return {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if name in headers}
