"""``jobbers queues``: list queues; pause, drain, resume, limit and purge them; send types elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Annotated, Any

import typer

from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.inputs import duration
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, pace, say, show, show_json, span, table
from jobbers.cli.running import guarded
from jobbers.core.advice import Advice
from jobbers.core.deeds import Deed
from jobbers.errors import InvalidInput
from jobbers.store.inspect import QueueInfo

cli = new_cli(cls=ListGroup, help="List queues (also without a command); pause, drain, limit and purge them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the queue.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of the queues.")]


class WhenFull(Enum):
    """What happens to one task more than a queue may have."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop_oldest"


@cli.command("list")
@guarded
async def list_queues(
    target: Target,
    json: Json = False,
    advise: Annotated[
        bool, typer.Option("--advise", help="Show how many workers each queue needs, and why.")
    ] = False,
    target_wait: Annotated[
        str, typer.Option("--target-wait", help="With --advise: how long tasks may wait on average.")
    ] = "5s",
) -> None:
    """List queues and what is ready in them.

    Shown are how many tasks are ready, for how long the oldest has been, and what holds for the queue.
    """
    async with target.open() as app:
        inspector = await app.inspector()
        if advise:
            _show_advice(await inspector.advice(duration(target_wait, "--target-wait")), json)
            return
        queues = await inspector.queues()
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
    await _switch(names, target, "paused", json=json)


@cli.command()
@guarded
async def drain(names: Names, target: Target, json: Json = False) -> None:
    """Take nothing more that is submitted to queues, and finish what is there.

    What runs of graphs, retries and schedules put there is still done. 'resume' ends it.
    """
    await _switch(names, target, "drained", json=json)


@cli.command()
@guarded
async def resume(names: Names, target: Target, json: Json = False) -> None:
    """Give out of queues again, and take what is submitted again."""
    await _switch(names, target, "resumed", json=json)


@cli.command()
@guarded
async def limit(
    name: Name,
    target: Target,
    maximum: Annotated[
        int | None, typer.Option("--max", min=1, help="How many tasks may be ready; left out: any number.")
    ] = None,
    when_full: Annotated[
        WhenFull, typer.Option("--when-full", help="Refuse one more, or make dead letters of the oldest.")
    ] = WhenFull.REFUSE,
    reset: Annotated[bool, typer.Option("--reset", help="Let the code say again how many.")] = False,
    json: Json = False,
) -> None:
    """Bound how many tasks may be ready in a queue, whatever the code says."""
    if reset and maximum is not None:
        raise InvalidInput("give --max or --reset, not both")
    async with target.open(deed="queues.unlimit" if reset else "queues.limit", on=name) as app:
        inspector = await app.inspector()
        if reset:
            await inspector.unlimit(name)
        else:
            await inspector.limit(name, maximum, when_full.value)
    if json:
        show_json({"name": name, "max_length": maximum, "when_full": when_full.value if maximum else None})
    elif maximum is not None:
        show(f"{name} takes {maximum:,} ready tasks: {when_full.value.replace('_', ' ')} when full")
    else:
        show(f"{name} is as long as {'the code says' if reset else 'it may become'}")


@cli.command()
@guarded
async def purge(
    name: Name,
    target: Target,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> int:
    """Cancel everything that waits in a queue: ready and scheduled tasks. What runs goes on."""
    if not yes and not typer.confirm(f"Cancel everything that waits in {name}?", err=True):
        say("nothing was cancelled")
        return ExitCode.NEGATIVE
    async with target.open(deed="queues.purge", on=name) as app:
        purged = await (await app.inspector()).purge(name)
    if json:
        show_json({"name": name, "purged": purged})
    else:
        show(f"cancelled {purged:,} tasks of {name}")
    return ExitCode.OK


@cli.command()
@guarded
async def route(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The name of the task type.")],
    target: Target,
    queue: Annotated[str | None, typer.Argument(metavar="[QUEUE]", help="Where its tasks go.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Where the type says.")] = False,
    json: Json = False,
) -> None:
    """Send the tasks of a type to another queue from now on.

    Clients look at most every second. Tasks that were submitted before stay where they are.
    """
    if (queue is None) is not reset:
        raise InvalidInput("give a queue, or --reset")
    async with target.open(deed="queues.unroute" if reset else "queues.route", on=type) as app:
        inspector = await app.inspector()
        if queue is None:
            await inspector.unroute(type)
        else:
            await inspector.route(type, queue)
    if json:
        show_json({"type": type, "queue": queue})
    else:
        show(f"tasks of type {type} go to {queue}" if queue else f"tasks of type {type} go where it says")


@cli.command()
@guarded
async def routes(target: Target, json: Json = False) -> None:
    """List the types whose tasks are sent to another queue."""
    async with target.open() as app:
        found = await (await app.inspector()).routes()
    if json:
        show_json([{"type": kind, "queue": queue} for kind, queue in sorted(found.items())])
    elif not found:
        say("all tasks go where their types say")
    else:
        console().print(table(["type", "queue"], sorted(found.items())))


async def _switch(names: list[str], target: Target, state: str, *, json: bool) -> None:
    deeds: dict[str, Deed] = {
        "paused": "queues.pause",
        "drained": "queues.drain",
        "resumed": "queues.resume",
    }
    async with target.open(deed=deeds[state], on=" ".join(names)) as app:
        inspector = await app.inspector()
        switch = {"paused": inspector.pause, "drained": inspector.drain, "resumed": inspector.resume}[state]
        for name in names:
            await switch(name)
    if not json:
        show(f"{state} {', '.join(names)}")
    elif state == "drained":
        show_json([{"name": name, "draining": True} for name in names])
    else:
        show_json([{"name": name, "paused": state == "paused"} for name in names])


def _show_advice(advice: list[Advice], json: bool) -> None:
    if json:
        show_json(advice)
    elif not advice:
        say("no queues: nothing has been submitted yet")
    else:
        console().print(advice_table(advice))


def advice_table(advice: Iterable[Advice]) -> Any:
    """Advice as a table; ``-`` is what is not known, or never."""
    rows = (
        [
            it.queue,
            f"{it.ready:,}",
            pace(it.arrival_rate),
            _or_dash(it.service_rate, pace),
            _or_dash(it.run_seconds, span),
            _or_dash(it.utilisation, lambda share: f"{share:.0%}"),
            _or_dash(it.drain_seconds, span),
            it.workers,
            it.wanted_workers,
            it.why,
        ]
        for it in advice
    )
    columns = [
        ">ready",
        ">arrive/s",
        ">serve/s",
        ">run",
        ">busy",
        ">empty in",
        ">workers",
        ">wanted",
        "because",
    ]
    return table(["queue", *columns], rows)


def _or_dash(value: float | None, shown: Callable[[float], str]) -> str:
    return "-" if value is None else shown(value)


def queues_table(queues: Iterable[QueueInfo]) -> Any:
    """Queues as a table."""
    rows = (
        [
            queue.name,
            f"{queue.depth:,}",
            span(queue.oldest_seconds) if queue.depth else "",
            f"{queue.parked:,}" if queue.parked else "",
            _state(queue),
            "  ".join(
                f"{priority}: {number:,}"
                for priority, number in sorted(queue.by_priority.items(), reverse=True)
            ),
        ]
        for queue in queues
    )
    return table(["queue", ">ready", ">oldest", ">parked", "state", "by priority"], rows)


def _state(queue: QueueInfo) -> str:
    words = ["paused"] if queue.paused else []
    if queue.draining:
        words.append("draining")
    if queue.max_length is not None:
        words.append(f"at most {queue.max_length:,}")
    return ", ".join(words)
