"""Server spans: requests of the HTTP API, around what they submit."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from jobbers.core.granularity import AutoSwitch
from jobbers.telemetry import names
from jobbers.telemetry.identity import context_of, headers_of, recorded, sampled_in

log = logging.getLogger("jobbers.telemetry")

READS = frozenset({"GET", "HEAD", "OPTIONS"})
FAILED = 500
"""From this status on a request has failed, and not its caller."""

begun: ContextVar[int] = ContextVar("jobbers_begun_trace", default=0)
"""The trace that the request began which the caller's code runs for: nobody has decided yet how much of it is told."""


class OneRequest:
    """See :class:`jobbers.telemetry.ports.Receiving`."""

    __slots__ = ("_attached", "_began", "_begun", "_method", "_of", "_parent", "_span", "_switch")

    def __init__(
        self, of: InboundSpans, method: str, switch: AutoSwitch | None, parent: Context, span: Span | None
    ) -> None:
        self._of = of
        self._method = method
        self._switch = switch
        self._parent = parent
        self._span = span
        self._began = time.time_ns()
        self._begun: Token[int] | None = None
        self._attached: Token[Context] | None = None
        if span is not None:
            self._attached = context.attach(set_span_in_context(span, parent))
            if not parent:
                self._begun = begun.set(span.get_span_context().trace_id)

    def answered(self, scheme: str, route: str, status: int, seconds: float) -> tuple[int, int] | None:
        """See the port."""
        if self._switch is not None:
            self._switch.took(seconds)
        span = self._span
        if span is None:
            if status < FAILED or not self._of.tells_failure(self._parent):
                return None
            span = self._of.span(self._method, self._parent, self._began)
        if route:
            span.update_name(f"{self._method} {route}")
            span.set_attribute(names.HTTP_ROUTE, route)
        span.set_attribute(names.URL_SCHEME, scheme)
        if status:
            span.set_attribute(names.HTTP_STATUS, status)
        if status >= FAILED:
            span.set_attribute(names.ERROR_TYPE, str(status))
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        return recorded(span)

    def leave(self) -> None:
        """See the port."""
        if self._attached is not None:
            context.detach(self._attached)
        if self._begun is not None:
            begun.reset(self._begun)


class InboundSpans:
    """See :class:`jobbers.telemetry.ports.Inbound`. Spans are for what changes something, for what belongs to a trace
    already, and for what fails: else collectors, probes and the page would fill the traces with reads."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._switches: dict[tuple[str, str], AutoSwitch] = {}
        self._failures = AutoSwitch()

    def begin(self, method: str, route: str, headers: Mapping[str, str]) -> OneRequest | None:
        """See the port."""
        try:
            parent = context_of(headers)
            switch = span = None
            if parent or method not in READS:
                switch = self._switch(method, route)
                if sampled_in(parent) is not False and not switch.begun(time.monotonic()):
                    span = self.span(method, parent, None)
            return OneRequest(self, method, switch, parent, span)
        except Exception:
            log.exception("a request has no place in its trace; it goes on without")
            return None

    def passed_on(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """See the port."""
        here = get_current_span().get_span_context()
        return headers_of(here) if here.is_valid and not here.is_remote else headers

    def tells_failure(self, parent: Context) -> bool:
        """Whether a failure gets a span, although its request got none at its begin."""
        return sampled_in(parent) is not False and not self._failures.begun(time.monotonic())

    def span(self, method: str, parent: Context, began_ns: int | None) -> Span:
        """A span of a request, by its method until its route is known."""
        attributes: dict[str, AttributeValue] = {names.HTTP_METHOD: method}
        return self._tracer.start_span(method, parent, SpanKind.SERVER, attributes, start_time=began_ns)

    def _switch(self, method: str, route: str) -> AutoSwitch:
        """How busy this is; where the route is not known yet, the method."""
        found = self._switches.get((method, route))
        if found is None:
            found = self._switches[method, route] = AutoSwitch()
        return found
