"""Queues: how they stand, pause and resume."""

from __future__ import annotations

from fastapi import APIRouter

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.route import ApiRoute
from jobbers.api.system_views import Pause, QueueList, QueueView
from jobbers.core.access import Scope

router = APIRouter(prefix="/queues", tags=["queues"], route_class=ApiRoute)


@router.get("", response_model=QueueList, openapi_extra=needs(Scope.READ, by_queue=True))
async def queues(inspector: deps.TheInspector, caller: deps.TheCaller) -> QueueList:
    """All queues with their depth, the age of their oldest ready task, and whether they are paused."""
    return QueueList(
        queues=[
            QueueView.model_validate(queue)
            for queue in await inspector.queues()
            if caller.may_use([queue.name])
        ]
    )


@router.post(
    "/{name}/pause",
    response_model=Pause,
    responses=documented(415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True),
)
async def pause(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> Pause:
    """Give nothing out of a queue any more; what runs goes on, and what is submitted waits."""
    caller.check_queues([name])
    await inspector.pause(name)
    return Pause(name=name, paused=True)


@router.post(
    "/{name}/resume",
    response_model=Pause,
    responses=documented(415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True),
)
async def resume(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> Pause:
    """Give out of a queue again."""
    caller.check_queues([name])
    await inspector.resume(name)
    return Pause(name=name, paused=False)
