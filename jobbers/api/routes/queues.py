"""Queues: how they stand, pause and resume."""

from __future__ import annotations

from fastapi import APIRouter

from jobbers.api import deps
from jobbers.api.errors import documented
from jobbers.api.route import ApiRoute
from jobbers.api.system_views import Pause, QueueList, QueueView

router = APIRouter(prefix="/queues", tags=["queues"], route_class=ApiRoute)


@router.get("", response_model=QueueList)
async def queues(inspector: deps.TheInspector) -> QueueList:
    """All queues with their depth, the age of their oldest ready task, and whether they are paused."""
    return QueueList(queues=[QueueView.model_validate(queue) for queue in await inspector.queues()])


@router.post("/{name}/pause", response_model=Pause, responses=documented(415, 422))
async def pause(inspector: deps.TheInspector, name: deps.QueueName) -> Pause:
    """Give nothing out of a queue any more; what runs goes on, and what is submitted waits."""
    await inspector.pause(name)
    return Pause(name=name, paused=True)


@router.post("/{name}/resume", response_model=Pause, responses=documented(415, 422))
async def resume(inspector: deps.TheInspector, name: deps.QueueName) -> Pause:
    """Give out of a queue again."""
    await inspector.resume(name)
    return Pause(name=name, paused=False)
