"""``jobbers queues``: list queues, pause and resume them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, span, table
from jobbers.cli.running import guarded
from jobbers.store.inspect import QueueInfo

cli = new_cli(cls=ListGroup, help="List queues (also without a command); pause and resume them.")

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of the queues.")]


@cli.command("list")
@guarded
async def list_queues(target: Target, json: Json = False) -> None:
    """List queues and what is ready in them.

    Shown are how many tasks are ready, for how long the oldest has been, and whether the queue is paused.
    """
    async with target.open() as app:
        queues = await (await app.inspector()).queues()
    if json:
        show_json(queues)
    elif not queues:
        say("no queues: nothing has been submitted yet")
    else:
        console().print(queues_table(queues))


@cli.command()
@guarded
async def pause(names: Names, target: Target, json: Json = False) -> None:
    """Give nothing out of queues any more.

    What runs goes on, and tasks can be submitted as before.
    """
    await _switch(names, target, json, paused=True)


@cli.command()
@guarded
async def resume(names: Names, target: Target, json: Json = False) -> None:
    """Give out of queues again."""
    await _switch(names, target, json, paused=False)


async def _switch(names: list[str], target: Target, json: bool, *, paused: bool) -> None:
    action = "queues.pause" if paused else "queues.resume"
    async with target.open(action=action, on=" ".join(names)) as app:
        inspector = await app.inspector()
        for name in names:
            await (inspector.pause(name) if paused else inspector.resume(name))
    if json:
        show_json([{"name": name, "paused": paused} for name in names])
    else:
        show(f"{'paused' if paused else 'resumed'} {', '.join(names)}")


def queues_table(queues: Iterable[QueueInfo]) -> Any:
    """Queues as a table."""
    rows = (
        [
            queue.name,
            f"{queue.depth:,}",
            span(queue.oldest_seconds) if queue.depth else "",
            "paused" if queue.paused else "",
            "  ".join(
                f"{priority}: {number:,}"
                for priority, number in sorted(queue.by_priority.items(), reverse=True)
            ),
        ]
        for queue in queues
    )
    return table(["queue", ">ready", ">oldest", "state", "by priority"], rows)
