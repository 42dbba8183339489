"""``jobbers keys``: the keys of the HTTP API; create, list, revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table, when
from jobbers.cli.running import guarded
from jobbers.core.access import KeyFacts
from jobbers.keyring import Access

cli = new_cli(
    cls=ListGroup, help="List the keys of the API (also without a command); create and revoke them."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the key: who or what it is for.")]


async def _access(app: Jobbers) -> Access:
    return Access((await app.client()).store)


@cli.command("list")
@guarded
async def list_keys(target: Target, json: Json = False) -> None:
    """List keys by name: what each may do, and until when. The keys themselves are stored nowhere."""
    async with target.open() as app:
        access = await _access(app)
        keys, now = await access.keys(), await access.now_ms()
    if json:
        show_json([_shown(key, now) for key in keys])
    elif not keys:
        say("no keys: make one with 'jobbers keys create NAME --scope read'")
    else:
        rows = (
            [key.name, key.scope, ", ".join(key.queues or ["all"]), when(_time(key.created)), _end(key, now), _rate(key)]
            for key in keys
        )  # fmt: skip
        console().print(table(["key", "scope", "queues", "made", "expires", "rate"], rows))


@cli.command()
@guarded
async def create(
    name: Name,
    *,
    target: Target,
    scope: Annotated[
        str, typer.Option("--scope", help="read, submit, operate or admin; each includes those before.")
    ],
    queue: Annotated[
        list[str] | None, typer.Option("--queue", help="Restrict it to this queue; may be given again.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="When it ends: 12h, 30d. Never, if left out."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Calls a second that it may make; 0 is the API's default.")
    ] = 0,
    burst: Annotated[
        int, typer.Option("--burst", min=0, help="Calls at once; 0 is as many as in a second.")
    ] = 0,
    json: Json = False,
) -> None:
    """Make a key and print it: this once, for what is stored cannot be turned back into it.

    The first key of a namespace closes its API: from then on it answers only those who have one.
    """
    async with target.open(start=True, deed="keys.create", on=f"{name} scope={scope}") as app:
        access = await _access(app)
        first = not await access.guarded()
        lifetime = inputs.optional_duration(expires, "--expires")
        made = await access.create(name, scope, queues=queue, expires=lifetime, rate=rate, burst=burst)
        off = app.settings.auth == "off"
    if json:
        show_json({**_shown(made.facts, made.facts.created), "key": made.text})
    else:
        show(made.text)
    say("keep it: it is not shown again. Send it as 'Authorization: Bearer …' or 'X-API-Key: …'")
    if off:
        say("but the setting auth is off: the API asks nobody for a key")
    elif first:
        say("it is the first key: from now on the API answers only those who have one")


@cli.command()
@guarded
async def revoke(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The names of the keys.")],
    target: Target,
    json: Json = False,
) -> None:
    """Take keys away: the next call with one of them is refused, and logins made with it end."""
    async with target.open(deed="keys.revoke", on=" ".join(names)) as app:
        access = await _access(app)
        for name in names:
            await access.revoke(name)
            if not json:
                show(f"revoked {name}")
    if json:
        show_json({"revoked": names})


def _shown(key: KeyFacts, now: int) -> dict[str, Any]:
    return {
        "name": key.name,
        "scope": key.scope,
        "queues": key.queues,
        "created": _time(key.created),
        "expires": None if key.expires is None else _time(key.expires),
        "expired": key.ended(now),
        "rate": key.rate,
        "burst": key.burst,
    }


def _end(key: KeyFacts, now: int) -> str:
    if key.expires is None:
        return "never"
    return f"{when(_time(key.expires))}{' (has)' if key.ended(now) else ''}"


def _rate(key: KeyFacts) -> str:
    return f"{key.rate:g}/s" if key.rate else ""


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
