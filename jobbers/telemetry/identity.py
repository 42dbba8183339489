"""Ids of spans that can be known without having seen them, so that an attempt can link to the one before it on another
worker; and spans of other processes."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanContext, TraceFlags, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobbers.core.trace_context import TRACEPARENT, TRACESTATE

_propagator = TraceContextTextMapPropagator()
_NOWHERE = Context()
KNOWN_CONTEXTS = 1024
"""So many are remembered: tasks that were submitted together have one, and reading it takes as long as counting them."""


def context_of(headers: Mapping[str, str]) -> Context:
    """The context that headers tell of; an empty one if they tell of none."""
    traceparent = headers.get(TRACEPARENT)
    return _NOWHERE if traceparent is None else _read(traceparent, headers.get(TRACESTATE))


@functools.lru_cache(KNOWN_CONTEXTS)
def _read(traceparent: str, tracestate: str | None) -> Context:
    headers = (
        {TRACEPARENT: traceparent}
        if tracestate is None
        else {TRACEPARENT: traceparent, TRACESTATE: tracestate}
    )
    return _propagator.extract(headers, context=Context())


def sampled_in(context: Context) -> bool | None:
    """Whether the trace is recorded where it began; ``None`` if there is none."""
    found = get_current_span(context).get_span_context()
    return found.trace_flags.sampled if found.is_valid else None


def headers_of(span: SpanContext) -> dict[str, str]:
    """A span as headers."""
    headers = {TRACEPARENT: f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"}
    if span.trace_state:
        headers[TRACESTATE] = span.trace_state.to_header()
    return headers


def recorded(span: Span | None) -> tuple[int, int] | None:
    """The ids of a span that is recorded, so that whoever follows them finds it."""
    where = None if span is None else span.get_span_context()
    return (where.trace_id, where.span_id) if where is not None and where.trace_flags.sampled else None


def ids_here() -> dict[str, str]:
    """The trace and the span of this process that the caller's code runs in; of another process's only the trace."""
    found = get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    trace = {"trace_id": f"{found.trace_id:032x}"}
    return trace if found.is_remote else {**trace, "span_id": f"{found.span_id:016x}"}


def span_context(headers: Mapping[str, str]) -> SpanContext | None:
    """The span that headers name."""
    found = get_current_span(context_of(headers)).get_span_context()
    return found if found.is_valid else None


def trace_of(task_id: str) -> int:
    """The trace of a task whose submitter began none: all its attempts are in it."""
    return int.from_bytes(hashlib.blake2b(task_id.encode(), digest_size=16).digest(), "big")


def attempt_span(task_id: str, execution: int) -> int:
    """The span of an execution of a task; the first is 1."""
    text = f"{task_id}/{execution}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def attempt_context(trace_id: int, task_id: str, execution: int) -> SpanContext:
    """The span of an execution, for links."""
    return SpanContext(
        trace_id, attempt_span(task_id, execution), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


class ForetoldIds(RandomIdGenerator):
    """Random ids, unless the thread has said which ones are next."""

    def __init__(self) -> None:
        self._next = threading.local()

    def foretell(self, trace_id: int, span_id: int) -> None:
        """The next span of this thread gets this id, and this trace if it is a root."""
        self._next.ids = (trace_id, span_id)

    def generate_trace_id(self) -> int:
        """See the SDK; asked before the id of a span, and only for roots."""
        ids: tuple[int, int] | None = getattr(self._next, "ids", None)
        return super().generate_trace_id() if ids is None else ids[0]

    def generate_span_id(self) -> int:
        """See the SDK."""
        ids: tuple[int, int] | None = getattr(self._next, "ids", None)
        self._next.ids = None
        return super().generate_span_id() if ids is None else ids[1]
