"""``jobbers limits``: look at limits and rates, and change them while workers run."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.limits import SHOWN, LimitState

cli = new_cli(cls=ListGroup, help="List limits and rates (also without a command); show and change them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the limit or rate.")]


@cli.command("list")
@guarded
async def list_limits(target: Target, json: Json = False) -> None:
    """List limits and rates: what they allow, what the code says, and how many tasks wait."""
    async with target.open() as app:
        found = await app.limits.list()
    if json:
        show_json(found)
    elif not found:
        say("no limits and no rates: those of the code are written when an app opens")
    else:
        rows = ([one.name, _allowed(one), _in_code(one), f"{one.waiting:,}"] for one in found)
        console().print(table(["limit", "allows", "in code", ">waiting"], rows))


@cli.command("show")
@guarded
async def show_limit(name: Name, target: Target, json: Json = False) -> None:
    """Show who holds a limit's permits and who waits, for each value of its key for which somebody does."""
    async with target.open() as app:
        state, uses = await app.limits.get(name), await app.limits.uses(name)
    if json:
        show_json({"limit": state, "uses": uses})
        return
    say(f"{state.name} allows {_allowed(state)}; {state.waiting:,} tasks wait")
    for use in uses:
        back = "" if use.next_in is None else f", the next start comes back in {use.next_in:g} s"
        key = "" if use.key is None else f"={use.key}"
        show(f"{use.name}{key}: {use.used} taken, {use.waiting:,} waiting{back}")
        for what, ids in (("held by", use.held_by), ("first in line", use.first)):
            if ids:
                show(f"  {what}: {' '.join(ids[:SHOWN])}")


@cli.command("set")
@guarded
async def set_limit(
    name: Name,
    amount: Annotated[int, typer.Argument(metavar="AMOUNT", help="How many it allows from now on.")],
    target: Target,
    json: Json = False,
) -> None:
    """Allow another amount from now on. What runs goes on; who waits for more hears of it within a second."""
    async with target.open(deed="limits.set", on=name) as app:
        await app.limits.set(name, amount)
        state = await app.limits.get(name)
    _tell(state, json)


@cli.command("reset")
@guarded
async def reset_limit(name: Name, target: Target, json: Json = False) -> None:
    """Allow again what the code says."""
    async with target.open(deed="limits.reset", on=name) as app:
        await app.limits.reset(name)
        state = await app.limits.get(name)
    _tell(state, json)


def _tell(state: LimitState, json: bool) -> None:
    if json:
        show_json(state)
    else:
        show(f"{state.name} allows {_allowed(state)}")


def _allowed(state: LimitState) -> str:
    if state.per is None:
        return f"{state.amount:,} at a time"
    burst = "" if state.burst is None else f", {state.burst:,} at once"
    return f"{state.amount:,} in {state.per:g} s{burst}"


def _in_code(state: LimitState) -> str:
    return "" if state.amount == state.amount_in_code else f"{state.amount_in_code:,}"
