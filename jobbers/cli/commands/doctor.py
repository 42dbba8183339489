"""``jobbers doctor``: check the server and the stored data, and say what to do about what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, show_json
from jobbers.cli.running import guarded
from jobbers.doctor import Check, Level, examine, is_well

cli = new_cli()


@cli.command()
@guarded
async def doctor(
    target: Target,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put stored data right where it is wrong.")
    ] = False,
    json: Json = False,
) -> int:
    """Check the server and the stored data; say OK, WARN or FAIL for each, and the way out.

    Looks at every record, in steps: on a large server this takes a while. Exits with 1 when something FAILs.
    """
    async with target.open(deed="doctor.repair" if repair else None) as app:
        checks = await examine(await app.inspector(), app.settings.durability, repair=repair)
    if json:
        show_json({"ok": is_well(checks), "checks": checks})
    else:
        _show(checks)
    return ExitCode.OK if is_well(checks) else ExitCode.NEGATIVE


def _show(checks: Sequence[Check]) -> None:
    from rich.text import Text

    colours = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
    out = console()
    for check in checks:
        line = Text(f"{check.level:<5}", style=colours[check.level]).append(
            f"{check.name}: {check.found}", "default"
        )
        out.print(line, soft_wrap=True)
        if check.remedy:
            out.print(Text(f"      {check.remedy}", "default"), soft_wrap=True)
