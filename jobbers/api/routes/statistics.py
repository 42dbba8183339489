"""Statistics of queues and workers, and advice on how many workers there should be."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.route import Part
from jobbers.api.statistics_views import (
    AdviceList,
    AdviceView,
    Scale,
    StatisticsView,
    WorkerStatisticsList,
    WorkerStatisticsView,
)
from jobbers.core.access import Scope
from jobbers.store.statistics import KEPT_MINUTES

router = Part(tags=["system"])

Minutes = Annotated[int, Query(ge=1, le=KEPT_MINUTES, description="How many minutes to look back.")]
TargetWait = Annotated[
    float, Query(ge=0.001, le=86_400, description="For how many seconds tasks may wait, on average.")
]


@router.get(
    "/stats/queues",
    response_model=StatisticsView,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def queue_statistics(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    window: deps.TheWindow,
    minutes: Minutes = 60,
    step: Annotated[
        int | None, Query(ge=1, le=KEPT_MINUTES, description="History in steps of so many minutes.")
    ] = None,
) -> StatisticsView:
    """Where the tasks of each queue stand, who serves it, and what became of its tasks in the last minutes.

    Costs a small read a minute and shard, and one for each task that is scheduled, running or dead, up to 10,000 of each.
    """
    seen = await inspector.statistics(minutes)
    theirs = [queue for queue in seen.queues if caller.may_use([queue.name])]
    found, cursor = window.of(theirs, lambda queue: queue.name)
    return StatisticsView.of(seen, found, step, cursor)


@router.get(
    "/stats/workers",
    response_model=WorkerStatisticsList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ),
)
async def worker_statistics(
    inspector: deps.TheInspector, window: deps.TheWindow, minutes: Minutes = 60
) -> WorkerStatisticsList:
    """The workers of the last minutes, the queues that they served, and which attempts they ended early."""
    seen = await inspector.statistics(minutes)
    found, cursor = window.of(seen.workers, lambda worker: worker.id)
    return WorkerStatisticsList(workers=[WorkerStatisticsView.of(worker) for worker in found], cursor=cursor)


@router.get(
    "/advice",
    response_model=AdviceList,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def advice(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    window: deps.TheWindow,
    target_wait: TargetWait = 5.0,
) -> AdviceList:
    """For each queue, how fast tasks arrive and can be run, and how many workers keep their wait below the target."""
    theirs = [one for one in await inspector.advice(target_wait) if caller.may_use([one.queue])]
    found, cursor = window.of(theirs, lambda one: one.queue)
    return AdviceList(
        target_wait=target_wait, advice=[AdviceView.model_validate(one) for one in found], cursor=cursor
    )


@router.get(
    "/scale/{name}",
    response_model=Scale,
    responses=documented(422),
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def scale(
    inspector: deps.TheInspector,
    caller: deps.TheCaller,
    name: deps.QueueName,
    target_wait: TargetWait = 5.0,
    at_least: Annotated[int, Query(ge=0, le=1_000_000, description="Never say less.")] = 0,
    at_most: Annotated[int, Query(ge=0, le=1_000_000, description="Never say more.")] = 1_000,
) -> Scale:
    """How many workers one queue should have, as one number; 0 for a queue that nothing is known of. For KEDA's scaler
    `metrics-api` with `valueLocation: value` and `targetValue: "1"`."""
    caller.check_queues([name])
    found = await inspector.advice(target_wait, name)
    wanted = found[0].wanted_workers if found else 0
    return Scale(value=max(at_least, min(wanted, at_most)))
