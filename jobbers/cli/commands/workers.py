"""``jobbers workers``: the workers that are alive, or were a short while ago."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show_json, span, table
from jobbers.cli.running import guarded
from jobbers.store.control import WorkerInfo

cli = new_cli()

SILENT_SECONDS = 10.0
"""A worker says that it is alive every few seconds; beyond this it is worth a remark."""


@cli.command()
@guarded
async def workers(target: Target, json: Json = False) -> None:
    """List the workers that are alive, or were a short while ago."""
    async with target.open() as app:
        roll = await (await app.inspector()).workers()
    if json:
        show_json(roll)
    elif not roll:
        say("no workers; start one with 'jobbers worker APP'")
    else:
        console().print(workers_table(roll))


def workers_table(roll: Iterable[WorkerInfo]) -> Any:
    """The roll of workers as a table."""
    rows = (
        [
            worker.id,
            worker.facts.get("host", ""),
            worker.facts.get("pid", ""),
            worker.facts.get("role") or worker.facts.get("queues", ""),
            f"{worker.facts.get('running', '?')}/{worker.facts.get('concurrency', '?')}",
            worker.facts.get("finished", ""),
            _state(worker),
        ]
        for worker in roll
    )
    return table(["worker", "host", ">pid", "role or queues", ">running", ">finished", "state"], rows)


def _state(worker: WorkerInfo) -> str:
    if worker.silent_seconds > SILENT_SECONDS:
        return f"silent for {span(worker.silent_seconds)}"
    return "stopping" if worker.facts.get("stopping") == "1" else "alive"
