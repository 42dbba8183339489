"""Serves the API with uvicorn, in the running event loop. On loopback only, unless the caller insists."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Any

import uvicorn

from jobbers.api.app import create_app
from jobbers.app import Jobbers
from jobbers.errors import ConfigError, ServerUnavailable

log = logging.getLogger("jobbers.api")

GRACE_SECONDS = 10
"""How long requests that are still running may take once the server stops."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def serve(
    app: Jobbers,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    insecure: bool = False,
    hosts: Collection[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the API of ``app`` until this is cancelled; then it lets running requests end, long polls at once.

    ``host`` must be of this machine's loopback: the API does not ask who calls, and gives everybody who reaches it all
    rights. ``insecure=True`` allows other addresses; use it only where something else keeps strangers away. On loopback
    only calls to ``localhost``, to the address or to one of ``hosts`` (those under which a proxy is reached) are
    answered. Port 0 takes a free one. ``ready`` is called with the URL once it answers.

    Raises :class:`ConfigError` for an address that is refused or taken.
    """
    listener = await _listen(host, port, insecure)
    try:
        with contextlib.suppress(ServerUnavailable):  # it may come later; until then /ready says so
            await app.client()
        names = None if insecure else {*_LOOPBACK, host, *hosts}
        server = _Server(create_app(app, hosts=names), lambda: ready and ready(_url(listener)))
        await _run(server, listener)
    finally:
        listener.close()


async def _run(server: _Server, listener: socket.socket) -> None:
    running = asyncio.ensure_future(server.serve([listener]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running  # a second cancellation goes on to it, and ends it at once
        raise


class _Server(uvicorn.Server):
    """uvicorn, that tells when it is ready and when it stops, and leaves signals to whoever runs the loop."""

    def __init__(self, api: Any, ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                api,
                lifespan="on",
                ws="none",
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._ready = ready
        self._stopping = api.state.jobbers_stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _listen(host: str, port: int, insecure: bool) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise ConfigError(f"a port is a number from 0 to 65535, got {port}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"the address {host!r} cannot be found: {error}") from None
    family, kind, protocol, _, address = found[0]
    if not insecure and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise ConfigError(
            f"refused to listen on {host or address[0]}: whoever reaches the API there could do everything, for it does "
            "not ask who calls. Listen on 127.0.0.1, or pass insecure=True if something else keeps strangers away"
        )
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {error}") from None
    return listener


def _url(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
