"""``jobbers breakers``: look at breakers, open and close them."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.breakers import BreakerState
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.core.limits import quoted_key

cli = new_cli(cls=ListGroup, help="List breakers (also without a command); open and close them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the breaker.")]
Key = Annotated[
    str | None, typer.Option("--key", help="The value of its key, if each has a breaker of its own.")
]


@cli.command("list")
@guarded
async def list_breakers(target: Target, json: Json = False) -> None:
    """List breakers: how they stand, how attempts ended lately, and how many tasks wait."""
    async with target.open() as app:
        found = await app.breakers.list()
    if json:
        show_json(found)
    elif not found:
        say("no breakers: those of the code are written when an app opens")
    else:
        rows = ([_named(one.name, one.key), _stands(one), _lately(one), f"{one.waiting:,}"] for one in found)
        console().print(table(["breaker", "state", "failed lately", ">waiting"], rows))


@cli.command("trip")
@guarded
async def trip_breaker(
    name: Name,
    target: Target,
    key: Key = None,
    open_for: Annotated[
        float | None, typer.Option("--for", help="Seconds; else until it is reset.", min=0.001)
    ] = None,
    json: Json = False,
) -> None:
    """Open one by hand: what runs goes on, what would start waits."""
    async with target.open(deed="breakers.trip", on=_named(name, key)) as app:
        await app.breakers.trip(name, key, open_for=open_for)
        state = await app.breakers.get(name, key)
    if json:
        show_json(state)
    else:
        show(f"{_named(name, key)} is {_stands(state)}; {state.waiting:,} tasks wait")


@cli.command("reset")
@guarded
async def reset_breaker(name: Name, target: Target, key: Key = None, json: Json = False) -> None:
    """Close one (without a key those of all its keys) and forget how attempts ended; who waits goes on."""
    async with target.open(deed="breakers.reset", on=_named(name, key)) as app:
        await app.breakers.reset(name, key)
    if json:
        show_json({"name": name, "key": key})
    else:
        show(f"{_named(name, key)} is closed")


@cli.command("budget")
@guarded
async def retry_budget(
    target: Target,
    reset: Annotated[bool, typer.Option("--reset", help="Forget what it has seen.")] = False,
    json: Json = False,
) -> None:
    """Show how the retry budget of the cluster stands (setting retry_budget)."""
    async with target.open(deed="breakers.reset_budget" if reset else None) as app:
        if reset:
            await app.breakers.reset_retry_budget()
        state = await app.breakers.retry_budget()
    if json:
        show_json(state)
    else:
        off = "" if state.share else " (off here: see the setting retry_budget)"
        show(f"{state.retries:,} retries of {state.attempts:,} first attempts in the last minute{off}")
        show(f"the next retry over the budget waits {state.wait:.1f} s longer")


def _named(name: str, key: str | None) -> str:
    return name if key is None else f"{name}={quoted_key(key)}"


def _stands(one: BreakerState) -> str:
    if one.state != "open":
        return one.state
    return "open until it is reset" if one.half_opens_in is None else f"open for {one.half_opens_in:.0f} s"


def _lately(one: BreakerState) -> str:
    return f"{one.failed:,} of {one.ended:,} in {one.window:g} s"
