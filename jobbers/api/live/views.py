"""What topics that are read as a whole tell: what the route of the same subject answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import to_json

from jobbers.api.breaker_views import BreakerList, BreakerView
from jobbers.api.bulk_views import DeadGroups
from jobbers.api.limit_views import LimitDetails, LimitList, LimitUseView, LimitView
from jobbers.api.live.topics import Kind, Topic
from jobbers.api.role_views import RoleList
from jobbers.api.run_views import GraphList, GraphView, RunPage
from jobbers.api.schedule_views import ScheduleList, ScheduleView
from jobbers.api.statistics_views import AdviceList, AdviceView, StatisticsView
from jobbers.api.strike_views import StrikeList, StrikeView
from jobbers.api.system_views import (
    QueueList,
    QueueView,
    Route,
    RouteList,
    StatsView,
    TaskTypeDetails,
    TaskTypeList,
)
from jobbers.api.task_views import LogLineView, LogsView, TaskPageView, TaskSummary, TaskView, View
from jobbers.api.why_views import WhyView
from jobbers.api.windows import encoded
from jobbers.api.worker_views import WorkerDetails, WorkerList, WorkerView
from jobbers.app import Jobbers
from jobbers.bulk import dead_groups
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.store.logs import MOST_LINES

LARGE = 64 * 1024
"""A task of more bytes than this is told of in short, without arguments and errors."""
RECENT_MINUTES = 2
HOUR = 60
TARGET_WAIT = 5.0
"""Advice is for this wait in seconds, the default of its route."""

EVERY: dict[Kind, float] = {
    "workers": 2.0,
    "tasks": 1.0,
    "runs": 1.0,
    "why": 2.0,
    "logs": 1.0,
    "limits": 1.0,
    "limit": 1.0,
    "breakers": 1.0,
    "strikes": 2.0,
    "roles": 2.0,
    "schedules": 2.0,
    "schedule": 2.0,
    "groups": 5.0,
    "advice": 5.0,
    "statistics": 15.0,
    "worker": 2.0,
    "routes": 2.0,
    "task-type": 10.0,
    "task-types": 10.0,
    "dags": 60.0,
}
"""Seconds between two reads, where they are not half a second."""
SEARCH = 5.0
"""The same for lists for which thousands of records may be looked at."""


async def _queues(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = await (await app.inspector()).queues()
    return dumped(QueueList(queues=[QueueView.model_validate(it) for it in found]))


async def _workers(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = await (await app.inspector()).workers()
    return dumped(WorkerList(workers=[WorkerView.model_validate(it) for it in found]))


async def _worker(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return dumped(await WorkerDetails.of(await app.inspector(), topic.name))


async def _task_types(app: Jobbers, _: Topic) -> dict[str, Any]:
    return dumped(await TaskTypeList.of(app))


async def _task_type(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return dumped(await TaskTypeDetails.of(app, await app.inspector(), topic.name, HOUR))


async def _dags(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = sorted(app.dags.values(), key=lambda dag: dag.name)
    return dumped(GraphList(dags=[GraphView.of(dag) for dag in found]))


async def _routes(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = sorted((await (await app.inspector()).routes()).items())
    return dumped(RouteList(routes=[Route(type=kind, queue=queue) for kind, queue in found]))


async def _stats(app: Jobbers, _: Topic) -> dict[str, Any]:
    inspector = await app.inspector()
    counts, counted = await asyncio.gather(inspector.counts(), inspector.stats(RECENT_MINUTES))
    return dumped(StatsView.of(await inspector.store.inspect.now_ms(), counts, counted))


async def _statistics(app: Jobbers, _: Topic) -> dict[str, Any]:
    seen = await (await app.inspector()).statistics(HOUR)
    return dumped(StatisticsView.of(seen, seen.queues, 1, None))


async def _tasks(app: Jobbers, topic: Topic) -> dict[str, Any]:
    page = await (await app.inspector()).tasks(
        Status(topic.name),
        type=topic.type,
        queue=topic.queue,
        limit=topic.limit,
        takes=None if topic.chosen is None else topic.chosen.takes,
    )
    return dumped(TaskPageView(tasks=[TaskSummary.of(it) for it in page.tasks], cursor=page.cursor))


async def _task(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return _short_if_large(await (await app.inspector()).task(topic.name), app.settings.trace_url)


async def _logs(app: Jobbers, topic: Topic) -> dict[str, Any]:
    lines = await (await app.inspector()).logs(topic.name, MOST_LINES)
    return dumped(LogsView(id=topic.name, lines=[LogLineView.model_validate(line) for line in lines]))


async def _why(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return dumped(WhyView.of(await (await app.inspector()).why(topic.name, None)))


async def _runs(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return dumped(RunPage.of(await (await app.inspector()).runs(dag=topic.dag, limit=topic.limit)))


async def _groups(app: Jobbers, topic: Topic) -> dict[str, Any]:
    found = await dead_groups(await app.inspector(), type=topic.type, queue=topic.queue)
    return dumped(DeadGroups.of(found, topic.limit))


async def _advice(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = await (await app.inspector()).advice(TARGET_WAIT)
    return dumped(
        AdviceList(target_wait=TARGET_WAIT, advice=[AdviceView.model_validate(one) for one in found])
    )


async def _schedules(app: Jobbers, topic: Topic) -> dict[str, Any]:
    found, last = await app.schedules.page("", topic.limit)
    cursor = None if last is None else encoded(last)
    return dumped(ScheduleList(schedules=[ScheduleView.of(one) for one in found], cursor=cursor))


async def _schedule(app: Jobbers, topic: Topic) -> dict[str, Any]:
    return dumped(ScheduleView.of(await app.schedules.get(topic.name)))


async def _limits(app: Jobbers, _: Topic) -> dict[str, Any]:
    return dumped(LimitList(limits=[LimitView.model_validate(one) for one in await app.limits.list()]))


async def _limit(app: Jobbers, topic: Topic) -> dict[str, Any]:
    state, uses = await app.limits.get(topic.name), await app.limits.uses(topic.name)
    return dumped(
        LimitDetails(
            limit=LimitView.model_validate(state), uses=[LimitUseView.model_validate(use) for use in uses]
        )
    )


async def _breakers(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = await app.breakers.list()
    return dumped(BreakerList(breakers=[BreakerView.model_validate(one) for one in found]))


async def _strikes(app: Jobbers, _: Topic) -> dict[str, Any]:
    found = await (await app.inspector()).strikes()
    return dumped(StrikeList(strikes=[StrikeView.of(strike) for strike in found]))


async def _roles(app: Jobbers, _: Topic) -> dict[str, Any]:
    return dumped(RoleList.model_validate(await (await app.live_roles()).report()))


_VIEWS: dict[Kind, Callable[[Jobbers, Topic], Awaitable[dict[str, Any]]]] = {
    "advice": _advice,
    "breakers": _breakers,
    "dags": _dags,
    "groups": _groups,
    "limit": _limit,
    "logs": _logs,
    "limits": _limits,
    "queues": _queues,
    "roles": _roles,
    "routes": _routes,
    "runs": _runs,
    "schedule": _schedule,
    "schedules": _schedules,
    "statistics": _statistics,
    "stats": _stats,
    "strikes": _strikes,
    "task": _task,
    "task-type": _task_type,
    "task-types": _task_types,
    "tasks": _tasks,
    "why": _why,
    "worker": _worker,
    "workers": _workers,
}


async def view_of(app: Jobbers, topic: Topic) -> dict[str, Any]:
    """What a topic tells now. Raises what the route of its subject raises."""
    return await _VIEWS[topic.kind](app, topic)


def _short_if_large(record: TaskRecord, trace_url: str) -> dict[str, Any]:
    data = dumped(TaskView.of(record, trace_url))
    if len(to_json(data)) <= LARGE:
        return data | {"large": False}
    return dumped(TaskSummary.of(record)) | {"large": True}


def dumped(view: View) -> dict[str, Any]:
    """A view as what JSON can say."""
    return view.model_dump(mode="json")
