"""``jobbers audit``: who did what, when, to what, from where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show_json, table, when
from jobbers.cli.running import guarded
from jobbers.keyring import AUDIT_PAGE, Access
from jobbers.store.access import AuditEntry

cli = new_cli()


@cli.command()
@guarded
async def audit(
    target: Target,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on behind this page.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=AUDIT_PAGE, help="How many entries.")] = 50,
    json: Json = False,
) -> None:
    """Show who did what by the API and these commands, the newest first.

    In it is what changes something, apart from submissions. It has the last 10,000 entries (JOBBERS_AUDIT_ENTRIES).
    """
    async with target.open() as app:
        page = await Access((await app.client()).store).audit(cursor, limit)
    if json:
        entries = [{"id": entry.id, "at": _time(entry), **entry.fields} for entry in page.entries]
        show_json({"entries": entries, "cursor": page.cursor})
        return
    if page.entries:
        names = ("who", "action", "target", "via", "from", "status")
        rows = (
            [when(_time(entry)), *(entry.fields.get(name, "") for name in names)] for entry in page.entries
        )
        console().print(table(["at", *names], rows))
    else:
        say("nothing yet")
    if page.cursor:
        say(f"there may be more: --cursor {page.cursor}")


def _time(entry: AuditEntry) -> datetime:
    return datetime.fromtimestamp(entry.at_ms / 1000, UTC)
