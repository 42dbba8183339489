"""Submit, read, wait, cancel, requeue."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, NoReturn

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic_core import to_json

from jobbers.api import deps
from jobbers.api.bulk_views import Bulk, BulkDone
from jobbers.api.callers import needs
from jobbers.api.errors import ApiError, documented, within
from jobbers.api.filters import TheFilter
from jobbers.api.reach import check_tasks, missing
from jobbers.api.route import Part
from jobbers.api.schemas import Batch, Cancellation, Edit, Submission
from jobbers.api.submit import load_edit, prepare, prepare_again, prepare_all, submit_all
from jobbers.api.task_views import (
    Cancelled,
    LogLineView,
    LogsView,
    ResultView,
    StatusView,
    Submitted,
    SubmittedBatch,
    TaskPageView,
    TaskSummary,
    TaskView,
)
from jobbers.api.values import to_json_value
from jobbers.api.waiting import wait_for
from jobbers.api.why_views import WhyView
from jobbers.bulk import Filter, act
from jobbers.client import Client
from jobbers.core.access import Scope
from jobbers.core.payload import Undecodable, unpack
from jobbers.core.status import Status
from jobbers.errors import NotFound, TaskCancelled, TaskFailed, TaskSkipped
from jobbers.inspector import Inspector
from jobbers.store.inspect import Outcome
from jobbers.store.logs import MOST_LINES

LONGEST_WAIT = 60.0
LARGE = 256 * 1024
"""Results of more bytes than this are turned into JSON in a thread."""

router = Part(prefix="/tasks", tags=["tasks"], responses=documented(422))


@router.post(
    "",
    status_code=201,
    response_model=Submitted,
    responses={
        **documented(400, 409, 413, 415, 429, 507),
        200: {"model": Submitted, "description": "There was such a task already."},
    },
    openapi_extra=needs(Scope.SUBMIT, by_queue=True),
)
async def submit(
    app: deps.TheApp,
    client: deps.TheClient,
    caller: deps.TheCaller,
    submission: Submission,
    response: Response,
    call: deps.TheCall,
) -> Submitted:
    """Submit a task.

    Once this is answered, the task server has it. With an `id` of your own, or with an `Idempotency-Key`, the call can be
    repeated when its answer was lost: the task is made once.
    """
    (submitted,) = await submit_all(client, caller, [prepare(app, caller, submission, call)])
    if not submitted.created:
        response.status_code = 200
    return submitted


@router.post(
    "/batch",
    status_code=201,
    response_model=SubmittedBatch,
    responses={
        **documented(400, 409, 413, 415, 429, 507),
        200: {"model": SubmittedBatch, "description": "There were all these tasks already."},
    },
    openapi_extra=needs(Scope.SUBMIT, by_queue=True),
)
async def submit_batch(
    app: deps.TheApp,
    client: deps.TheClient,
    caller: deps.TheCaller,
    batch: Batch,
    response: Response,
    call: deps.TheCall,
) -> SubmittedBatch:
    """Submit up to 1,000 tasks.

    All are checked before any is written; an error names the first that is wrong, as in `tasks[3]`. They are written in
    few calls, not in one: if the task server fails in between, some may be there. With `id`s of your own, or with an
    `Idempotency-Key`, the batch can be repeated.
    """
    submitted = await submit_all(client, caller, prepare_all(app, caller, batch.tasks, call))
    if not any(task.created for task in submitted):
        response.status_code = 200
    return SubmittedBatch(tasks=submitted)


@router.post(
    "/bulk",
    response_model=BulkDone,
    responses=documented(400, 413, 415, 507),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.bulk"),
)
async def bulk(
    inspector: deps.TheInspector, caller: deps.TheCaller, request: Request, wanted: Bulk
) -> BulkDone:
    """Cancel, retry or drop all tasks that match a filter, up to `limit`, in chunks; with `dry_run` only tell how many
    match. The call can be repeated: it goes on with those that are left."""
    request.state.target = wanted.described
    if not wanted.dry_run:
        request.state.deed = wanted.deed
    with within("filter"):
        queue = caller.chosen_queue(wanted.filter.queue)
        chosen = replace(wanted.filter.chosen(), queue=queue)
        outcome = await act(inspector, wanted.action, chosen, limit=wanted.limit, dry_run=wanted.dry_run)
    return BulkDone(
        matched=outcome.matched,
        done=outcome.done,
        complete=outcome.complete,
        sample=outcome.sample,
        dry_run=wanted.dry_run,
    )


@router.get("", response_model=TaskPageView, openapi_extra=needs(Scope.READ, by_queue=True))
async def list_tasks(
    inspector: deps.TheInspector,
    wanted: TheFilter,
    cursor: deps.Cursor = None,
    limit: deps.Limit = 50,
) -> TaskPageView:
    """List tasks in a status, and only those that match all that is given.

    Of tasks that ended well, were cancelled or skipped, the most recent ones are listed; of blocked ones those
    that stand in line for a limit, a rate, a turn or a breaker, not those that wait for others of their run; of the rest
    all. A page looks at 5,000 tasks at most: it may be short, even empty, and there is more as long as it has a cursor.
    """
    return await page(inspector, wanted, cursor=cursor, limit=limit)


@router.get(
    "/{task_id}",
    response_model=TaskView,
    responses=documented(404),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def read(
    app: deps.TheApp, inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId
) -> TaskView:
    """All that is known of a task."""
    await check_tasks(caller, inspector, [task_id])
    return TaskView.of(await inspector.task(task_id), app.settings.trace_url)


@router.get(
    "/{task_id}/why",
    response_model=WhyView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def why(inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId) -> WhyView:
    """Why a task, or a run, does not run: what holds it up now, and what would hold it up next.

    Those who are restricted to queues hear of others only what is in these.
    """
    await check_tasks(caller, inspector, [task_id])
    return WhyView.of(await inspector.why(task_id, caller.queues))


@router.get(
    "/{task_id}/logs",
    response_model=LogsView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def logs(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    task_id: deps.TaskId,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES, description="How many lines at most.")] = MOST_LINES,
) -> LogsView:
    """The last lines that a task has logged: of types that the setting `keep_logs` names. They come a second late."""
    await check_tasks(caller, inspector, [task_id])
    lines = await inspector.logs(task_id, limit)
    return LogsView(id=task_id, lines=[LogLineView.model_validate(line) for line in lines])


@router.get(
    "/{task_id}/result",
    response_model=ResultView,
    responses={
        **documented(404, 409, 410),
        202: {"model": StatusView, "description": "Not yet: ask again, after `Retry-After` seconds."},
    },
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def result(
    client: deps.TheClient,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    *,
    request: Request,
    stopping: deps.Stopping,
    task_id: deps.TaskId,
    timeout: Annotated[
        float,
        Query(
            ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="How many seconds to wait for the end."
        ),
    ] = 0,
) -> Response:
    """What a task returned; waits for its end if it is asked to.

    A task that failed, was cancelled or skipped answers 409, and the code says which: it will never have a result
    (unless it is requeued).
    """
    await check_tasks(caller, inspector, [task_id])
    outcome = await client.outcome(task_id)
    if timeout > 0 and not outcome.status.final:
        await wait_for(client.wait(task_id, timeout), request, stopping)
        outcome = await client.outcome(task_id)
    if not outcome.status.final:
        waiting = {"id": task_id, "status": outcome.status}
        return JSONResponse(waiting, 202, headers={"Retry-After": "1"})
    if outcome.status is not Status.SUCCEEDED:
        await _refuse(client, task_id, outcome)
    try:
        packed = await client.result_bytes(task_id, outcome)
    except NotFound as error:
        raise ApiError(410, "result_expired", str(error)) from None
    large = len(packed) > LARGE
    body = await asyncio.to_thread(_encode, task_id, packed) if large else _encode(task_id, packed)
    return Response(body, media_type="application/json")


@router.post(
    "/{task_id}/cancel",
    response_model=Cancelled,
    responses=documented(400, 404, 413, 415),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.cancel"),
)
async def cancel(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    task_id: deps.TaskId,
    cancellation: Cancellation | None = None,
) -> Cancelled:
    """End a task now, in whatever status it is; the worker of a running one is told.

    It is no error if the task had ended before: `cancelled` is false then.
    """
    await check_tasks(caller, inspector, [task_id])
    reason = (cancellation or Cancellation()).reason
    ended = (await inspector.cancel([task_id], reason))[task_id]
    if ended is None:
        raise missing(task_id)
    return Cancelled(id=task_id, cancelled=ended)


@router.post(
    "/{task_id}/requeue",
    response_model=StatusView,
    responses=documented(400, 404, 409, 413, 415, 507),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="tasks.requeue"),
)
async def requeue(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    task_id: deps.TaskId,
    edit: Edit | None = None,
) -> StatusView:
    """Give a failed or cancelled task a new life, with all its attempts, and with other arguments if any are given."""
    await check_tasks(caller, inspector, [task_id])
    if edit is not None and edit.given:
        args, kwargs = load_edit(app, await inspector.task(task_id), edit)
        await inspector.requeue(task_id, args=args, kwargs=kwargs)
    else:
        await inspector.requeue(task_id)
    return StatusView(id=task_id, status=Status.QUEUED)


@router.post(
    "/{task_id}/again",
    status_code=201,
    response_model=Submitted,
    responses={
        **documented(400, 404, 409, 413, 415, 429, 507),
        200: {"model": Submitted, "description": "There was such a task already."},
    },
    openapi_extra=needs(Scope.SUBMIT, by_queue=True),
)
async def again(
    app: deps.TheApp,
    client: deps.TheClient,
    inspector: deps.TheInspector,
    *,
    caller: deps.TheCaller,
    call: deps.TheCall,
    task_id: deps.TaskId,
    response: Response,
    edit: Edit | None = None,
) -> Submitted:
    """Submit another task like this one, whatever has become of it: of its type, in its queue, with its priority, and with
    its arguments or others. The task itself stays as it is; to give a failed one a new life, see `/requeue`."""
    await check_tasks(caller, inspector, [task_id])
    record = await inspector.task(task_id)
    (submitted,) = await submit_all(
        client, caller, [prepare_again(app, caller, record, edit or Edit(), call)]
    )
    if not submitted.created:
        response.status_code = 200
    return submitted


async def page(inspector: Inspector, wanted: Filter, *, cursor: str | None, limit: int) -> TaskPageView:
    """A page of the tasks that match."""
    found = await inspector.tasks(
        wanted.status, type=wanted.type, queue=wanted.queue, cursor=cursor, limit=limit, takes=wanted.takes
    )
    return TaskPageView(tasks=[TaskSummary.of(record) for record in found.tasks], cursor=found.cursor)


async def _refuse(client: Client, task_id: str, outcome: Outcome) -> NoReturn:
    """Say why a task that has ended has no result. Raises :class:`TaskFailed` and its like."""
    if outcome.status is Status.CANCELLED:
        raise TaskCancelled(f"task {task_id} was cancelled: {outcome.reason}")
    if outcome.status is Status.SKIPPED:
        raise TaskSkipped(f"task {task_id} was skipped: {outcome.reason}")
    errors = (await client.record(task_id)).errors
    last = f": {errors[-1].type}: {errors[-1].message}" if errors else ""
    raise TaskFailed(f"task {task_id} failed: {outcome.reason}{last}", task_id=task_id, reason=outcome.reason)


def _encode(task_id: str, packed: bytes) -> bytes:
    try:
        value = unpack(packed)
    except Undecodable:
        raise ApiError(
            410, "undecodable_result", "what is stored as the result cannot be read: it is lost"
        ) from None
    return to_json({"id": task_id, "status": Status.SUCCEEDED, "result": to_json_value(value)})
