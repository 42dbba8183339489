"""Task types, workers, and whether all is well."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from jobbers.api import deps
from jobbers.api.errors import ApiError, documented
from jobbers.api.route import ApiRoute
from jobbers.api.system_views import Health, TaskTypeList, TaskTypeView, WorkerList, WorkerView
from jobbers.errors import StoreError

READY_SECONDS = 1.0

router = APIRouter(tags=["system"], route_class=ApiRoute)


@router.get("/task-types", response_model=TaskTypeList)
async def task_types(app: deps.TheApp) -> TaskTypeList:
    """The task types of this service's app, with their policies and the JSON schemas of their arguments."""
    return TaskTypeList(task_types=[TaskTypeView.of(app.task_types[name]) for name in sorted(app.task_types)])


@router.get("/workers", response_model=WorkerList)
async def workers(inspector: deps.TheInspector) -> WorkerList:
    """The workers that are alive or were a short while ago."""
    return WorkerList(workers=[WorkerView.model_validate(worker) for worker in await inspector.workers()])


@router.get("/health", response_model=Health)
async def health() -> Health:
    """Whether this process lives. Says nothing of the task server: a restart of this process would not help it."""
    return Health(status="ok")


@router.get("/ready", response_model=Health, responses=documented(503))
async def ready(app: deps.TheApp) -> Health:
    """Whether the task server answers within a second."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await (await app.client()).store.inspect.now_ms()
    except (TimeoutError, StoreError):
        raise ApiError(503, "not_ready", "the task server does not answer") from None
    return Health(status="ok")
