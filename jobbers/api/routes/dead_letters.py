"""Dead letters: the tasks that failed for good. List, requeue, drop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import Request

from jobbers.api import deps
from jobbers.api.bulk_views import DeadGroups
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.reach import check_tasks, missing, theirs
from jobbers.api.route import Part
from jobbers.api.routes.tasks import page
from jobbers.api.schemas import RequeueSelection, Selection
from jobbers.api.submit import load_edit
from jobbers.api.task_views import Dropped, Refusal, Requeued, TaskPageView
from jobbers.bulk import Filter, dead_groups
from jobbers.core.access import Scope
from jobbers.core.status import Status
from jobbers.errors import Conflict, NotFound
from jobbers.inspector import Inspector
from jobbers.keyring import chosen as chosen_of

AT_ONCE = 50

router = Part(prefix="/dead-letters", tags=["dead letters"], responses=documented(422))


@router.get("", response_model=TaskPageView, openapi_extra=needs(Scope.READ, by_queue=True))
async def list_dead_letters(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    type: deps.TypeFilter = None,
    queue: deps.QueueFilter = None,
    cursor: deps.Cursor = None,
    limit: deps.Limit = 50,
) -> TaskPageView:
    """List dead letters, the newest first."""
    queue = caller.chosen_queue(queue)
    return await page(inspector, Filter(Status.FAILED, type, queue), cursor=cursor, limit=limit)


@router.get("/groups", response_model=DeadGroups, openapi_extra=needs(Scope.READ, by_queue=True))
async def groups(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    type: deps.TypeFilter = None,
    queue: deps.QueueFilter = None,
    limit: deps.Limit = 100,
) -> DeadGroups:
    """Dead letters by what went wrong: the type of the error, its message without what differs from case to case, and where
    it was raised. Reads up to 50,000 dead letters. To act on a group, see `/tasks/bulk`."""
    queue = caller.chosen_queue(queue)
    return DeadGroups.of(await dead_groups(inspector, type=type, queue=queue), limit)


@router.post(
    "/requeue",
    response_model=Requeued,
    responses=documented(400, 404, 409, 413, 415, 507),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.requeue"),
)
async def requeue(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    request: Request,
    chosen: RequeueSelection,
) -> Requeued:
    """Give dead letters a new life: some by their ids, those of a type or queue, or all.

    Ids that cannot be requeued are listed under `refused`, and do not keep the others from it. With other arguments
    (for exactly one id) such a refusal is the answer: 404 or 409.
    """
    request.state.target = _described(chosen)
    if chosen.ids is None:
        queue = caller.chosen_queue(chosen.queue)
        count = await inspector.requeue_dead(type=chosen.type, queue=queue, limit=chosen.limit)
        return Requeued(requeued=count, refused=[])
    if chosen.given:
        (task_id,) = chosen.ids
        await check_tasks(caller, inspector, [task_id])
        args, kwargs = load_edit(app, await inspector.task(task_id), chosen)
        await inspector.requeue(task_id, args=args, kwargs=kwargs)
        return Requeued(requeued=1, refused=[])
    ids = list(dict.fromkeys(chosen.ids))
    allowed = await theirs(caller, inspector, ids)
    refused = [_refusal(task_id, missing(task_id)) for task_id in ids if task_id not in allowed]
    done = await _requeue_each(inspector, [task_id for task_id in ids if task_id in allowed])
    return Requeued(requeued=done.requeued, refused=[*refused, *done.refused])


@router.post(
    "/drop",
    response_model=Dropped,
    responses=documented(400, 413, 415),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.drop"),
)
async def drop(
    inspector: deps.TheInspector, caller: deps.TheCaller, request: Request, chosen: Selection
) -> Dropped:
    """Delete dead letters for good: some by their ids, those of a type or queue, or all. Other tasks are left alone."""
    request.state.target = _described(chosen)
    if chosen.ids is None:
        queue = caller.chosen_queue(chosen.queue)
        return Dropped(dropped=await inspector.drop_dead(type=chosen.type, queue=queue))
    allowed = await theirs(caller, inspector, chosen.ids)
    ids = [task_id for task_id in chosen.ids if task_id in allowed]
    return Dropped(dropped=await inspector.drop_dead(ids))


@router.delete(
    "/{task_id}",
    response_model=Dropped,
    responses=documented(404),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.drop"),
)
async def drop_one(inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId) -> Dropped:
    """Delete one dead letter for good."""
    await check_tasks(caller, inspector, [task_id])
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
        return _refusal(task_id, error)
    return None


def _refusal(task_id: str, error: NotFound | Conflict) -> Refusal:
    return Refusal(id=task_id, code=error.code, message=str(error))


def _described(selection: Selection) -> str:
    return chosen_of(selection.ids, type=selection.type, queue=selection.queue, all=selection.all)
