"""The state of a namespace in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobbers.core.advice import Advice
from jobbers.core.tallies import Tallies, combined
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo

MOST_SERIES = 500
"""Of one metric; the smaller ones beyond are added up under ``other``, so that names cannot overrun who collects."""
OTHER = "other"

Series = Mapping[Any, float]
"""Numbers by the values of their labels, which are tuples of text."""

_ADVICE = {
    "arrival_rate": "Tasks that become ready, a second.",
    "utilisation": "The share of its slots that arrivals keep busy.",
    "drain_seconds": "Until nothing is ready any more.",
    "wanted_workers": "Workers that keep the mean wait below 5 s.",
}


def render(
    queues: Sequence[QueueInfo],
    counts: Mapping[str, int],
    workers: Sequence[WorkerInfo],
    stats: Mapping[int, Tallies],
    advice: Sequence[Advice] = (),
    server: Mapping[str, str] | None = None,
) -> str:
    """All metrics. ``stats`` are the counters of the last minutes, the present one last: that is not complete, so the last
    minute is the one before."""
    hour = combined(stats)
    minutes = sorted(stats)
    last = stats[minutes[-2]] if len(minutes) > 1 else Tallies()
    by_outcome = ("queue", "type", "outcome")
    parts = [
        _gauge(
            "jobbers_queue_depth",
            "Tasks that are ready.",
            ("queue",),
            {(it.name,): it.depth for it in queues},
        ),
        _gauge(
            "jobbers_queue_oldest_seconds",
            "For how long the oldest ready task has waited.",
            ("queue",),
            {(it.name,): it.oldest_seconds for it in queues},
            largest=True,
        ),
        _gauge(
            "jobbers_queue_paused",
            "1 when nothing is given out.",
            ("queue",),
            {(it.name,): int(it.paused) for it in queues},
            largest=True,
        ),
        _gauge(
            "jobbers_tasks",
            "Tasks by where they stand.",
            ("status",),
            {(name,): it for name, it in counts.items()},
        ),
        _gauge(
            "jobbers_tasks_last_minute",
            "What became of tasks in the last whole minute.",
            by_outcome,
            _ends(last),
        ),
        _gauge("jobbers_tasks_last_hour", "What became of tasks in the last hour.", by_outcome, _ends(hour)),
        *_of_advice(advice),
        *_of_hour(hour),
        _gauge("jobbers_workers", "Workers that were there a short while ago.", (), {(): len(workers)}),
        *_of_workers(workers),
        *_of_server(server or {}),
        _gauge(
            "jobbers_worker_running",
            "Tasks that a worker runs.",
            ("worker",),
            {(it.id,): _number(it.facts.get("running")) for it in workers},
        ),
        _gauge(
            "jobbers_worker_concurrency",
            "Tasks that a worker may run at a time.",
            ("worker",),
            {(it.id,): _number(it.facts.get("concurrency")) for it in workers},
        ),
    ]
    return "".join(parts)


def _of_advice(advice: Sequence[Advice]) -> Iterable[str]:
    """What is not known, or never, is left out."""
    for name, text in _ADVICE.items():
        series = {(it.queue,): number for it in advice if (number := getattr(it, name)) is not None}
        yield _gauge(f"jobbers_queue_{name}", text, ("queue",), series, largest=True)


_WORKER = {
    "finished": ("finished", 1.0, "Completions that it has written since it started."),
    "refused": ("refused", 1.0, "Completions of its that the fence has refused since it started."),
    "lag_ms": ("loop_lag_seconds", 0.001, "By how much its event loop woke too late the last time."),
    "cpu_seconds": ("cpu_seconds", 1.0, "Processor time that it has used."),
    "memory_bytes": ("memory_bytes", 1.0, "Memory that it occupies."),
    "paused": ("paused", 1.0, "1 when it was told to claim nothing."),
}
_SERVER = {
    "latency_ms": ("round_trip_seconds", 0.001, "How long the task server takes to answer this API."),
    "used_memory": ("memory_bytes", 1.0, "Memory that the task server uses."),
    "instantaneous_ops_per_sec": ("commands_per_second", 1.0, "Commands that the task server runs."),
}


def _of_workers(workers: Sequence[WorkerInfo]) -> Iterable[str]:
    for fact, (name, factor, text) in _WORKER.items():
        series = {(it.id,): _number(it.facts.get(fact)) * factor for it in workers}
        yield _gauge(f"jobbers_worker_{name}", text, ("worker",), series)


def _of_server(server: Mapping[str, str]) -> Iterable[str]:
    for fact, (name, factor, text) in _SERVER.items():
        series = {(): _number(server[fact]) * factor} if fact in server else {}
        yield _gauge(f"jobbers_server_{name}", text, (), series)


def _of_hour(hour: Tallies) -> Iterable[str]:
    queues = hour.by_queue()
    yield _gauge(
        "jobbers_timeouts_last_hour",
        "Attempts that their worker ended: they ran for too long, or no heartbeat came.",
        ("queue", "cause", "outcome"),
        {(queue, *why): number for queue, it in queues.items() for why, number in it.ended_early.items()},
    )
    yield _gauge(
        "jobbers_run_seconds_last_hour",
        "Percentiles of how long attempts ran.",
        ("queue", "quantile"),
        {
            (queue, f"{share:g}"): found
            for queue, it in queues.items()
            for share in (0.5, 0.9, 0.99)
            if (found := it.ran.percentile(share)) is not None
        },
        largest=True,
    )


def _ends(tallies: Tallies) -> Series:
    return {
        (*names, outcome): number
        for names, tally in tallies.types.items()
        for outcome, number in tally.outcomes.items()
    }


def _gauge(name: str, help: str, labels: tuple[str, ...], series: Series, *, largest: bool = False) -> str:
    """One metric. ``largest``: what is put under ``other`` is the largest value and not the sum."""
    lines = [f"# HELP {name} {help}", f"# TYPE {name} gauge"]
    for values, number in _bounded(series, len(labels), largest):
        pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))
        lines.append(f"{name}{{{pairs}}} {number:.15g}" if pairs else f"{name} {number:.15g}")
    return "\n".join(lines) + "\n"


def _bounded(series: Series, labels: int, largest: bool) -> Iterable[tuple[tuple[str, ...], float]]:
    if len(series) <= MOST_SERIES:
        return sorted(series.items())
    ranked = sorted(series.items(), key=lambda item: (-item[1], item[0]))
    kept, rest = ranked[: MOST_SERIES - 1], [number for _, number in ranked[MOST_SERIES - 1 :]]
    return [*sorted(kept), ((OTHER,) * labels, max(rest) if largest else sum(rest))]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(text: str | None) -> float:
    """What a worker said of itself; zero if it is no number."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
