"""Producer spans: submissions, and the headers by which workers go on with their traces."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.util.types import AttributeValue

from jobbers.core.granularity import AutoSwitch, Granularity, Kind
from jobbers.core.trace_context import TRACEPARENT, inherited
from jobbers.telemetry import names
from jobbers.telemetry.exceptions import kind_of
from jobbers.telemetry.identity import context_of, headers_of, recorded
from jobbers.telemetry.inbound import begun

log = logging.getLogger("jobbers.telemetry")
_chance = random.Random()

Sent = Callable[[str, float, str | None, tuple[int, int] | None], None]
"""Told of each call that submitted: the queue, how many seconds it took, the type of its error, and its span."""


class OneSending:
    """See :class:`jobbers.telemetry.ports.Sending`."""

    __slots__ = ("_begun", "_queue", "_span", "_told", "headers")

    def __init__(self, headers: Mapping[str, str] | None, span: Span | None, queue: str, told: Sent) -> None:
        self.headers = headers
        self._span = span
        self._queue = queue
        self._told = told
        self._begun = time.monotonic()

    def sent(self, task_id: str | None) -> None:
        """See the port."""
        self._told(self._queue, time.monotonic() - self._begun, None, recorded(self._span))
        if self._span is not None:
            if task_id is not None:
                self._span.set_attribute(names.MESSAGE_ID, task_id)
            self._span.end()

    def failed(self, error: BaseException) -> None:
        """See the port."""
        kind = kind_of(error)
        self._told(self._queue, time.monotonic() - self._begun, kind, recorded(self._span))
        if self._span is not None:
            self._span.set_attribute(names.ERROR_TYPE, kind)
            self._span.set_status(Status(StatusCode.ERROR, kind))
            self._span.end()


class OutboundSpans:
    """See :class:`jobbers.telemetry.ports.Outbound`."""

    def __init__(self, tracer: Tracer, told: Sent) -> None:
        self._tracer = tracer
        self._told = told
        self._switches: dict[str, AutoSwitch] = {}

    def begin(
        self, type: str, queue: str, granularity: Granularity, headers: Mapping[str, str] | None, count: int
    ) -> OneSending:
        """See the port."""
        try:
            if granularity.kind is Kind.OFF:
                return OneSending(headers, None, queue, self._told)
            parent = _parent(headers)
            span = self._span(type, queue, granularity, parent, count)
            if span is not None:
                traced: Mapping[str, str] = headers_of(span.get_span_context())
            else:
                traced = _passed_on(get_current_span(parent).get_span_context(), granularity)
            return OneSending({**(headers or {}), **traced} or None, span, queue, self._told)
        except Exception:
            log.exception("a submission has no place in its trace; it goes on without")
            return OneSending(headers, None, queue, self._told)

    def run_headers(self, name: str, run_id: str, tasks: int) -> Mapping[str, str]:
        """See the port."""
        try:
            attributes: dict[str, AttributeValue] = {
                names.SYSTEM: "jobbers",
                names.OPERATION: "create",
                names.OPERATION_TYPE: "create",
                names.MESSAGE_COUNT: tasks,
                names.RUN_ID: run_id,
                names.RUN_NAME: name,
            }
            span = self._tracer.start_span(f"create {name}", _parent(None), SpanKind.PRODUCER, attributes)
            span.end()
            return headers_of(span.get_span_context())
        except Exception:
            log.exception("a run has no place in its trace; it goes on without")
            return {}

    def _span(
        self, type: str, queue: str, granularity: Granularity, parent: Context, count: int
    ) -> Span | None:
        """The span of a submission, if it gets one."""
        match granularity.kind:
            case Kind.ALWAYS:
                pass
            case Kind.AUTO:
                switch = self._switches.get(type)
                if switch is None:
                    switch = self._switches[type] = AutoSwitch()
                if switch.begun(time.monotonic()):
                    return None
            case Kind.RATIO:
                upstream = get_current_span(parent).get_span_context()
                if _begins(upstream) and _chance.random() >= granularity.ratio:
                    return None
            case _:
                return None
        attributes: dict[str, AttributeValue] = {
            names.SYSTEM: "jobbers",
            names.DESTINATION: queue,
            names.OPERATION: "send",
            names.OPERATION_TYPE: "send",
            names.TASK_TYPE: type,
        }
        if count > 1:
            attributes[names.MESSAGE_COUNT] = count
        return self._tracer.start_span(f"send {queue}", parent, SpanKind.PRODUCER, attributes)


def _parent(headers: Mapping[str, str] | None) -> Context:
    """Where a submission belongs: to what its headers name, the request that it is made for, or the span that is open."""
    if headers and TRACEPARENT in headers:
        return context_of(headers)
    from_outside = inherited.get()
    return context_of(from_outside) if from_outside else context.get_current()


def _begins(upstream: SpanContext) -> bool:
    """Whether the trace begins here, or with the request for which this is submitted: then a ratio is decided now."""
    return not upstream.is_valid or upstream.trace_id == begun.get()


def _passed_on(upstream: SpanContext, granularity: Granularity) -> Mapping[str, str]:
    """The headers of a submission that has no span: those of the span around it. A ratio that said no says so to the
    worker, and to whatever the task submits."""
    if granularity.kind is Kind.RATIO and upstream.is_valid and _begins(upstream):
        return {TRACEPARENT: f"00-{upstream.trace_id:032x}-{upstream.span_id:016x}-00"}
    if upstream.is_valid:
        return headers_of(upstream)
    if granularity.kind is Kind.RATIO:
        trace, span = _chance.getrandbits(128) | 1, _chance.getrandbits(64) | 1
        return {TRACEPARENT: f"00-{trace:032x}-{span:016x}-00"}
    return {}
