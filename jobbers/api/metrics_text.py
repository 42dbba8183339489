"""The state of a namespace in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_SERIES = 500
"""Of one metric; the smaller ones beyond are added up under ``other``, so that names cannot overrun who collects."""
OTHER = "other"

Series = Mapping[Any, float]
"""Numbers by the values of their labels, which are tuples of text."""
Ends = Counter[tuple[str, str, str]]


def render(
    queues: Sequence[QueueInfo],
    counts: Mapping[str, int],
    workers: Sequence[WorkerInfo],
    stats: Mapping[int, Ends],
) -> str:
    """All metrics. ``stats`` are the counters of the last minutes, the present one last: that is not complete, so the last
    minute is the one before."""
    hour: Ends = Counter()
    for minute in stats.values():
        hour.update(minute)
    minutes = sorted(stats)
    last = stats[minutes[-2]] if len(minutes) > 1 else Ends()
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
            last,
        ),
        _gauge("jobbers_tasks_last_hour", "What became of tasks in the last hour.", by_outcome, hour),
        _gauge("jobbers_workers", "Workers that were there a short while ago.", (), {(): len(workers)}),
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
        return float(text or 0)
    except ValueError:
        return 0.0
