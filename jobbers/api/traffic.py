"""What the API tells of its own requests: how many, how long they took, and where they stand in a trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Scope

from jobbers.app import Jobbers
from jobbers.core.trace_context import TRACEPARENT, TRACESTATE, carried
from jobbers.telemetry.metrics import Answered, Metrics
from jobbers.telemetry.ports import Receiving

PREFIX = "/api/v1"
"""Where the routes are; they name themselves without it."""
CALL_KEY = "jobbers.call"
"""Where the scope of a request has its :class:`Call`."""
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
OTHER_METHOD = "_OTHER"
"""Stands for all that strangers may make up."""


class Call:
    """One request, from its first byte to the last of its answer; ``lasts`` makes that the head of its answer."""

    __slots__ = ("_began", "_metrics", "_receiving", "_scope", "lasts", "status")

    def __init__(self, metrics: Metrics, scope: Scope, receiving: Receiving | None) -> None:
        self._metrics: Metrics | None = metrics
        self._scope = scope
        self._receiving = receiving
        self._began = time.perf_counter()
        self.lasts = False
        self.status = 0

    def head(self, status: int) -> None:
        """The head of the answer goes out."""
        self.status = status
        if self.lasts:
            self.end()

    def end(self) -> None:
        """Count it, unless that was done."""
        metrics, self._metrics = self._metrics, None
        if metrics is None:
            return
        scope, seconds = self._scope, time.perf_counter() - self._began
        method, scheme, route = method_of(scope), scope.get("scheme", "http"), template_of(scope)
        where = None
        if self._receiving is not None:
            where = self._receiving.answered(scheme, route, self.status, seconds)
        metrics.answered(Answered(method, scheme, route, self.status), seconds, where)

    def leave(self) -> None:
        """Count it, and end what was begun in this context."""
        self.end()
        if self._receiving is not None:
            self._receiving.leave()


class Traffic:
    """The requests of one app's API. They are counted also where telemetry is off, for who asks for ``/metrics``."""

    def __init__(self, app: Jobbers) -> None:
        telemetry = app.telemetry
        self.metrics = Metrics() if telemetry is None else telemetry.metrics
        self._inbound = None if telemetry is None else telemetry.inbound

    def begin(self, scope: Scope, headers: Headers, route: str = "") -> Call:
        """A request comes in; ``route`` is its template if that is known already."""
        receiving = None
        if self._inbound is not None:
            given = carried(headers.get(TRACEPARENT), headers.get(TRACESTATE))
            receiving = self._inbound.begin(method_of(scope), route, given)
        call = scope[CALL_KEY] = Call(self.metrics, scope, receiving)
        return call

    def trace(self, headers: Headers) -> dict[str, str]:
        """The headers of what is submitted for a request that has these."""
        given = carried(headers.get(TRACEPARENT), headers.get(TRACESTATE))
        return dict(given if self._inbound is None else self._inbound.passed_on(given))

    @contextmanager
    def stream(self, scope: Scope) -> Iterator[None]:
        """A stream of events is open within this; its request counts as answered with its head."""
        call = scope.get(CALL_KEY)
        if isinstance(call, Call):
            call.lasts = True
        self.metrics.streams(1)
        try:
            yield
        finally:
            self.metrics.streams(-1)


def method_of(scope: Scope) -> str:
    """The method of a request, if it is one of those that there are."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER_METHOD


def template_of(scope: Scope) -> str:
    """The route of a request, with names in the place of what stands in its path; empty where none was found."""
    path: str = getattr(scope.get("route"), "path", "")
    return PREFIX + path if path and PREFIX in scope["path"] and not path.startswith(PREFIX) else path
