"""``jobbers version``: the versions of everything that matters."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import show, show_json
from jobbers.cli.running import guarded
from jobbers.doctor import server_version, versions

cli = new_cli()


@cli.command()
@guarded
async def version(
    target: Target,
    server: Annotated[bool, typer.Option("--server", help="Ask the server for its version too.")] = False,
    json: Json = False,
) -> None:
    """Print the versions of Jobbers, Python and what they work with; a package that is not installed is null."""
    found = versions()
    if server:
        async with target.open() as app:
            found["server"] = server_version(await (await app.inspector()).server())
    if json:
        show_json(found)
        return
    for name, number in found.items():
        show(f"{name:<11} {number or 'not installed'}")
