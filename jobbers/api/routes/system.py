"""Task types, numbers, and whether all is well."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query

import jobbers
from jobbers.api import deps
from jobbers.api.callers import OPEN, needs
from jobbers.api.errors import ApiError, documented
from jobbers.api.policy_views import LiveWanted
from jobbers.api.route import Part
from jobbers.api.system_views import (
    Health,
    SettingsView,
    StatsView,
    TaskTypeDetails,
    TaskTypeList,
    TaskTypeView,
)
from jobbers.core.access import Scope
from jobbers.doctor import versions
from jobbers.errors import StoreError
from jobbers.settings import displayed

READY_SECONDS = 1.0
LONGEST_STATS = 180

router = Part(tags=["system"])


@router.get(
    "/task-types",
    response_model=TaskTypeList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def task_types(app: deps.TheApp, window: deps.TheWindow) -> TaskTypeList:
    """The task types of this service's app, with their policies and the JSON schemas of their arguments."""
    return await TaskTypeList.of(app, window)


@router.get(
    "/task-types/{kind}",
    response_model=TaskTypeDetails,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ),
)
async def task_type(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    kind: deps.TypeName,
    minutes: Annotated[int, Query(ge=1, le=LONGEST_STATS, description="How many minutes to look back.")] = 60,
) -> TaskTypeDetails:
    """One task type, with what operators have changed about it, and what became of its tasks in the last minutes.

    Its policy is changed by `PUT …/live`, its queue by `/routes`, its limits and rates by `/limits`, and what must not run
    by `/strikes`.
    """
    return await TaskTypeDetails.of(app, inspector, kind, minutes)


@router.put(
    "/task-types/{kind}/live",
    response_model=TaskTypeView,
    responses=documented(400, 404, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="types.set"),
)
async def set_live(app: deps.TheApp, kind: deps.TypeName, body: LiveWanted) -> TaskTypeView:
    """Let these parts of a task type's policy hold from now on, in the place of all that was set live before; what is not
    given is as its code says.

    Workers and clients follow within seconds, and it stays when they are restarted. Priority and deadline hold for what is
    submitted from then on without one of its own, the timeout for executions that begin, the others also for tasks that
    run.
    """
    state = await app.policies.set(kind, **body.flat())
    return TaskTypeView.of(app.find(kind), state.live)


@router.delete(
    "/task-types/{kind}/live",
    response_model=TaskTypeView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.OPERATE, deed="types.reset"),
)
async def reset_live(app: deps.TheApp, kind: deps.TypeName) -> TaskTypeView:
    """Take back what was set live: the code says everything again."""
    await app.policies.get(kind)
    state = await app.policies.reset(kind)
    return TaskTypeView.of(app.find(kind), state.live)


@router.get("/settings", response_model=SettingsView, openapi_extra=needs(Scope.ADMIN))
async def settings(app: deps.TheApp) -> SettingsView:
    """What this service is set to, without secrets: the settings of its app, and the versions of what it runs on."""
    return SettingsView(version=jobbers.__version__, versions=versions(), settings=displayed(app.settings))


@router.get("/stats", response_model=StatsView, responses=documented(422), openapi_extra=needs(Scope.READ))
async def stats(
    inspector: deps.TheInspector,
    minutes: Annotated[int, Query(ge=1, le=LONGEST_STATS, description="How many minutes to look back.")] = 60,
) -> StatsView:
    """How many tasks stand where, and what became of tasks in each of the last minutes.

    Costs one small read a minute and shard. To follow it, ask for all minutes once and then for the last two.
    """
    counts, counted = await asyncio.gather(inspector.counts(), inspector.stats(minutes))
    return StatsView.of(await inspector.store.inspect.now_ms(), counts, counted)


@router.get("/health", response_model=Health, openapi_extra=needs(OPEN))
async def health() -> Health:
    """Whether this process lives. Says nothing of the task server: a restart of this process would not help it."""
    return Health(status="ok")


@router.get("/ready", response_model=Health, responses=documented(503), openapi_extra=needs(OPEN))
async def ready(app: deps.TheApp) -> Health:
    """Whether the task server answers within a second."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await (await app.client()).store.inspect.now_ms()
    except (TimeoutError, StoreError):
        raise ApiError(503, "not_ready", "the task server does not answer") from None
    return Health(status="ok")
