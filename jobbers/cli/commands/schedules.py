"""``jobbers schedules``: what is started again and again; add, pause, resume, start now, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.commands.dag import read_params
from jobbers.cli.commands.submit import Arguments, find_task_type, load_arguments
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table, when
from jobbers.cli.running import guarded
from jobbers.dag.compose import Call
from jobbers.errors import InvalidInput
from jobbers.flow import DagCall
from jobbers.schedules import SHOWN_SLOTS, ScheduleState

cli = new_cli(
    cls=ListGroup, help="List schedules (also without a command); add, pause, resume, run and delete them."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the schedule.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of schedules.")]


@dataclass(frozen=True, slots=True)
class Policies:
    """When it starts, and what it does when things overlap or were missed."""

    cron: Annotated[str | None, typer.Option("--cron", metavar="LINE", help="As in '0 3 * * *'.")] = None
    tz: Annotated[
        str | None,
        typer.Option("--tz", metavar="ZONE", help="Of the cron line, as in Europe/Berlin; else UTC."),
    ] = None
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Again after 500ms, 10s, 5m, 2h, 1d.")
    ] = None
    overlap: Annotated[
        str,
        typer.Option("--overlap", help="While the one before goes on: skip, queue, cancel (it) or allow."),
    ] = "skip"
    missed: Annotated[str, typer.Option("--missed", help="Of missed slots start: skip (none), one, all.")] = (
        "one"
    )
    catch_up: Annotated[int, typer.Option("--catch-up", help="Most slots that are made good for.")] = 100
    jitter: Annotated[
        str | None, typer.Option("--jitter", metavar="TIME", help="Start by chance up to this later.")
    ] = None

    def options(self) -> dict[str, Any]:
        """What :meth:`Schedules.create` takes."""
        return {
            "cron": self.cron,
            "tz": self.tz,
            "every": inputs.optional_duration(self.every, "--every"),
            "overlap": self.overlap,
            "missed": self.missed,
            "catch_up": self.catch_up,
            "jitter": inputs.optional_duration(self.jitter, "--jitter") or 0,
        }


@cli.command("list")
@guarded
async def list_schedules(
    target: Target,
    after: Annotated[str, typer.Option("--after", metavar="NAME", help="Only those behind this name.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 100,
    json: Json = False,
) -> None:
    """List schedules by name: what they start, when they did last and will next."""
    async with target.open() as app:
        found = await app.schedules.list(after, limit)
    if json:
        show_json(found)
    elif not found:
        say("no schedules: make one with app.schedule(...) or with 'jobbers schedules add'")
    else:
        cells = (
            [one.name, one.timing, one.target, _next(one), when(one.last), *_counts(one)]
            for one in found
        )  # fmt: skip
        columns = ["schedule", "timing", "starts", "next", "last", ">started", ">waiting", ">passed over"]
        console().print(table(columns, cells))
        if len(found) == limit:
            say(f"there may be more: --after {found[-1].name}")


@cli.command("show")
@guarded
async def show_schedule(
    name: Name,
    target: Target,
    times: Annotated[
        int, typer.Option("--times", min=1, max=1000, help="How many of the next times to show.")
    ] = SHOWN_SLOTS,
    json: Json = False,
) -> None:
    """Show how a schedule stands, and its next ten times, in its own time zone."""
    async with target.open() as app:
        state = await app.schedules.get(name)
        moments = await app.schedules.upcoming(name, times)
    if json:
        show_json({"schedule": state, "times": moments})
        return
    say(f"{state.name}: {state.timing} starts the {state.kind} {state.target}; next: {_next(state)}")
    say(
        f"overlap {state.overlap}, missed {state.missed}, jitter {state.jitter:g} s; last: {state.last_id or 'none'}"
    )
    for moment in moments:
        show(moment.isoformat())


@cli.command()
@guarded
async def add(
    name: Name,
    starts: Annotated[str, typer.Argument(metavar="TYPE", help="A task type, or with --dag a graph.")],
    *,
    arguments: Arguments,
    policies: Policies,
    target: Target,
    dag: Annotated[bool, typer.Option("--dag", help="TYPE is the name of a graph.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change the one that has this name.")] = False,
    json: Json = False,
) -> None:
    """Add a schedule, by --cron or by --every."""
    options = policies.options()
    async with target.open(start=True, deed="schedules.create", on=name) as app:
        what = _graph(app, starts, arguments) if dag else _task(app, starts, arguments)
        became = await app.schedules.create(name, what, replace=replace, **options)
        moments = await app.schedules.upcoming(name, 1)
    if json:
        show_json({"name": name, "became": became, "next": moments[0] if moments else None})
    else:
        show(f"{name}: {became}, next at {moments[0].isoformat() if moments else 'no time'}")


@cli.command()
@guarded
async def pause(names: Names, target: Target, json: Json = False) -> None:
    """Start nothing more of these; what runs goes on."""
    async with target.open(deed="schedules.pause", on=" ".join(names)) as app:
        await _each(app.schedules.pause, names, "paused", json)


@cli.command()
@guarded
async def resume(names: Names, target: Target, json: Json = False) -> None:
    """Go on from now; the slots of the pause are not made good for."""
    async with target.open(deed="schedules.resume", on=" ".join(names)) as app:
        await _each(app.schedules.resume, names, "resumed", json)


@cli.command()
@guarded
async def delete(names: Names, target: Target, json: Json = False) -> None:
    """Delete these; what they have started goes on. One that stands in code comes back with the next worker."""
    async with target.open(deed="schedules.delete", on=" ".join(names)) as app:
        await _each(app.schedules.delete, names, "deleted", json)


@cli.command()
@guarded
async def run(name: Name, target: Target, json: Json = False) -> None:
    """Start it once now, besides its slots, and print the id of the task or run."""
    async with target.open(deed="schedules.run", on=name) as app:
        task_id = await app.schedules.run(name)
    if json:
        show_json({"id": task_id})
    else:
        show(task_id)


async def _each(do: Any, names: list[str], became: str, json: bool) -> None:
    for name in names:
        await do(name)
        if not json:
            show(f"{name}: {became}")
    if json:
        show_json(dict.fromkeys(names, became))


def _counts(state: ScheduleState) -> list[str]:
    return [f"{count:,}" for count in (state.started, state.waiting, state.passed)]


def _next(state: ScheduleState) -> str:
    return "paused" if state.paused else when(state.next) or "never"


def _task(app: Jobbers, name: str, arguments: Arguments) -> Call:
    task_type = find_task_type(app, name)
    args, kwargs = load_arguments(task_type.signature, arguments)
    return task_type.s(*args, **kwargs)


def _graph(app: Jobbers, name: str, arguments: Arguments) -> DagCall:
    if arguments.args is not None:
        raise InvalidInput("a graph takes its parameters by name: use --arg or --kwargs")
    dag = app.find_dag(name)
    given = dag.graph.load(inputs.keywords(arguments.kwargs) or {})
    return dag.call(**given, **read_params(dag, inputs.pairs(arguments.arg, "--arg")))
