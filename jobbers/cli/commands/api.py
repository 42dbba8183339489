"""``jobbers api``: serve the HTTP API and the page."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Annotated

import typer

from jobbers.app import Jobbers
from jobbers.cli.lazy import new_cli
from jobbers.cli.logs import Level, LogLevel, set_up_logging
from jobbers.cli.options import AppPath, Server
from jobbers.cli.output import say
from jobbers.cli.running import guarded

cli = new_cli()

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond this machine, even if nobody is asked who they are.")
]


@cli.command()
@guarded
def api(
    server: Server,
    app: AppPath = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    insecure: Insecure = False,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Serve the HTTP API and the page of an application, until SIGTERM or Ctrl-C."""
    from jobbers.worker.loop import run

    set_up_logging(log_level)
    loaded = server.app(app)
    try:
        run(_serve(loaded, host, port, insecure))
    finally:
        loaded.stop_embedded()


async def _serve(app: Jobbers, host: str, port: int, insecure: bool) -> None:
    from jobbers.api.server import serve

    serving = asyncio.ensure_future(
        serve(app, host, port, insecure=insecure, ready=lambda url: say(f"serving {url}"))
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await app.close()
