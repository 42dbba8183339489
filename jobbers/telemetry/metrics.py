"""Metrics: counted in accumulators of our own while tasks run. Imports nothing of OpenTelemetry: what goes out is shaped in
:mod:`jobbers.telemetry.exported`, what is asked for in :mod:`jobbers.telemetry.exposition`."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from jobbers.core.decide import HeartbeatMissed
from jobbers.core.events import (
    AttemptEnded,
    AttemptStarted,
    BatchStarted,
    FinishRefused,
    LeaseLost,
    LimitMeasured,
    LoopBlocked,
    Outcome,
    QueueMeasured,
    RunsCounted,
    ScheduleFired,
    ScriptCalled,
    SpreadMeasured,
    TaskReclaimed,
    TasksClaimed,
    TasksCounted,
    TaskSubmitted,
    WorkerPulse,
    WorkerStopped,
)
from jobbers.telemetry import names
from jobbers.telemetry.catalogue import CUMULATIVE
from jobbers.telemetry.exceptions import kind_of
from jobbers.telemetry.histogram import BOUNDS, SIZES, Histogram, Sample

MOST_SERIES = 2_000
"""Of one metric; what comes beyond is counted under ``other``, so that no queue named by a user id can grow it for ever."""
STALE_SECONDS = 35.0
"""A gauge that nobody has set for so long is not sent: another worker measures the queues now, or the worker ended."""

ENDS = {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED}
"""Outcomes of attempts after which the task has ended, too."""

SERVER_ERRORS = 500
"""Statuses from here on are errors of ours."""

Labels = tuple[tuple[str, str], ...]
Where = tuple[int, int]
"""A span that is recorded: its trace and itself."""


class Family(NamedTuple):
    """One metric with all its series; ``kind`` is ``sum`` (which only grows), ``gauge`` or ``histogram``."""

    name: str
    kind: str
    series: Sequence[tuple[Labels, float | Histogram]]


class Counter:
    """One series of a sum."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Start(NamedTuple):
    """Where the starts of one type in one queue are counted."""

    consumed: Counter
    wait: Histogram


class End(NamedTuple):
    """Where the ends of one type in one queue are counted that came out alike."""

    finished: Counter
    run: Histogram
    whole: Histogram | None
    retries: Counter | None
    missed: Counter | None


class Answered(NamedTuple):
    """A request of the API: its method, the template of its route (empty where there is none), and the status of its
    answer; 0 where it got none."""

    method: str
    scheme: str
    route: str
    status: int


