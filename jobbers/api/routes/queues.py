"""Queues: how they stand, pause, drain, resume, limit and purge; types that are sent elsewhere."""

from __future__ import annotations

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import ApiError, documented
from jobbers.api.route import Part
from jobbers.api.system_views import (
    Draining,
    Limit,
    LimitWanted,
    Pause,
    Purge,
    Purged,
    QueueList,
    QueueView,
    Route,
    RouteList,
    RouteWanted,
)
from jobbers.core.access import Scope
from jobbers.errors import NotFound

router = Part(tags=["queues"])


@router.get(
    "/queues",
    response_model=QueueList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def queues(inspector: deps.TheInspector, caller: deps.TheCaller, window: deps.TheWindow) -> QueueList:
    """All queues with their depth, the age of their oldest ready task, and whether they are paused."""
    theirs = [queue for queue in await inspector.queues() if caller.may_use([queue.name])]
    found, cursor = window.of(theirs, lambda queue: queue.name)
    return QueueList(queues=[QueueView.model_validate(queue) for queue in found], cursor=cursor)


@router.get(
    "/queues/{name}",
    response_model=QueueView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def queue(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> QueueView:
    """How one queue stands."""
    caller.check_queues([name])
    found = next((one for one in await inspector.queues() if one.name == name), None)
    if found is None:
        raise NotFound(f"there is no queue {name}: nothing has been submitted to it yet")
    return QueueView.model_validate(found)


@router.post(
    "/queues/{name}/pause",
    response_model=Pause,
    responses=documented(415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="queues.pause"),
)
async def pause(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> Pause:
    """Give nothing out of a queue any more; what runs goes on, and what is submitted waits."""
    caller.check_queues([name])
    await inspector.pause(name)
    return Pause(name=name, paused=True)


@router.post(
    "/queues/{name}/resume",
    response_model=Pause,
    responses=documented(415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="queues.resume"),
)
async def resume(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> Pause:
    """Give out of a queue again, and take what is submitted again."""
    caller.check_queues([name])
    await inspector.resume(name)
    return Pause(name=name, paused=False)


@router.post(
    "/queues/{name}/drain",
    response_model=Draining,
    responses=documented(415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="queues.drain"),
)
async def drain(inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName) -> Draining:
    """Take nothing more that is submitted to a queue: `queue_draining`. What is there, and what runs and retries put there,
    is done. `resume` ends it."""
    caller.check_queues([name])
    await inspector.drain(name)
    return Draining(name=name, draining=True)


@router.post(
    "/queues/{name}/purge",
    response_model=Purged,
    responses=documented(400, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, by_queue=True, deed="queues.purge"),
)
async def purge(
    inspector: deps.TheInspector, caller: deps.TheCaller, name: deps.QueueName, body: Purge
) -> Purged:
    """Cancel everything that waits in a queue: ready and scheduled tasks. What runs goes on. Takes a while for many."""
    caller.check_queues([name])
    if body.queue != name:
        raise ApiError(
            422,
            "invalid_input",
            f"queue: write the name of the queue to be purged, {name}, once more",
            "queue",
        )
    return Purged(name=name, purged=await inspector.purge(name))


@router.put(
    "/queues/{name}/limit",
    response_model=Limit,
    responses=documented(400, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="queues.limit"),
)
async def limit(inspector: deps.TheInspector, name: deps.QueueName, body: LimitWanted) -> Limit:
    """Bound how many tasks may be ready in a queue, whatever the code says."""
    await inspector.limit(name, body.max_length, body.when_full)
    return Limit(name=name, max_length=body.max_length, when_full=body.when_full if body.max_length else None)


@router.delete(
    "/queues/{name}/limit",
    response_model=Limit,
    responses=documented(422),
    openapi_extra=needs(Scope.OPERATE, deed="queues.unlimit"),
)
async def unlimit(inspector: deps.TheInspector, name: deps.QueueName) -> Limit:
    """Let the code say again how many tasks may be ready in a queue."""
    await inspector.unlimit(name)
    return Limit(name=name, max_length=None, when_full=None)


@router.get("/routes", response_model=RouteList, responses=documented(422), openapi_extra=needs(Scope.READ))
async def routes(inspector: deps.TheInspector, window: deps.TheWindow) -> RouteList:
    """The types whose tasks are sent to another queue than their own."""
    found, cursor = window.of((await inspector.routes()).items(), lambda pair: pair[0])
    return RouteList(routes=[Route(type=kind, queue=queue) for kind, queue in found], cursor=cursor)


@router.put(
    "/routes/{kind}",
    response_model=Route,
    responses=documented(400, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="queues.route"),
)
async def route(inspector: deps.TheInspector, kind: deps.TypeName, body: RouteWanted) -> Route:
    """Send the tasks of a type to this queue from now on. Clients look at most every second."""
    await inspector.route(kind, body.queue)
    return Route(type=kind, queue=body.queue)


@router.delete(
    "/routes/{kind}",
    response_model=Route,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.OPERATE, deed="queues.unroute"),
)
async def unroute(inspector: deps.TheInspector, kind: deps.TypeName) -> Route:
    """Let the tasks of a type go where it says."""
    await inspector.unroute(kind)
    return Route(type=kind, queue=None)
