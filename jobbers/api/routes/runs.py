"""Graphs of tasks and their runs. Waiting for a run's result and cancelling it are those of a task."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.reach import check_graph, check_run, their_runs
from jobbers.api.route import Part
from jobbers.api.run_views import (
    GraphList,
    GraphView,
    RunPage,
    RunRepeated,
    RunStarted,
    RunView,
)
from jobbers.api.schemas import Repetition, RunRequest
from jobbers.api.task_views import StatusView
from jobbers.api.values import from_json_kwargs
from jobbers.client import new_id
from jobbers.core.access import Scope
from jobbers.core.status import Status

router = Part(tags=["runs"])

MOST_PLANS = 100
"""Of so many runs of one page it is looked up which queues they touch."""
DagName = Annotated[str, Path(description="Name of a graph.", max_length=200, examples=["etl"])]


@router.get(
    "/dags",
    response_model=GraphList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def dags(app: deps.TheApp, window: deps.TheWindow) -> GraphList:
    """The graphs of this service's app."""
    found, cursor = window.of(app.dags.values(), lambda dag: dag.name)
    return GraphList(dags=[GraphView.of(dag) for dag in found], cursor=cursor)


@router.get(
    "/dags/{name}",
    response_model=GraphView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def dag(app: deps.TheApp, name: DagName) -> GraphView:
    """One graph: its parameters and its nodes, each behind those that it waits for."""
    return GraphView.of(app.find_dag(name))


@router.post(
    "/dags/{name}/runs",
    status_code=201,
    response_model=RunStarted,
    responses={
        **documented(400, 404, 413, 415, 422, 507),
        200: {"model": RunStarted, "description": "There was such a run already."},
    },
    openapi_extra=needs(Scope.SUBMIT, by_queue=True),
)
async def start(
    app: deps.TheApp,
    client: deps.TheClient,
    caller: deps.TheCaller,
    *,
    name: DagName,
    request: RunRequest,
    response: Response,
    call: deps.TheCall,
) -> RunStarted:
    """Start a run. It is there whole or not at all; with an `id` of your own the call can be repeated when its answer was
    lost: the run is made once."""
    graph = app.find_dag(name)
    params = graph.graph.load(from_json_kwargs(request.params))
    check_graph(caller, graph)
    chosen = request.id or (call.seed if call is not None else None)
    run_id = chosen or new_id()
    there = chosen is not None and (await client.store.inspect.outcomes([run_id]))[0] is not None
    await graph.submit_as(run_id, params)
    if there:
        response.status_code = 200
    return RunStarted(id=run_id, created=not there)


@router.get(
    "/runs",
    response_model=RunPage,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def runs(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    *,
    dag: Annotated[str | None, Query(max_length=200, description="Only runs of this graph.")] = None,
    cursor: deps.Cursor = None,
    limit: deps.Limit = 100,
) -> RunPage:
    """Runs, the newest first; for a key that is restricted to queues those all of whose tasks are in these, looking at
    100 at most. A page may be short, even empty; there is more as long as it has a cursor."""
    most = limit if caller.queues is None else min(limit, MOST_PLANS)
    page = await inspector.runs(dag=dag, cursor=cursor, limit=most)
    return RunPage.of(await their_runs(caller, app, page))


@router.post(
    "/runs/{task_id}/pause",
    response_model=StatusView,
    responses=documented(404, 409, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="runs.pause"),
)
async def pause(
    app: deps.TheApp, inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId
) -> StatusView:
    """Let nothing more of a run start; what runs goes on."""
    await check_run(caller, app, inspector, task_id)
    await app.run(task_id).pause()
    return StatusView(id=task_id, status=Status.BLOCKED)


@router.post(
    "/runs/{task_id}/resume",
    response_model=StatusView,
    responses=documented(404, 409, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="runs.resume"),
)
async def resume(
    app: deps.TheApp, inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId
) -> StatusView:
    """Let a paused run go on."""
    await check_run(caller, app, inspector, task_id)
    await app.run(task_id).resume()
    return StatusView(id=task_id, status=Status.BLOCKED)


@router.post(
    "/runs/{task_id}/retry",
    response_model=RunRepeated,
    responses=documented(400, 404, 409, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="runs.retry"),
)
async def retry(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    task_id: deps.TaskId,
    request: Repetition | None = None,
) -> RunRepeated:
    """Repeat a run that failed or was cancelled: its nodes that did not succeed run again, what the others returned is
    kept. With `from_node` that one and all behind it run again, too, also of a run that succeeded."""
    await check_run(caller, app, inspector, task_id)
    from_node = request.from_node if request else None
    return RunRepeated(id=task_id, again=await app.run(task_id).retry(from_node))


@router.get(
    "/runs/{task_id}",
    response_model=RunView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def run(
    app: deps.TheApp, inspector: deps.TheInspector, caller: deps.TheCaller, task_id: deps.TaskId
) -> RunView:
    """Where a run and each of its nodes stands. Its result is at `/tasks/{id}/result`, and `/tasks/{id}/cancel` ends it
    with all its tasks."""
    await check_run(caller, app, inspector, task_id)
    return await RunView.of(app.run(task_id))
