"""Workers: who is there, what they run now; let them claim nothing, or end."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.route import Part
from jobbers.api.worker_views import WorkerDetails, WorkerList, WorkerTold, WorkerView
from jobbers.core.access import Scope

router = Part(prefix="/workers", tags=["workers"])

WorkerId = Annotated[
    str,
    Path(
        description="Id of a worker.",
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9_.\-]+$",
        examples=["mail-1-3f2a9c"],
    ),
]


@router.get("", response_model=WorkerList, responses=documented(422), openapi_extra=needs(Scope.READ))
async def workers(inspector: deps.TheInspector, window: deps.TheWindow) -> WorkerList:
    """The workers that are alive or were a short while ago."""
    found, cursor = window.of(await inspector.workers(), lambda worker: worker.id)
    return WorkerList(workers=[WorkerView.model_validate(worker) for worker in found], cursor=cursor)


@router.get(
    "/{worker}", response_model=WorkerDetails, responses=documented(404, 422), openapi_extra=needs(Scope.READ)
)
async def worker(inspector: deps.TheInspector, worker: WorkerId) -> WorkerDetails:
    """One worker, and what it runs now. Reads up to 10,000 running tasks of all workers."""
    return await WorkerDetails.of(inspector, worker)


@router.post(
    "/{worker}/pause",
    response_model=WorkerTold,
    responses=documented(404, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="workers.pause"),
)
async def pause(inspector: deps.TheInspector, worker: WorkerId) -> WorkerTold:
    """Let a worker claim nothing more; what it runs goes on. It hears of it within two seconds."""
    await inspector.pause_worker(worker)
    return WorkerTold(id=worker, told="pause")


@router.post(
    "/{worker}/resume",
    response_model=WorkerTold,
    responses=documented(404, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="workers.resume"),
)
async def resume(inspector: deps.TheInspector, worker: WorkerId) -> WorkerTold:
    """Let a paused worker claim again. One that has begun to end is not stopped from it."""
    await inspector.resume_worker(worker)
    return WorkerTold(id=worker, told=None)


@router.post(
    "/{worker}/drain",
    response_model=WorkerTold,
    responses=documented(404, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="workers.drain"),
)
async def drain(inspector: deps.TheInspector, worker: WorkerId) -> WorkerTold:
    """Let a worker claim nothing more and end, as at SIGTERM: what it runs has its grace time, and then goes by the policy
    of its type. Whatever has started the worker may start another."""
    await inspector.drain_worker(worker)
    return WorkerTold(id=worker, told="drain")
