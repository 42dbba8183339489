"""Puts the routes together: as a router for an application of one's own, and as an application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

import jobbers
from jobbers.api.deps import bound
from jobbers.api.errors import documented, respond
from jobbers.api.guard import Guard
from jobbers.api.route import MAX_BODY
from jobbers.api.routes import (
    dead_letters,
    events,
    limits,
    metrics,
    page,
    queues,
    runs,
    schedules,
    system,
    tasks,
)
from jobbers.app import Jobbers

PREFIX = "/api/v1"
_TAGS = [
    {"name": "tasks", "description": "Submit, read, wait, cancel, requeue."},
    {"name": "queues", "description": "How queues stand; pause and resume."},
    {"name": "dead letters", "description": "Tasks that failed for good: list, requeue, drop."},
    {"name": "runs", "description": "Graphs of tasks and their runs."},
    {"name": "limits", "description": "How many may run at a time, or start in a time."},
    {"name": "schedules", "description": "What is started again and again."},
    {"name": "system", "description": "Task types, workers, and whether all is well."},
]
_DESCRIPTION = """\
Submit tasks and look after them. Writes need the header `Content-Type: application/json`. Every error has the body
`{"error": {"code": …, "message": …, "parameter": …}}`: codes are stable, messages are for people. Bytes, which JSON
lacks, are `{"$base64": "…"}`, in arguments and in results.
"""


def router(app: Jobbers) -> APIRouter:
    """All routes under ``/api/v1``, for an application of one's own: ``your_app.include_router(router(app))``.

    When that application ends, so do the connections that ``app`` has made for its event loop. Nothing here asks who
    calls: add ``dependencies=`` that do.
    """

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await app.close()

    everything = APIRouter(
        prefix=PREFIX, dependencies=[bound(app)], lifespan=lifespan, responses=documented(500, 502, 503)
    )
    for part in (tasks, runs, schedules, queues, limits, dead_letters, system, metrics, events):
        everything.include_router(part.router)
    return everything


def page_router() -> APIRouter:
    """The admin page, under ``/admin``, for an application of one's own that includes :func:`router` with the same prefix.

    Its files hold no secrets, but give it the same ``dependencies=``, so that those ask for the login.
    """
    return page.router


def create_app(app: Jobbers, *, max_body: int | None = None, hosts: Collection[str] | None = None) -> FastAPI:
    """A FastAPI application that serves ``app``: under ``/api/v1``, with its documentation at ``/api/docs``, the page at
    ``/admin``, and its metrics at ``/metrics``, too.

    ``max_body`` limits the bytes of a body: 8 MiB by default, or four times the setting ``max_payload`` if that is
    more. ``hosts`` are the host names that it answers to; any by default. Nothing here asks who calls.
    """
    limit = max(MAX_BODY, 4 * app.settings.max_payload) if max_body is None else max_body
    api = FastAPI(
        title="Jobbers",
        version=jobbers.__version__,
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        openapi_tags=_TAGS,
        docs_url="/api/docs",
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, max_body=limit, hosts=hosts)],
        exception_handlers={HTTPException: _answer},
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    api.include_router(router(app))
    api.include_router(page_router())
    # where collectors look
    api.include_router(metrics.router, dependencies=[bound(app)], include_in_schema=False)
    return api


async def _answer(request: Request, error: Exception) -> Response:
    return respond(error, f"{request.method} {request.url.path}")
