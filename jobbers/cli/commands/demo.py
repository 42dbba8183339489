"""``jobbers demo``: see it work."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.cli.lazy import new_cli
from jobbers.cli.running import guarded

cli = new_cli()


@cli.command()
@guarded
def demo(
    files: Annotated[
        int | None, typer.Option("--files", min=1, help="How many files to work on at most.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="How many worker processes.")] = 2,
    kill: Annotated[
        bool, typer.Option("--kill/--no-kill", help="Kill a worker on the way, to see its files taken over.")
    ] = True,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare with a plain loop over the same files.")
    ] = True,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port of the API; a free one by default.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep running when all is done, until Ctrl-C.")
    ] = False,
) -> int | None:
    """See it work: a server, workers and the API, started here, index Python's standard library."""
    from jobbers.demo import main as run_demo

    return run_demo(files=files, workers=workers, kill=kill, check=check, port=port, keep=keep)
