"""``jobbers top``: queues, workers and rates, live."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobbers.cli.commands.workers import SILENT_SECONDS, workers_table
from jobbers.cli.inputs import duration
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import clean, console, show_json_line, span, table
from jobbers.cli.running import guarded
from jobbers.errors import InvalidInput, StoreError
from jobbers.inspector import Inspector
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo

cli = new_cli()

SHORTEST_INTERVAL = 0.1
MINUTES = 2
"""Of the counters, which lie in Redis by the minute."""
OUTCOMES = ("succeeded", "failed", "cancelled")

Stats = dict[int, Counter[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one time, in ms of the server's clock."""

    at: int
    stats: Stats
    counts: dict[str, int]
    queues: Sequence[QueueInfo]
    workers: Sequence[WorkerInfo]


@cli.command()
@guarded
def top(
    target: Target,
    interval: Annotated[
        str, typer.Option("--interval", metavar="TIME", help="From one frame to the next.")
    ] = "1s",
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    json: Json = False,
) -> None:
    """Watch queues, workers and rates live, until Ctrl-C. With --json a line of JSON a frame.

    Rates are tasks a second since the frame before; in the first one, the average of the last minute or two.
    """
    seconds = duration(interval, "--interval")
    if seconds < SHORTEST_INTERVAL:
        raise InvalidInput(f"--interval must be {SHORTEST_INTERVAL} seconds or more, got {seconds}")
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end this
        asyncio.run(_top(target, seconds, once, json))


async def _top(target: Target, seconds: float, once: bool, json: bool) -> None:
    async with target.open() as app:
        inspector, name = await app.inspector(), app.settings.namespace
        sample = await _sample(inspector)
        rates = first_rates(sample)
        if sys.stdout.isatty() and not once and not json:
            await _watch(inspector, name, sample, seconds)
        while True:
            if json:
                show_json_line(frame_data(sample, rates))
            else:
                console().print(_frame(name, sample, rates))
            if once:
                return
            await asyncio.sleep(seconds)
            before, sample = sample, await _sample(inspector)
            rates = rates_between(before, sample)


async def _sample(inspector: Inspector) -> Sample:
    queues = await inspector.queues()
    counts = {"queued": sum(queue.depth for queue in queues), **await inspector.store.inspect.counts()}
    return Sample(
        at=await inspector.store.inspect.now_ms(),
        stats=await inspector.stats(MINUTES),
        counts=counts,
        queues=queues,
        workers=await inspector.workers(),
    )


def first_rates(sample: Sample) -> Counter[tuple[str, str]]:
    """Tasks a second by (queue, outcome), from the counters alone: on average since the last minute but one began."""
    seconds = (MINUTES - 1) * 60 + sample.at % 60_000 / 1000
    return _per_second([sum(sample.stats.values(), Counter())], seconds)


def rates_between(before: Sample, after: Sample) -> Counter[tuple[str, str]]:
    """Tasks a second by (queue, outcome) from one sample to the next."""
    grown = [counts - before.stats.get(minute, Counter()) for minute, counts in after.stats.items()]
    return _per_second(grown, max(1, after.at - before.at) / 1000)


def _per_second(counts: Sequence[Counter[tuple[str, str, str]]], seconds: float) -> Counter[tuple[str, str]]:
    rates: Any = Counter()
    for one in counts:
        for (queue, _, outcome), number in one.items():
            rates[queue, outcome] += number / seconds
    found: Counter[tuple[str, str]] = rates
    return found


def frame_data(sample: Sample, rates: Counter[tuple[str, str]]) -> dict[str, Any]:
    """A frame for programs."""
    return {
        "time": datetime.fromtimestamp(sample.at / 1000, UTC),
        "counts": sample.counts,
        "queues": [
            {
                "name": queue.name,
                "depth": queue.depth,
                "oldest_seconds": queue.oldest_seconds,
                "paused": queue.paused,
                "per_second": {outcome: round(rates[queue.name, outcome], 3) for outcome in OUTCOMES},
            }
            for queue in sample.queues
        ],
        "workers": sample.workers,
    }


async def _watch(inspector: Inspector, name: str, sample: Sample, seconds: float) -> None:
    """Paint frames over each other on the terminal; a server that goes away is waited for."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    rates = first_rates(sample)
    with Live(_frame(name, sample, rates), console=console(), screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(seconds)
            try:
                before, sample = sample, await _sample(inspector)
            except StoreError as error:
                trouble = Text(clean(f"{error}"), "bold red")
                live.update(Group(trouble, _frame(name, sample, Counter())), refresh=True)
                continue
            rates = rates_between(before, sample)
            live.update(_frame(name, sample, rates), refresh=True)


def _frame(name: str, sample: Sample, rates: Counter[tuple[str, str]]) -> Any:
    from rich.console import Group
    from rich.text import Text

    now = datetime.fromtimestamp(sample.at / 1000, UTC).astimezone()
    totals = [f"{number:,} {word}" for word, number in sample.counts.items()]
    speed = [f"{_total(rates, outcome):,.1f} {outcome}" for outcome in OUTCOMES]
    alive = sum(worker.silent_seconds <= SILENT_SECONDS for worker in sample.workers)
    return Group(
        Text(f"jobbers {name}   {now:%H:%M:%S}   {alive} worker{'' if alive == 1 else 's'}", "bold"),
        Text(f"{'   '.join(totals)}"),
        Text(f"{'   '.join(speed)} a second\n"),
        _queues(sample.queues, rates),
        Text(),
        workers_table(sample.workers),
    )


def _queues(queues: Sequence[QueueInfo], rates: Counter[tuple[str, str]]) -> Any:
    rows = (
        [
            queue.name,
            f"{queue.depth:,}",
            span(queue.oldest_seconds) if queue.depth else "",
            *(f"{rates[queue.name, outcome]:,.1f}" for outcome in OUTCOMES),
            "paused" if queue.paused else "",
        ]
        for queue in queues
    )
    return table(["queue", ">ready", ">oldest", *(f">{outcome}/s" for outcome in OUTCOMES), "state"], rows)


def _total(rates: Counter[tuple[str, str]], outcome: str) -> float:
    return sum(rate for (_, kind), rate in rates.items() if kind == outcome)
