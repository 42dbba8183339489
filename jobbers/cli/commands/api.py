"""``jobbers api``: serve the HTTP API and the page."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobbers.app import Jobbers
from jobbers.cli.lazy import new_cli
from jobbers.cli.logs import Level, LogLevel, set_up_logging
from jobbers.cli.options import AppPath, Server
from jobbers.cli.output import say
from jobbers.cli.running import guarded
from jobbers.errors import InvalidInput

if TYPE_CHECKING:
    from jobbers.api.http3 import Certificate

cli = new_cli()

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Listen beyond this machine, even if nobody is asked who they are.")
]


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether to serve HTTP/3, and with what."""

    http3: Annotated[
        bool, typer.Option("--http3", help="Serve HTTP/3, and HTTP/1.1 and 2 over TLS; needs the extra h3.")
    ] = False
    certfile: Annotated[Path | None, typer.Option(help="With --http3: the certificate, in PEM.")] = None
    keyfile: Annotated[Path | None, typer.Option(help="With --http3: its key, in PEM.")] = None

    def certificate(self) -> Certificate | None:
        """What to serve HTTP/3 with, if it is wanted. Raises :class:`ConfigError`, :class:`InvalidInput`."""
        from jobbers.api.http3 import check_certificate

        if self.http3:
            return check_certificate(self.certfile, self.keyfile)
        if self.certfile or self.keyfile:
            raise InvalidInput("--certfile and --keyfile belong to --http3")
        return None


@cli.command()
@guarded
def api(
    server: Server,
    tls: Tls,
    app: AppPath = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    insecure: Insecure = False,
    *,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Serve the HTTP API and the page of an application, until SIGTERM or Ctrl-C."""
    from jobbers.worker.loop import run

    certificate = tls.certificate()
    set_up_logging(log_level)
    loaded = server.app(app)
    if loaded.telemetry is not None:
        loaded.telemetry.send_logs()
    try:
        run(_serve(loaded, host, port, insecure, certificate))
    finally:
        loaded.stop_embedded()


async def _serve(app: Jobbers, host: str, port: int, insecure: bool, http3: Certificate | None) -> None:
    from jobbers.api.server import serve

    def ready(url: str) -> None:
        gc.collect()
        gc.freeze()  # what is there now stays; to look through it again and again would hold up requests
        gc.set_threshold(20_000, 20, 50)  # and what thousands of listeners hold stays for long
        say(f"serving {url}")

    serving = asyncio.ensure_future(serve(app, host, port, insecure=insecure, http3=http3, ready=ready))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await app.close()