class Metrics:
    """Listens to events on any thread; :meth:`data` is called by the thread that sends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.began_ns = time.time_ns()
        self._counters: dict[str, dict[Labels, Counter]] = defaultdict(dict)
        self._histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)
        self._gauges: dict[str, dict[Labels, tuple[float, float]]] = defaultdict(dict)
        self._starts: dict[tuple[str, str], Start] = {}
        self._ends: dict[tuple[str, str, str, type[BaseException] | None], End] = {}
        self._requests: dict[Answered, Histogram] = {}
        self._streams: int | None = None

    def sent(self, queue: str, seconds: float, error: str | None, where: Where | None = None) -> None:
        """A call that submitted; ``where`` is its span."""
        labels: Labels = ((names.OPERATION, "send"), (names.DESTINATION, queue))
        if error:
            labels = (*labels, (names.ERROR_TYPE, error))
        with self._lock:
            histogram = self._histogram(names.OPERATION_DURATION, labels)
            histogram.add(seconds)
            if where is not None:
                histogram.sample = Sample(seconds, time.time_ns(), *where)

    def submitted(self, event: TaskSubmitted) -> None:
        """A task was taken."""
        self._count(names.SENT, ((names.OPERATION, "send"), (names.DESTINATION, event.queue)))

    def started(self, event: AttemptStarted) -> None:
        """An attempt begins."""
        with self._lock:
            place = self._starts.get((event.type, event.queue)) or self._start(event.type, event.queue)
            place.consumed.value += 1
            if event.attempt + event.snoozes == 1:
                place.wait.add(max(0.0, time.time() - event.created_ms / 1000))

    def ended(self, event: AttemptEnded, where: Where | None) -> None:
        """An attempt has ended; ``where`` is its own span, for the exemplar."""
        error = None if event.error is None else type(event.error)
        key = (event.type, event.queue, event.outcome.value, error)
        sample = None if where is None else Sample(event.seconds, time.time_ns(), *where)
        with self._lock:
            place = self._ends.get(key) or self._end(event.type, event.queue, event.outcome, error)
            place.finished.value += 1
            place.run.add(event.seconds)
            if place.retries is not None:
                place.retries.value += 1
            if place.missed is not None:
                place.missed.value += 1
            if sample is not None:
                place.run.sample = sample
            if place.whole is not None and event.created_ms:
                since = max(0.0, time.time() - event.created_ms / 1000)
                place.whole.add(since)
                if sample is not None:
                    place.whole.sample = sample._replace(value=since)

    def _start(self, type_: str, queue: str) -> Start:
        """Where the starts of these are counted; remembered, for finding it by labels takes longer than counting."""
        labels: Labels = ((names.OPERATION, "process"), (names.DESTINATION, queue))
        place = Start(
            self._counter(names.CONSUMED, labels), self._histogram(names.TASK_WAIT, _of(type_, queue))
        )
        if len(self._starts) < MOST_SERIES:
            self._starts[type_, queue] = place
        return place

    def _end(self, type_: str, queue: str, outcome: Outcome, error: type[BaseException] | None) -> End:
        """Like :meth:`_start`, for ends."""
        labels = (*_of(type_, queue), (names.TASK_OUTCOME, outcome.value))
        of_run = ((names.OPERATION, "process"), *labels)
        if error is not None:
            of_run = (*of_run, (names.ERROR_TYPE, kind_of(error)))
        place = End(
            self._counter(names.TASKS_FINISHED, labels),
            self._histogram(names.PROCESS_DURATION, of_run),
            self._histogram(names.TASK_END_TO_END, labels) if outcome in ENDS else None,
            self._counter(names.TASK_RETRIES, _of(type_, queue)) if outcome is Outcome.RETRIED else None,
            self._counter(names.HEARTBEATS_MISSED, _of(type_, queue)) if error is HeartbeatMissed else None,
        )
        if len(self._ends) < MOST_SERIES:
            self._ends[type_, queue, outcome.value, error] = place
        return place

    def refused(self, event: FinishRefused) -> None:
        """The fence has held."""
        self._count(names.FINISHES_REFUSED, (("jobbers.verb", event.verb),))

    def lost(self, event: LeaseLost) -> None:
        """An execution lost its task."""
        self._count(names.LEASES_LOST, ((names.TASK_TYPE, event.type),))

    def reclaimed(self, event: TaskReclaimed) -> None:
        """A task was taken back."""
        self._count(names.TASKS_RECLAIMED, (("jobbers.task.poison", str(event.poison).lower()),))

    def pulse(self, event: WorkerPulse) -> None:
        """How a worker stands."""
        labels: Labels = ((names.WORKER, event.worker),)
        self._set(names.WORKER_BUSY, labels, event.busy)
        self._set(names.WORKER_SLOTS, labels, event.slots)
        self._set(names.LOOP_LAG, labels, event.lag_seconds)

        if event.memory_bytes:
            self._set(names.PROCESS_MEMORY, labels, event.memory_bytes)
        self._set(names.PROCESS_CPU, labels, event.cpu_seconds)

    def script(self, event: ScriptCalled) -> None:
        """A script has answered."""
        self._time(names.SCRIPT_DURATION, ((names.SCRIPT, event.name),), event.seconds)

    def claimed(self, event: TasksClaimed) -> None:
        """A claim has brought tasks."""
        self._size(names.CLAIM_SIZE, (), event.tasks)

    def batch(self, event: BatchStarted) -> None:
        """A function is called for many tasks."""
        self._size(names.BATCH_SIZE, ((names.TASK_TYPE, event.type),), event.tasks)

    def fired(self, event: ScheduleFired) -> None:
        """A schedule was started."""
        self._time(names.SCHEDULE_LATENESS, ((names.SCHEDULE, event.name),), event.late_seconds)

    def counted(self, event: TasksCounted) -> None:
        """How many tasks are in a status."""
        self._set(names.TASKS, ((names.STATUS, event.status),), event.tasks)

    def limited(self, event: LimitMeasured) -> None:
        """How a limit stands."""
        labels: Labels = ((names.LIMIT, event.limit),)
        self._set(names.LIMIT_USED, labels, event.used)
        self._set(names.LIMIT_WAITING, labels, event.waiting)

    def spread(self, event: SpreadMeasured) -> None:
        """How evenly tasks lie."""
        labels: Labels = ((names.OVER, event.over),)
        self._set(
            names.SPREAD_SKEW, (*labels, (names.TASK_TYPE, event.type)) if event.type else labels, event.skew
        )

    def answered(self, request: Answered, seconds: float, where: Where | None) -> None:
        """A request was answered; ``where`` is its span."""
        with self._lock:
            histogram = self._requests.get(request) or self._request(request)
            histogram.add(seconds)
            if where is not None:
                histogram.sample = Sample(seconds, time.time_ns(), *where)

    def _request(self, request: Answered) -> Histogram:
        """Like :meth:`_start`, for requests."""
        labels: Labels = ((names.HTTP_METHOD, request.method), (names.URL_SCHEME, request.scheme))
        if request.route:
            labels = (*labels, (names.HTTP_ROUTE, request.route))
        if request.status:
            labels = (*labels, (names.HTTP_STATUS, str(request.status)))
        if request.status >= SERVER_ERRORS:
            labels = (*labels, (names.ERROR_TYPE, str(request.status)))
        histogram = self._histogram(names.REQUEST_DURATION, labels)
        if len(self._requests) < MOST_SERIES:
            self._requests[request] = histogram
        return histogram

    def streams(self, more: int) -> None:
        """So many more streams of events are open."""
        with self._lock:
            self._streams = (self._streams or 0) + more

    def credential_refused(self, via: str) -> None:
        """A ``key`` or ``login`` that nobody knows."""
        self._count(names.CREDENTIALS_REFUSED, ((names.VIA, via),))

    def runs(self, event: RunsCounted) -> None:
        """How runs ended lately."""
        labels: Labels = ((names.RUN_NAME, event.name), (names.TASK_OUTCOME, event.outcome))
        self._set(names.RUNS_LAST_MINUTE, labels, event.runs)

    def stopped(self, event: WorkerStopped) -> None:
        """A worker is busy no more."""
        self._set(names.WORKER_BUSY, ((names.WORKER, event.worker),), 0)

    def blocked(self, event: LoopBlocked) -> None:
        """Code has blocked a loop, and it is over."""
        if event.over:
            self._time(names.LOOP_BLOCKED, ((names.TASK_TYPE, event.type),), event.seconds)

    def measured(self, event: QueueMeasured) -> None:
        """How a queue stands."""
        labels: Labels = ((names.DESTINATION, event.queue),)
        self._set(names.QUEUE_DEPTH, labels, event.depth)
        self._set(names.QUEUE_OLDEST, labels, event.oldest_seconds)

    def _count(self, name: str, labels: Labels) -> None:
        with self._lock:
            self._counter(name, labels).value += 1

    def _time(self, name: str, labels: Labels, seconds: float) -> None:
        with self._lock:
            self._histogram(name, labels).add(seconds)

    def _size(self, name: str, labels: Labels, number: int) -> None:
        with self._lock:
            self._histogram(name, labels, SIZES).add(number)

    def _counter(self, name: str, labels: Labels) -> Counter:
        """The counter of these labels; the lock is held."""
        series = self._counters[name]
        found = series.get(labels)
        return found or series.setdefault(_bounded(labels, len(series)), Counter())

    def _histogram(self, name: str, labels: Labels, bounds: tuple[float, ...] = BOUNDS) -> Histogram:
        """The histogram of these labels; the lock is held."""
        series = self._histograms[name]
        found = series.get(labels)
        return found or series.setdefault(_bounded(labels, len(series)), Histogram(bounds))

    def _set(self, name: str, labels: Labels, value: float) -> None:
        with self._lock:
            series = self._gauges[name]
            series[labels if labels in series else _bounded(labels, len(series))] = value, time.monotonic()

    def families(self) -> list[Family]:
        """All that there is to tell, copied. Sums go on from where they were."""
        with self._lock:
            fresh = time.monotonic() - STALE_SECONDS
            for series in self._gauges.values():
                for labels in [labels for labels, (_, at) in series.items() if at < fresh]:
                    del series[labels]
            found = [
                *(
                    Family(name, "sum", [(labels, it.value) for labels, it in series.items()])
                    for name, series in self._counters.items()
                ),
                *(
                    Family(
                        name, "histogram", [(labels, it.copy()) for labels, it in series.items() if it.count]
                    )
                    for name, series in self._histograms.items()
                ),
                *(
                    Family(
                        name,
                        "sum" if name in CUMULATIVE else "gauge",
                        [(labels, value) for labels, (value, _) in series.items()],
                    )
                    for name, series in self._gauges.items()
                ),
            ]
            if self._streams is not None:
                found.append(Family(names.EVENT_STREAMS, "gauge", [((), self._streams)]))
        return [family for family in found if family.series]


def _of(type_: str, queue: str) -> Labels:
    return ((names.DESTINATION, queue), (names.TASK_TYPE, type_))


def _bounded(labels: Labels, series: int) -> Labels:
    """These labels, or the ones that stand for all beyond the bound."""
    return labels if series < MOST_SERIES else tuple((name, "other") for name, _ in labels)
