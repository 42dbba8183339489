"""What callers get to see of statistics and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from jobbers.api.task_views import View
from jobbers.api.windows import Next
from jobbers.core.tallies import Ran, Tally
from jobbers.statistics import QueueStatistics, Statistics, WorkerStatistics


class RanView(View):
    """For how long executions ran, in seconds; `null` where there are none. Percentiles come from buckets."""

    count: int
    total: float
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, ran: Ran) -> RanView:
        """The view of what was counted."""
        shares = {f"p{share}": ran.percentile(share / 100) for share in (50, 90, 95, 99)}
        return cls(count=ran.count, total=ran.total_ms / 1000, mean=ran.mean, **shares)


class TallyView(View):
    """What became of tasks, and of attempts that the worker ended."""

    outcomes: dict[str, int] = Field(examples=[{"succeeded": 120, "retried": 3, "failed": 1}])
    timeouts: dict[str, int] = Field(
        description="Attempts that ran for too long, by what became of the task.", examples=[{"retried": 2}]
    )
    silences: dict[str, int] = Field(description="Attempts whose heartbeat did not come, likewise.")
    ran: RanView


def _tally(tally: Tally) -> dict[str, object]:
    return {
        "outcomes": dict(tally.outcomes),
        "timeouts": tally.early("timeout"),
        "silences": tally.early("silent"),
        "ran": RanView.of(tally.ran),
    }


class StepView(View):
    """What became of tasks within one step of time."""

    start: datetime
    outcomes: dict[str, int]
    ready: int | None = Field(
        description="Tasks that were ready when it began; `null`: no worker was there to look."
    )


class QueueStatisticsView(TallyView):
    """A queue: where its tasks stand now, and what became of them."""

    name: str
    ready: int
    scheduled: int
    running: int
    dead: int
    oldest_seconds: float
    paused: bool
    workers: int = Field(description="Workers that serve it now.")
    workers_seen: int = Field(description="Workers that have served it within these minutes.")
    slots: int = Field(
        description="How many tasks its workers run at a time, those of other queues included."
    )
    history: list[StepView] = Field(
        description="Oldest first; the last step is not over. Empty without `step`."
    )


class TypeStatisticsView(TallyView):
    """What became of the tasks of one type in one queue."""

    type: str
    queue: str


class StatisticsView(View):
    """Statistics of all queues."""

    now: datetime = Field(description="By the task server's clock.")
    since: datetime = Field(description="When the first of the minutes began.")
    exact: bool = Field(
        description="False when more than 10,000 tasks were scheduled, running or dead: then those are estimated."
    )
    queues: list[QueueStatisticsView]
    types: list[TypeStatisticsView]
    cursor: Next = None

    @classmethod
    def of(
        cls, seen: Statistics, queues: Sequence[QueueStatistics], step: int | None, cursor: str | None
    ) -> StatisticsView:
        """The view of what was gathered of these queues; ``step`` in minutes."""
        names = {queue.name for queue in queues}
        return cls(
            now=_moment(seen.now_ms),
            since=_moment(seen.since_ms),
            exact=seen.exact,
            queues=[_queue(queue, step, seen.since_ms // 60_000) for queue in queues],
            types=[
                TypeStatisticsView.model_validate({"queue": queue, "type": kind, **_tally(tally)})
                for (queue, kind), tally in sorted(seen.types.items())
                if queue in names
            ],
            cursor=cursor,
        )


def _queue(queue: QueueStatistics, step: int | None, first: int) -> QueueStatisticsView:
    return QueueStatisticsView.model_validate(
        {
            "name": queue.name,
            **queue.places,
            "oldest_seconds": queue.oldest_seconds,
            "paused": queue.paused,
            "workers": queue.workers,
            "workers_seen": queue.seen,
            "slots": queue.slots,
            "history": [] if step is None else _history(queue, step, first),
            **_tally(queue.tally),
        }
    )


def _history(queue: QueueStatistics, step: int, first: int) -> list[StepView]:
    steps: dict[int, Counter[str]] = {}
    for minute, outcomes in sorted(queue.history.items()):
        steps.setdefault(minute - (minute - first) % step, Counter()).update(outcomes)
    return [
        StepView(start=_moment(minute * 60_000), outcomes=dict(it), ready=queue.depths.get(minute))
        for minute, it in steps.items()
    ]


class WorkerStatisticsView(View):
    """A worker that served something within these minutes."""

    id: str
    queues: list[str]
    alive: bool
    timeouts: dict[str, int]
    silences: dict[str, int]

    @classmethod
    def of(cls, worker: WorkerStatistics) -> WorkerStatisticsView:
        """The view of a worker."""
        return cls(
            id=worker.id,
            queues=list(worker.queues),
            alive=worker.alive,
            timeouts=worker.tally.early("timeout"),
            silences=worker.tally.early("silent"),
        )


class WorkerStatisticsList(View):
    """Statistics of all workers."""

    workers: list[WorkerStatisticsView]
    cursor: Next = None


class AdviceView(View):
    """What a queue needs. Rates are tasks a second, times are seconds."""

    queue: str
    ready: int
    arrival_rate: float
    service_rate: float | None = Field(description="What its workers could do if they did nothing else.")
    run_seconds: float | None = Field(description="The mean run time.")
    utilisation: float | None = Field(description="The share of its workers' slots that arrivals keep busy.")
    drain_seconds: float | None = Field(description="Until nothing is ready; `null`: never, or not known.")
    workers: int
    slots: int
    wanted_slots: int
    wanted_workers: int
    why: str


class AdviceList(View):
    """Advice for all queues."""

    target_wait: float
    advice: list[AdviceView]
    cursor: Next = None


class Scale(View):
    """How many workers a queue should have: for autoscalers."""

    value: int


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
