"""``jobbers roles``: which role serves which queues, and live changes of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from jobbers.cli.inputs import names
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.core.roles import Role
from jobbers.errors import InvalidInput
from jobbers.roles import RoleInfo, RolesReport

cli = new_cli(
    cls=ListGroup, help="List roles and who serves what (also without a command); change them live."
)

Name = Annotated[str, typer.Argument(metavar="ROLE", help="The name of the role.")]
Force = Annotated[bool, typer.Option("--force", help="Also when that leaves a queue with work unserved.")]


@cli.command("list")
@guarded
async def list_roles(target: Target, json: Json = False) -> None:
    """List roles, the workers that have them, and queues that nobody serves.

    Idle queues of a role are those to which no known task type sends and in which nothing was done for an hour.
    """
    async with target.open() as app:
        report = await (await app.live_roles()).report()
    if json:
        show_json(report)
    else:
        _show(report)


@cli.command("set")
@guarded
async def set_role(
    role: Name,
    queues: Annotated[
        str,
        typer.Argument(
            metavar="QUEUE[,QUEUE...]", help="Its queues; queue=2 comes twice as often as queue=1."
        ),
    ],
    target: Target,
    strict: Annotated[
        bool, typer.Option("--strict", help="A queue comes only when those before it are empty.")
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Give a role these queues from now on: its workers follow within a second.

    What they run goes on. Nothing is changed when a queue with work would be left unserved, unless --force is given.
    """
    wanted = _weights(queues, strict=strict)
    async with target.open(deed="roles.set", on=role) as app:
        made = await (await app.live_roles()).set(role, wanted, strict=strict, force=force)
    if json:
        show_json({"name": role, "queues": made.queues, "strict": made.strict})
    else:
        show(f"{role} serves {made}")


@cli.command()
@guarded
async def reset(role: Name, target: Target, force: Force = False, json: Json = False) -> None:
    """Let the code say again which queues a role has."""
    async with target.open(deed="roles.reset", on=role) as app:
        made = await (await app.live_roles()).reset(role, force=force)
    if json:
        show_json(
            {"name": role, "queues": made.queues if made else None, "strict": made.strict if made else None}
        )
    else:
        show(f"{role} serves {made}" if made else f"{role} serves what the code of its workers says")


def _weights(text: str, *, strict: bool) -> Mapping[str, int]:
    weights: dict[str, int] = {}
    for word in names(text) or []:
        queue, equals, number = word.partition("=")
        if queue in weights:
            raise InvalidInput(f"queue {queue!r} is named twice")
        if equals and strict:
            raise InvalidInput(
                f"{word!r}: with --strict the order counts, and weights mean nothing; leave one out"
            )
        if equals and not (number.isascii() and number.isdecimal()):
            raise InvalidInput(f"{word!r} is not queue=weight with a whole number")
        weights[queue] = int(number[:9]) if equals else 1
    return weights


def _show(report: RolesReport) -> None:
    if report.roles:
        console().print(_table(report.roles))
    else:
        say("no roles: define some in code, or with 'jobbers roles set ROLE QUEUE'")
    for unserved in report.unserved:
        waiting = f"{unserved.waiting:,} waiting" if unserved.waiting else "nothing waiting"
        types = ", task types send there" if unserved.has_types else ""
        show(f"nobody serves {unserved.queue}: {waiting}{types}")


def _table(roles: Sequence[RoleInfo]) -> Any:
    rows = (
        [
            role.name,
            str(Role(role.queues, role.strict)),
            {"nobody": "not defined"}.get(role.source, role.source),
            ", ".join(role.workers) or "no workers",
            ", ".join(role.idle),
        ]
        for role in roles
    )
    return table(["role", "queues", "defined by", "workers", "idle queues"], rows)
