"""Puts the routes together: as a router for an application of one's own, and as an application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

import jobbers
from jobbers.api.deps import bound
from jobbers.api.direct import Direct
from jobbers.api.errors import documented, place, respond
from jobbers.api.examples import add_examples
from jobbers.api.gate import Authenticate, Gate
from jobbers.api.guard import Guard
from jobbers.api.route import MAX_BODY, ReadableRoute
from jobbers.api.routes import (
    access,
    breakers,
    dead_letters,
    doctor,
    drawings,
    events,
    limits,
    metrics,
    page,
    queues,
    roles,
    runs,
    schedules,
    statistics,
    strikes,
    system,
    tasks,
    telemetry,
    workers,
)
from jobbers.api.traffic import PREFIX
from jobbers.app import Jobbers

_TAGS = [
    {"name": "tasks", "description": "Submit, read, wait, cancel, requeue."},
    {
        "name": "queues",
        "description": "How queues stand; pause, drain, limit and purge; types that are sent elsewhere.",
    },
    {"name": "roles", "description": "Who serves which queues, and live changes of that."},
    {"name": "dead letters", "description": "Tasks that failed for good: list, requeue, drop."},
    {"name": "strikes", "description": "What must not run: list, add, lift."},
    {"name": "runs", "description": "Graphs of tasks and their runs."},
    {"name": "limits", "description": "How many may run at a time, or start in a time."},
    {"name": "breakers", "description": "Tasks wait while most attempts fail: look, open, close."},
    {"name": "schedules", "description": "What is started again and again."},
    {"name": "access", "description": "Keys, the login of the page, and the audit log."},
    {"name": "workers", "description": "Who is there and what they run; pause them, let them end."},
    {"name": "system", "description": "Task types, numbers, and whether all is well."},
]
_DESCRIPTION = """\
Submit tasks and look after them. Writes need the header `Content-Type: application/json`. Every error has the body
`{"error": {"code": …, "message": …, "parameter": …}}`: codes are stable, messages are for people. Bytes, which JSON
lacks, are `{"$base64": "…"}`, in arguments and in results.
"""


def router(app: Jobbers, *, authenticate: Authenticate | None = None) -> APIRouter:
    """All routes under ``/api/v1``, for an application of one's own: ``your_app.include_router(router(app))``.

    When that application ends, so do the connections that ``app`` has made for its event loop. Callers are asked for keys
    by the setting ``auth`` (``docs/security.md``): with ``auto``, as long as there is none nobody is asked, so add
    ``dependencies=`` that do. ``authenticate`` takes the place of keys: it is called with the request, and returns a
    :class:`Caller`, or ``None`` for a stranger.
    """
    return _router(Gate(app, authenticate))


def _router(gate: Gate) -> APIRouter:

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await gate.app.close()

    everything = APIRouter(
        prefix=PREFIX,
        dependencies=[bound(gate)],
        lifespan=lifespan,
        responses=documented(401, 403, 422, 429, 500, 502, 503),
    )
    for part in (
        tasks,
        runs,
        drawings,
        schedules,
        queues,
        limits,
        breakers,
        roles,
        dead_letters,
        strikes,
        workers,
        system,
        doctor,
        telemetry,
        access,
        statistics,
        metrics,
        events,
    ):
        everything.include_router(part.router)
    return everything


def page_router() -> APIRouter:
    """The admin page, under ``/admin``, for an application of one's own that includes :func:`router` with the same prefix.

    Its files hold no secrets, but give it the same ``dependencies=``, so that those ask for the login.
    """
    return page.router


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """See FastAPI: the description, which has an example of everything."""
        if self.openapi_schema is None:
            add_examples(super().openapi())
        return super().openapi()


def create_app(
    app: Jobbers,
    *,
    authenticate: Authenticate | None = None,
    auth_required: bool = False,
    insecure: bool = False,
    max_body: int | None = None,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """A FastAPI application that serves ``app``: under ``/api/v1``, the page at ``/admin``, to which
    ``/`` leads, and its metrics at ``/metrics``, too.

    ``max_body`` limits the bytes of a body: 8 MiB by default, or four times the setting ``max_payload`` if that is
    more. ``hosts`` are the host names that it answers to; any by default.

    Callers are asked for keys by the setting ``auth`` (``docs/security.md``), and with ``auth_required`` in any case.
    ``authenticate`` takes the place of keys: it is called with the request, and returns a :class:`Caller`, or ``None`` for
    a stranger. Where nobody is asked, only callers on this machine are answered, unless ``insecure`` says that something
    else keeps strangers away.
    """
    limit = max(MAX_BODY, 4 * app.settings.max_payload) if max_body is None else max_body
    gate = Gate(app, authenticate, required=auth_required, local_only=not insecure)
    api = _Application(
        title="Jobbers",
        version=jobbers.__version__,
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        openapi_tags=_TAGS,
        docs_url=None,  # its scripts would come from elsewhere, into the origin of the page's login
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, max_body=limit, hosts=hosts, direct=Direct(gate, PREFIX))],
        exception_handlers={HTTPException: _answer},
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    api.state.jobbers_gate = gate
    api.include_router(_router(gate))
    api.include_router(page_router())
    api.router.add_api_route(
        "/", page.to_the_page, include_in_schema=False, route_class_override=ReadableRoute
    )
    # where collectors look
    api.include_router(metrics.router, dependencies=[bound(gate)], include_in_schema=False)
    return api


async def _answer(request: Request, error: Exception) -> Response:
    return respond(error, place(request.scope))
