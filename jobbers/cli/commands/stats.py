"""``jobbers stats``: what became of tasks in the last minutes, by queue, task type or worker."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from jobbers.cli.inputs import duration
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show_json, span, table
from jobbers.cli.running import guarded
from jobbers.core.tallies import Tally
from jobbers.statistics import Statistics

cli = new_cli()


class By(StrEnum):
    """How statistics are grouped."""

    QUEUE = "queue"
    TYPE = "type"
    WORKER = "worker"


@cli.command()
@guarded
async def stats(
    target: Target,
    by: Annotated[By, typer.Option("--by", help="Group by this.")] = By.QUEUE,
    last: Annotated[
        str, typer.Option("--last", help="How far to look back: up to 1d, in whole minutes.")
    ] = "1h",
    json: Json = False,
) -> None:
    """Show where tasks stand, what became of them, how long they ran, and what was ended early.

    A timeout is an attempt that ran for too long, or whose heartbeat did not come.
    """
    minutes = max(1, round(duration(last, "--last") / 60))
    async with target.open() as app:
        seen = await (await app.inspector()).statistics(minutes)
    rows = {By.QUEUE: _queues, By.TYPE: _types, By.WORKER: _workers}[by](seen)
    if json:
        show_json(rows)
    elif not rows:
        say("nothing is known of that time")
    else:
        columns = [name if name in _WORDS else f">{name}" for name in rows[0]]
        console().print(table(columns, [[_cell(name, value) for name, value in row.items()] for row in rows]))


_WORDS = {"queue", "type", "worker", "queues", "alive"}
_TIMES = {"mean", "p50", "p90", "p99"}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return span(value)
    if isinstance(value, Mapping):
        return "  ".join(f"{key}: {number:,}" for key, number in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _queues(seen: Statistics) -> list[dict[str, Any]]:
    return [
        {
            "queue": it.name,
            **it.places,
            "workers": it.workers,
            "seen": it.seen,
            "slots": it.slots,
            **_counts(it.tally),
        }
        for it in seen.queues
    ]


def _types(seen: Statistics) -> list[dict[str, Any]]:
    return [
        {"type": kind, "queue": queue, **_counts(tally)}
        for (queue, kind), tally in sorted(seen.types.items())
    ]


def _workers(seen: Statistics) -> list[dict[str, Any]]:
    return [
        {"worker": it.id, "queues": list(it.queues), "alive": it.alive, "timeouts": _early(it.tally)}
        for it in seen.workers
    ]


def _counts(tally: Tally) -> dict[str, Any]:
    ran = tally.ran
    return {
        "outcomes": dict(tally.outcomes),
        "timeouts": _early(tally),
        "mean": ran.mean,
        "p50": ran.percentile(0.5),
        "p90": ran.percentile(0.9),
        "p99": ran.percentile(0.99),
    }


def _early(tally: Tally) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, outcome), number in tally.ended_early.items():
        found[outcome] = found.get(outcome, 0) + number
    return found
