"""``jobbers telemetry``: how much of which task types is traced, and live changes of that."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.live_granularity import GranularityReport

cli = new_cli(
    cls=ListGroup, help="Show how much telemetry task types make (also without a command); change it live."
)


@cli.command("list")
@guarded
async def list_granularities(target: Target, json: Json = False) -> None:
    """Show the patterns that were set live, and what holds for each task type of the application."""
    async with target.open() as app:
        report = await (await app.live_granularity()).report()
    _show(report, json=json)


@cli.command("set")
@guarded
async def set_granularity(
    rules: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN=HOW...",
            help="Like 'mail.*=always' or 'import*=0.01'; the first that fits counts.",
        ),
    ],
    target: Target,
    json: Json = False,
) -> None:
    """Let these patterns of task types hold, before settings and code; workers and clients follow within a second.

    They take the place of all that were set live before. HOW is auto, always, errors, batch, off, slow:500ms, or a ratio.
    """
    text = ", ".join(rules)
    async with target.open(deed="telemetry.set", on=text[:200]) as app:
        report = await (await app.live_granularity()).set(text)
    _show(report, json=json)


@cli.command()
@guarded
async def reset(target: Target, json: Json = False) -> None:
    """Take back what was set live."""
    async with target.open(deed="telemetry.reset") as app:
        report = await (await app.live_granularity()).reset()
    _show(report, json=json)


def _show(report: GranularityReport, *, json: bool) -> None:
    if json:
        show_json({"rules": report.rules, "types": report.types, "idle": report.idle})
        return
    for pattern in report.idle:
        say(f"{pattern!r} fits no task type of this application")
    show(f"set live: {report.rules}" if report.rules else "nothing is set live")
    if report.types:
        console().print(table(["type", "telemetry"], [[name, it] for name, it in report.types.items()]))
