"""Dead letters: the tasks that failed for good. List, requeue, drop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter

from jobbers.api import deps
from jobbers.api.bulk_views import DeadGroups
from jobbers.api.errors import documented
from jobbers.api.route import ApiRoute
from jobbers.api.routes.tasks import page
from jobbers.api.schemas import RequeueSelection, Selection
from jobbers.api.submit import load_edit
from jobbers.api.task_views import Dropped, Refusal, Requeued, TaskPageView
from jobbers.bulk import dead_groups
from jobbers.core.status import Status
from jobbers.errors import Conflict, NotFound
from jobbers.inspector import Inspector

AT_ONCE = 50

router = APIRouter(
    prefix="/dead-letters", tags=["dead letters"], route_class=ApiRoute, responses=documented(422)
)


@router.get("", response_model=TaskPageView)
async def list_dead_letters(
    inspector: deps.TheInspector,
    type: deps.TypeFilter = None,
    queue: deps.QueueFilter = None,
    cursor: deps.Cursor = None,
    limit: deps.Limit = 50,
) -> TaskPageView:
    """List dead letters, the newest first."""
    return await page(inspector, Status.FAILED, type=type, queue=queue, cursor=cursor, limit=limit)


@router.get("/groups", response_model=DeadGroups)
async def groups(
    inspector: deps.TheInspector,
    type: deps.TypeFilter = None,
    queue: deps.QueueFilter = None,
    limit: deps.Limit = 100,
) -> DeadGroups:
    """Dead letters by what went wrong: the type of the error, its message without what differs from case to case, and where
    it was raised. Reads up to 50,000 dead letters. To act on a group, see `/tasks/bulk`."""
    return DeadGroups.of(await dead_groups(inspector, type=type, queue=queue), limit)


@router.post("/requeue", response_model=Requeued, responses=documented(400, 404, 409, 413, 415, 507))
async def requeue(app: deps.TheApp, inspector: deps.TheInspector, chosen: RequeueSelection) -> Requeued:
    """Give dead letters a new life: some by their ids, those of a type or queue, or all.

    Ids that cannot be requeued are listed under `refused`, and do not keep the others from it. With other arguments
    (for exactly one id) such a refusal is the answer: 404 or 409.
    """
    if chosen.ids is None:
        count = await inspector.requeue_dead(type=chosen.type, queue=chosen.queue, limit=chosen.limit)
        return Requeued(requeued=count, refused=[])
    if chosen.given:
        (task_id,) = chosen.ids
        args, kwargs = load_edit(app, await inspector.task(task_id), chosen)
        await inspector.requeue(task_id, args=args, kwargs=kwargs)
        return Requeued(requeued=1, refused=[])
    return await _requeue_each(inspector, list(dict.fromkeys(chosen.ids)))


@router.post("/drop", response_model=Dropped, responses=documented(400, 413, 415))
async def drop(inspector: deps.TheInspector, chosen: Selection) -> Dropped:
    """Delete dead letters for good: some by their ids, those of a type or queue, or all. Other tasks are left alone."""
    return Dropped(dropped=await inspector.drop_dead(chosen.ids, type=chosen.type, queue=chosen.queue))


@router.delete("/{task_id}", response_model=Dropped, responses=documented(404))
async def drop_one(inspector: deps.TheInspector, task_id: deps.TaskId) -> Dropped:
    """Delete one dead letter for good."""
    dropped = await inspector.drop_dead([task_id])
    if dropped == 0:
        raise NotFound(f"there is no dead letter {task_id}")
    return Dropped(dropped=dropped)


async def _requeue_each(inspector: Inspector, ids: Sequence[str]) -> Requeued:
    refused: list[Refusal] = []
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        ends = await asyncio.gather(*[_try_requeue(inspector, task_id) for task_id in some])
        refused += [end for end in ends if end is not None]
    return Requeued(requeued=len(ids) - len(refused), refused=refused)


async def _try_requeue(inspector: Inspector, task_id: str) -> Refusal | None:
    try:
        await inspector.requeue(task_id)
    except (NotFound, Conflict) as error:
        return Refusal(id=task_id, code=error.code, message=str(error))
    return None
