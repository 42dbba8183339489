"""Where a task stands in a trace, as W3C's headers say it. Knows the text only, so that it costs nothing to pass it on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
RUN_HEADER = "jobbers-run"
"""The header by which a worker knows that arguments may refer to results; its value is the run's id."""

MAX_TRACESTATE = 512
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
NOTHING: Mapping[str, str] = MappingProxyType({})

inherited: ContextVar[Mapping[str, str]] = ContextVar("inherited_trace", default=NOTHING)
"""What a request from outside said of its trace: what is submitted on its behalf belongs to it."""

_ask: list[Callable[[], Mapping[str, str]]] = []


def tell_where(ask: Callable[[], Mapping[str, str]]) -> None:
    """Telemetry runs in this process: :func:`where` asks it from now on."""
    _ask[:] = [ask]


def where(traceparent: str | None) -> Mapping[str, str]:
    """The ids of the trace and of the span that the caller's code runs in, as lines of a log name them; without telemetry
    the trace that a task's header names. Empty where there is none."""
    for ask in _ask:
        if here := ask():
            return here
    return (
        {}
        if traceparent is None or is_sampled(traceparent) is None
        else {"trace_id": traceparent.split("-")[1]}
    )


def carried(traceparent: str | None, tracestate: str | None = None) -> Mapping[str, str]:
    """These as headers of a task. What is no ``traceparent`` is left out, without an error: it comes from strangers."""
    if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
        return NOTHING
    if tracestate and len(tracestate) <= MAX_TRACESTATE and tracestate.isascii() and tracestate.isprintable():
        return {TRACEPARENT: traceparent, TRACESTATE: tracestate}
    return {TRACEPARENT: traceparent}


def is_sampled(traceparent: str | None) -> bool | None:
    """Whether the trace is recorded where it began; ``None`` without a (valid) one."""
    if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
        return None
    return bool(int(traceparent[-2:], 16) & 1)


def shortened(headers: Mapping[str, str]) -> dict[str, str | bytes]:
    """Headers as they lie on the server: a ``traceparent`` as 25 bytes instead of 55 characters, so that a task with a few
    arguments still fits into its record, and needs no key of its own."""
    short: dict[str, str | bytes] = dict(headers)
    text = headers.get(TRACEPARENT)
    if isinstance(text, str) and text.startswith("00-") and _TRACEPARENT.fullmatch(text) is not None:
        short[TRACEPARENT] = bytes.fromhex(text[3:].replace("-", ""))
    return short


def lengthened(headers: dict[str, Any]) -> dict[str, str]:
    """Headers as tasks see them; the opposite of :func:`shortened`, in place."""
    short = headers.get(TRACEPARENT)
    if isinstance(short, bytes):
        text = short.hex()
        headers[TRACEPARENT] = f"00-{text[:32]}-{text[32:48]}-{text[48:]}"
    return headers
