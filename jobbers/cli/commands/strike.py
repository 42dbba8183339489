"""``jobbers strike``: keep tasks from running by their type and arguments; list and lift that."""

from __future__ import annotations

import getpass
import json as jsonlib
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.commands.submit import named_values
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table, when
from jobbers.cli.running import guarded
from jobbers.client import new_id
from jobbers.core.strike import Strike, check_parameters

cli = new_cli(cls=ListGroup, help="List strikes (also without a command); add and lift them.")


@cli.command("list")
@guarded
async def list_strikes(target: Target, json: Json = False) -> None:
    """List what is struck: by whom, since when and why."""
    async with target.open() as app:
        found = await (await app.inspector()).strikes()
    if json:
        show_json([_data(strike) for strike in found])
    elif not found:
        say("nothing is struck")
    else:
        console().print(strikes_table(found))


@cli.command()
@guarded
async def add(
    task_type: Annotated[str, typer.Argument(metavar="TYPE", help="The name of the task type.")],
    where: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAM=VALUE]...", help="Only with these arguments, JSON or text."),
    ] = None,
    *,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", help="Why; everybody it concerns is told.")] = "",
    action: Annotated[
        str, typer.Option("--action", help="What becomes of them: cancel, or hold until it is lifted.")
    ] = "cancel",
    running: Annotated[bool, typer.Option("--running", help="Cancel those that run now, too.")] = False,
    json: Json = False,
) -> None:
    """Let no task of a type run, or none with these arguments, from now on.

    With the action cancel, what matches is cancelled before its function is called, and new ones are refused. Workers and
    clients go by it within a second.
    """
    pairs = inputs.pairs(where, "PARAM=VALUE")
    async with target.open(start=True, deed="strikes.add", on=task_type) as app:
        strike = _checked(app, task_type, pairs, action=action, reason=reason, running=running)
        added = await (await app.inspector()).strike(strike)
    if json:
        show_json(_data(added))
    else:
        show(added.id)


@cli.command()
@guarded
async def lift(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of strikes.")],
    target: Target,
    json: Json = False,
) -> None:
    """Take strikes back. What they have cancelled stays cancelled; what they hold goes on within a minute."""
    async with target.open(deed="strikes.lift", on=" ".join(ids)) as app:
        inspector = await app.inspector()
        lifted = [await inspector.lift(strike_id) for strike_id in ids]
    if json:
        show_json([_data(strike) for strike in lifted])
    else:
        for strike in lifted:
            show(f"{strike.id}: lifted")


def _checked(app: Jobbers, task_type: str, pairs: dict[str, str], **more: Any) -> Strike:
    """A strike whose values are those that the parameters take, where the application knows the type."""
    known = app.task_types.get(task_type)
    if known is None:
        where = {name: _value(text) for name, text in pairs.items()}
        return Strike(new_id(), task_type, where, by=_me(), **more)
    strike = Strike(new_id(), task_type, named_values(known.signature, pairs), by=_me(), **more)
    return check_parameters(strike, known.signature)


def _value(text: str) -> Any:
    try:
        return jsonlib.loads(text)
    except (ValueError, RecursionError):
        return text


def _me() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):  # a user id without a name
        return socket.gethostname()


def _data(strike: Strike) -> dict[str, Any]:
    return {
        "id": strike.id,
        "type": strike.type,
        "where": strike.where,
        "action": strike.action,
        "reason": strike.reason,
        "running": strike.running,
        "by": strike.by,
        "at": datetime.fromtimestamp(strike.at / 1000, UTC),
    }


def strikes_table(strikes: Iterable[Strike]) -> Any:
    """Strikes as a table."""
    rows = (
        [
            strike.id,
            strike.type,
            " ".join(
                f"{name}={jsonlib.dumps(value, ensure_ascii=False)}" for name, value in strike.where.items()
            ),
            strike.action,
            strike.reason,
            strike.by,
            when(datetime.fromtimestamp(strike.at / 1000, UTC)),
        ]
        for strike in strikes
    )
    return table(["strike", "type", "where", "action", "reason", "by", "since"], rows)
