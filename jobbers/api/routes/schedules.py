"""Schedules: create, list, look ahead, pause, resume, start now, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from jobbers.api import deps
from jobbers.api.errors import documented
from jobbers.api.route import ApiRoute
from jobbers.api.schedule_views import (
    ScheduleChange,
    ScheduleList,
    ScheduleRequest,
    ScheduleRun,
    ScheduleTimes,
    ScheduleView,
)
from jobbers.api.submit import load
from jobbers.api.values import from_json_value
from jobbers.schedules import MOST_SHOWN_SLOTS, SHOWN_SLOTS

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=ApiRoute)

Name = Annotated[str, Path(description="Name of a schedule.", max_length=200, examples=["nightly"])]


@router.get("", response_model=ScheduleList, responses=documented(422))
async def schedules(
    app: deps.TheApp,
    after: Annotated[str, Query(max_length=200, description="Only those behind this name.")] = "",
    limit: deps.Limit = 50,
) -> ScheduleList:
    """Schedules by name."""
    found = await app.schedules.list(after, limit)
    return ScheduleList(schedules=[ScheduleView.of(one) for one in found])


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
)
async def create(app: deps.TheApp, request: ScheduleRequest, response: Response) -> ScheduleChange:
    """Create a schedule. With `replace` one of this name is changed, and goes on from now; if it is just so already, it is
    left alone."""
    if request.dag is not None:
        dag = app.find_dag(request.dag)
        params = {name: from_json_value(value) for name, value in request.kwargs.items()}
        became = await app.schedules.create(
            request.name, dag.call(**dag.graph.load(params)), **request.options()
        )
    else:
        task_type = app.find(request.type or "")
        args, kwargs = load(task_type, request.args, request.kwargs)
        became = await app.schedules.create(request.name, task_type.s(*args, **kwargs), **request.options())
    if became != "made":
        response.status_code = 200
    return ScheduleChange(name=request.name, became=became)


@router.get("/{name}", response_model=ScheduleView, responses=documented(404, 422))
async def schedule(app: deps.TheApp, name: Name) -> ScheduleView:
    """How one schedule stands."""
    return ScheduleView.of(await app.schedules.get(name))


@router.get("/{name}/times", response_model=ScheduleTimes, responses=documented(404, 422))
async def times(
    app: deps.TheApp,
    name: Name,
    count: Annotated[int, Query(ge=1, le=MOST_SHOWN_SLOTS, description="How many.")] = SHOWN_SLOTS,
) -> ScheduleTimes:
    """The next times of a schedule, also of one that is paused."""
    return ScheduleTimes(name=name, times=list(await app.schedules.upcoming(name, count)))


@router.post("/{name}/pause", response_model=ScheduleChange, responses=documented(404, 415, 422))
async def pause(app: deps.TheApp, name: Name) -> ScheduleChange:
    """Start nothing more of it; what runs goes on."""
    await app.schedules.pause(name)
    return ScheduleChange(name=name, became="paused")


@router.post("/{name}/resume", response_model=ScheduleChange, responses=documented(404, 415, 422))
async def resume(app: deps.TheApp, name: Name) -> ScheduleChange:
    """Go on from now: the slots of the pause are not made good for."""
    await app.schedules.resume(name)
    return ScheduleChange(name=name, became="resumed")


@router.post("/{name}/run", response_model=ScheduleRun, responses=documented(404, 415, 422, 507))
async def run(app: deps.TheApp, name: Name) -> ScheduleRun:
    """Start it once now, besides its slots and whatever runs. Each call starts it again."""
    return ScheduleRun(id=await app.schedules.run(name))


@router.delete("/{name}", response_model=ScheduleChange, responses=documented(404, 422))
async def delete(app: deps.TheApp, name: Name) -> ScheduleChange:
    """Delete it; what it started goes on. One that stands in code comes back with the next worker."""
    await app.schedules.delete(name)
    return ScheduleChange(name=name, became="deleted")
