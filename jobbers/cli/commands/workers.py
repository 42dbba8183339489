"""``jobbers workers``: the workers that are alive, or were a short while ago."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, span, table
from jobbers.cli.running import guarded
from jobbers.core.deeds import Deed
from jobbers.store.control import WorkerInfo

cli = new_cli(cls=ListGroup, help="List workers (also without a command); pause them, let them end.")

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the workers.")]

SILENT_SECONDS = 10.0
"""A worker says that it is alive every few seconds; beyond this it is worth a remark."""


@cli.command("list")
@guarded
async def list_workers(target: Target, json: Json = False) -> None:
    """List the workers that are alive, or were a short while ago."""
    async with target.open() as app:
        roll = await (await app.inspector()).workers()
    if json:
        show_json(roll)
    elif not roll:
        say("no workers; start one with 'jobbers worker APP'")
    else:
        console().print(workers_table(roll))


@cli.command()
@guarded
async def pause(workers: Ids, target: Target, json: Json = False) -> None:
    """Let workers claim nothing more; what runs there goes on. They hear of it within two seconds."""
    await _tell(workers, target, "pause", json=json)


@cli.command()
@guarded
async def resume(workers: Ids, target: Target, json: Json = False) -> None:
    """Let paused workers claim again."""
    await _tell(workers, target, "resume", json=json)


@cli.command()
@guarded
async def drain(workers: Ids, target: Target, json: Json = False) -> None:
    """Let workers claim nothing more and end, as at SIGTERM.

    What they run has its grace time, and then goes by the policy of its type.
    """
    await _tell(workers, target, "drain", json=json)


async def _tell(workers: list[str], target: Target, action: str, *, json: bool) -> None:
    deeds: dict[str, Deed] = {
        "pause": "workers.pause",
        "resume": "workers.resume",
        "drain": "workers.drain",
    }
    async with target.open(deed=deeds[action], on=" ".join(workers)) as app:
        inspector = await app.inspector()
        tell = {
            "pause": inspector.pause_worker,
            "resume": inspector.resume_worker,
            "drain": inspector.drain_worker,
        }[action]
        for worker in workers:
            await tell(worker)
    if json:
        show_json([{"id": worker, "told": None if action == "resume" else action} for worker in workers])
    else:
        show(f"told {', '.join(workers)} to {action}")


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
    if worker.facts.get("paused") == "1":
        return "paused"
    return "stopping" if worker.facts.get("stopping") == "1" else "alive"
