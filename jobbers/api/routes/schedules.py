"""Schedules: create, list, look ahead, pause, resume, start now, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response

from jobbers.api import deps
from jobbers.api.callers import Caller, needs
from jobbers.api.errors import documented
from jobbers.api.reach import check_schedule, check_schedule_named, their_schedules
from jobbers.api.route import Part
from jobbers.api.schedule_views import (
    ScheduleChange,
    ScheduleList,
    ScheduleRequest,
    ScheduleRun,
    ScheduleTimes,
    ScheduleView,
)
from jobbers.api.submit import find_type, load
from jobbers.api.values import from_json_kwargs
from jobbers.api.windows import encoded
from jobbers.app import Jobbers
from jobbers.core.access import Scope
from jobbers.dag.compose import Call
from jobbers.errors import NotFound
from jobbers.flow import DagCall
from jobbers.schedules import MOST_SHOWN_SLOTS, SHOWN_SLOTS

router = Part(prefix="/schedules", tags=["schedules"])

Name = Annotated[str, Path(description="Name of a schedule.", max_length=200, examples=["nightly"])]


@router.get(
    "",
    response_model=ScheduleList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def schedules(app: deps.TheApp, caller: deps.TheCaller, window: deps.TheWindow) -> ScheduleList:
    """Schedules by name; for a key that is restricted to queues those that start nothing elsewhere, so that a page may be
    short, even empty."""
    found, last = await app.schedules.page(window.after or "", window.limit, their_schedules(caller, app))
    return ScheduleList(
        schedules=[ScheduleView.of(one) for one in found], cursor=None if last is None else encoded(last)
    )


@router.post(
    "",
    status_code=201,
    response_model=ScheduleChange,
    responses={
        **documented(400, 404, 409, 413, 415, 422, 507),
        200: {
            "model": ScheduleChange,
            "description": "There was one of this name, and it was to be replaced.",
        },
    },
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="schedules.create"),
)
async def create(
    app: deps.TheApp, caller: deps.TheCaller, http: Request, request: ScheduleRequest, response: Response
) -> ScheduleChange:
    """Create a schedule. With `replace` one of this name is changed, and goes on from now; if it is just so already, it is
    left alone."""
    http.state.target = request.name
    target: Call | DagCall
    if request.dag is not None:
        dag = app.find_dag(request.dag)
        target = dag.call(**dag.graph.load(from_json_kwargs(request.kwargs)))
    else:
        task_type = find_type(app, request.type or "")
        args, kwargs = load(task_type, request.args, request.kwargs)
        target = task_type.s(*args, **kwargs)
    await _check_queues(app, caller, request, target)
    became = await app.schedules.create(request.name, target, **request.options())
    if became != "made":
        response.status_code = 200
    return ScheduleChange(name=request.name, became=became)


async def _check_queues(
    app: Jobbers, caller: Caller, request: ScheduleRequest, target: Call | DagCall
) -> None:
    """Raises :class:`ApiError` 403 unless all that is to be started is the caller's, and what is to be replaced, too."""
    if caller.queues is None:
        return
    options = {name: value for name, value in request.options().items() if name != "replace"}
    schedule = app.schedules.definition(request.name, target, **options).schedule
    check_schedule(caller, app, schedule)
    if request.replace:
        try:
            there = await app.schedules.stored(request.name)
        except NotFound:
            return
        check_schedule(caller, app, there)


@router.get(
    "/{name}",
    response_model=ScheduleView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def schedule(app: deps.TheApp, caller: deps.TheCaller, name: Name) -> ScheduleView:
    """How one schedule stands."""
    await check_schedule_named(caller, app, name)
    return ScheduleView.of(await app.schedules.get(name))


@router.get(
    "/{name}/times",
    response_model=ScheduleTimes,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def times(
    app: deps.TheApp,
    caller: deps.TheCaller,
    name: Name,
    count: Annotated[int, Query(ge=1, le=MOST_SHOWN_SLOTS, description="How many.")] = SHOWN_SLOTS,
) -> ScheduleTimes:
    """The next times of a schedule, also of one that is paused."""
    await check_schedule_named(caller, app, name)
    return ScheduleTimes(name=name, times=list(await app.schedules.upcoming(name, count)))


@router.post(
    "/{name}/pause",
    response_model=ScheduleChange,
    responses=documented(404, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="schedules.pause"),
)
async def pause(app: deps.TheApp, caller: deps.TheCaller, name: Name) -> ScheduleChange:
    """Start nothing more of it; what runs goes on."""
    await check_schedule_named(caller, app, name)
    await app.schedules.pause(name)
    return ScheduleChange(name=name, became="paused")


@router.post(
    "/{name}/resume",
    response_model=ScheduleChange,
    responses=documented(404, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="schedules.resume"),
)
async def resume(app: deps.TheApp, caller: deps.TheCaller, name: Name) -> ScheduleChange:
    """Go on from now: the slots of the pause are not made good for."""
    await check_schedule_named(caller, app, name)
    await app.schedules.resume(name)
    return ScheduleChange(name=name, became="resumed")


@router.post(
    "/{name}/run",
    response_model=ScheduleRun,
    responses=documented(404, 415, 422, 507),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="schedules.run"),
)
async def run(app: deps.TheApp, caller: deps.TheCaller, call: deps.TheCall, name: Name) -> ScheduleRun:
    """Start it once now, besides its slots and whatever runs. Each call starts it again, but for those with the same
    `Idempotency-Key`."""
    await check_schedule_named(caller, app, name)
    return ScheduleRun(id=await app.schedules.run(name, None if call is None else call.seed))


@router.delete(
    "/{name}",
    response_model=ScheduleChange,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="schedules.delete"),
)
async def delete(app: deps.TheApp, caller: deps.TheCaller, name: Name) -> ScheduleChange:
    """Delete it; what it started goes on. One that stands in code comes back with the next worker."""
    await check_schedule_named(caller, app, name)
    await app.schedules.delete(name)
    return ScheduleChange(name=name, became="deleted")
