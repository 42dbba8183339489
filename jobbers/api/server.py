"""Serves the API with uvicorn, in the running event loop. On loopback only, unless the caller insists."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import uvicorn

from jobbers.api.app import create_app
from jobbers.api.connections import Connections
from jobbers.api.gate import Authenticate, Gate
from jobbers.api.heads import protocol
from jobbers.api.http3 import Certificate, serve_http3
from jobbers.app import Jobbers
from jobbers.errors import ConfigError, ServerUnavailable
from jobbers.keyring import Access, without_keys

log = logging.getLogger("jobbers.api")

GRACE_SECONDS = 10
"""How long requests that are still running may take once the server stops."""
MOST_CONNECTIONS = 3_000
"""With more than that at a time, requests are answered with 503."""
TICKS_A_LOOK = 50
"""uvicorn ticks ten times a second."""
_REFUSED = (
    "refused to listen on {}: whoever reaches the API there could do everything, for there is no key and it does not ask "
    "who calls. Make a key ('jobbers keys create'), or set JOBBERS_AUTH=keys; or listen on 127.0.0.1; or pass "
    "insecure=True (--insecure) if something else keeps strangers away"
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def serve(
    app: Jobbers,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    authenticate: Authenticate | None = None,
    insecure: bool = False,
    hosts: Collection[str] = (),
    http3: Certificate | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the API of ``app`` until this is cancelled; then it lets running requests end, long polls at once.

    Other addresses than those of this machine's loopback need callers to be asked who they are: by the setting ``auth``
    or an issuer of tokens, by ``authenticate`` (see :func:`create_app`), or since there is a key already. Else they are
    refused. ``insecure=True`` allows them all the same; use it only where something else keeps strangers away. On loopback
    only calls to ``localhost``, to the address or to one of ``hosts`` (those under which a proxy is reached) are
    answered. Port 0 takes a free one. ``http3`` serves TLS only: HTTP/3 on UDP, and HTTP/1.1 and 2 on TCP, on
    one port. ``ready`` is called with the URL once it answers.

    Raises :class:`ConfigError` for an address that is refused or taken.
    """
    place = await _find(host, port)
    asks = await _asks(app, authenticate)
    if not (place.loopback or asks or insecure):
        raise ConfigError(_REFUSED.format(host or place.address[0]))
    listener = _listen(place)
    try:
        names = {*_LOOPBACK, host, *hosts} if place.loopback and not insecure else None
        api = create_app(app, authenticate=authenticate, auth_required=asks, insecure=insecure, hosts=names)
        url = _url(listener, "http" if http3 is None else "https")
        if http3 is None:
            await _run(_Server(api, lambda: ready and ready(url)), listener)
        else:
            await serve_http3(api, listener, http3, lambda: ready and ready(url))
    finally:
        listener.close()


async def _asks(app: Jobbers, authenticate: Authenticate | None) -> bool:
    """Whether callers are asked who they are from the start. Connects, if the task server can be reached."""
    asks = Gate(app, authenticate).asks
    with contextlib.suppress(ServerUnavailable):  # it may come later; until then /ready says so
        client = await app.client()
        asks = asks or (app.settings.auth == "auto" and await Access(client.store).guarded())
    return asks


async def _run(server: _Server, listener: socket.socket) -> None:
    logging.getLogger("uvicorn.access").addFilter(_hide_keys)
    running = asyncio.ensure_future(server.serve([listener]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running  # a second cancellation goes on to it, and ends it at once
        raise


def _hide_keys(record: logging.LogRecord) -> bool:
    """Takes keys out of the paths in uvicorn's log of requests; lets everything pass."""
    if isinstance(record.args, tuple):
        record.args = tuple(without_keys(it) if isinstance(it, str) else it for it in record.args)
    return True


class _Server(uvicorn.Server):
    """uvicorn, that tells when it is ready and when it stops, and leaves signals to whoever runs the loop."""

    def __init__(self, api: Any, ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                api,
                lifespan="on",
                access_log=logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO),
                http=protocol(),
                ws="none",
                log_config=None,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS + 1,  # uvicorn refuses at that many
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._ready = ready
        self._stopping = api.state.jobbers_stopping = asyncio.Event()
        self._connections = Connections()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_LOOK == 0:
            self._connections.look(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Place(NamedTuple):
    """Where to listen, as the system has it."""

    family: int
    kind: int
    protocol: int
    address: Any
    said: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(str(self.address[0]).partition("%")[0]).is_loopback


async def _find(host: str, port: int) -> _Place:
    if not 0 <= port <= 65_535:
        raise ConfigError(f"a port is a number from 0 to 65535, got {port}")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"the address {host!r} cannot be found: {error}") from None
    family, kind, protocol, _, address = found[0]
    return _Place(family, kind, protocol, address, f"{host} port {port}")


def _listen(place: _Place) -> socket.socket:
    listener = socket.socket(place.family, place.kind, place.protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place.address)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {place.said}: {error}") from None
    return listener


def _url(listener: socket.socket, scheme: str) -> str:
    address, port = listener.getsockname()[:2]
    return f"{scheme}://[{address}]:{port}" if ":" in address else f"{scheme}://{address}:{port}"
