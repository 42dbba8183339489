"""Serves the API over HTTP/3, and over TLS as HTTP/1.1 and HTTP/2 on the TCP port of the same number, the latter with
hypercorn."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from starlette.types import ASGIApp

from jobbers.errors import ConfigError

MISSING = "HTTP/3 needs the extra h3: pip install 'jobbers[h3]'"
GRACE_SECONDS = 5.0
HANDSHAKE_SECONDS = 10.0
MOST_CONNECTIONS = 3_000
"""Over TCP, and as many over UDP: who comes then is not answered."""


class Certificate(NamedTuple):
    """Files in PEM: a certificate with those that lead to its root, and its key."""

    certfile: Path
    keyfile: Path


def check_certificate(certfile: Path | None, keyfile: Path | None) -> Certificate:
    """What TLS needs. Raises :class:`ConfigError` if something is missing or cannot be read."""
    if find_spec("hypercorn") is None or find_spec("aioquic") is None:
        raise ConfigError(MISSING)
    if certfile is None or keyfile is None:
        raise ConfigError(
            "HTTP/3 is always encrypted: give a certificate and its key (--certfile, --keyfile)"
        )
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certfile, keyfile)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificate {str(certfile)!r} with the key {str(keyfile)!r} cannot be used: {error}"
        ) from None
    return Certificate(certfile, keyfile)


async def serve_http3(
    api: Any, listener: socket.socket, certificate: Certificate, ready: Callable[[], object]
) -> None:
    """Serve an application until this is cancelled, on the port of ``listener``, which is bound and does not listen yet:
    over TCP, and over UDP on the same port. Raises :class:`ConfigError` if the latter is taken."""
    from hypercorn.asyncio.lifespan import Lifespan
    from hypercorn.utils import wrap_app

    stopping = api.state.jobbers_stopping = asyncio.Event()
    config = _config(certificate, listener.getsockname()[1])
    lifespan = Lifespan(wrap_app(api, 0, "asgi"), config, asyncio.get_running_loop(), {})
    living = asyncio.ensure_future(lifespan.handle_lifespan())
    await lifespan.wait_for_startup()
    try:
        with _datagrams(listener) as datagrams:
            await _listen(api, config, listener, datagrams, ready, stopping)
    finally:
        await lifespan.wait_for_shutdown()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def _listen(
    app: Any,
    config: Any,
    listener: socket.socket,
    datagrams: socket.socket,
    ready: Callable[[], object],
    stopping: asyncio.Event,
) -> None:
    from hypercorn.asyncio.tcp_server import TCPServer
    from hypercorn.asyncio.worker_context import WorkerContext
    from hypercorn.utils import wrap_app

    wrapped = wrap_app(app, 0, "asgi")
    loop = asyncio.get_running_loop()
    context = WorkerContext(None)
    serving: set[asyncio.Future[Any]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(serving) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        serving.add(
            task := asyncio.ensure_future(TCPServer(wrapped, loop, config, context, {}, reader, writer).run())
        )
        task.add_done_callback(serving.discard)

    over_tcp = await asyncio.start_server(
        connected, sock=listener, ssl=config.create_ssl_context(), ssl_handshake_timeout=HANDSHAKE_SECONDS
    )
    _, over_udp = await loop.create_datagram_endpoint(
        lambda: _over_udp(app, config, listener), sock=datagrams
    )
    ready()
    try:
        await loop.create_future()  # until this is cancelled
    finally:
        stopping.set()
        over_tcp.close()
        await context.terminated.set()
        ending = asyncio.ensure_future(over_udp.stop(GRACE_SECONDS))
        if serving:
            _, late = await asyncio.wait(serving, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await ending


def _over_udp(app: ASGIApp, config: Any, listener: socket.socket) -> Any:
    from aioquic.h3.connection import H3_ALPN
    from aioquic.quic.configuration import QuicConfiguration

    from jobbers.api.http3_streams import Listener

    logging.getLogger("quic").setLevel(
        logging.WARNING
    )  # else it tells what strangers make it say, a line for each
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.load_cert_chain(config.certfile, config.keyfile)
    server = listener.getsockname()[:2]
    return Listener(app, configuration, server, lambda: config.response_headers("h3"), MOST_CONNECTIONS)


def _config(certificate: Certificate, port: int) -> Any:
    from hypercorn.config import Config

    config = Config()
    config.certfile, config.keyfile = str(certificate.certfile), str(certificate.keyfile)
    config.alt_svc_headers = [f'h3=":{port}"; ma=3600']
    config.include_server_header = False
    config.keep_alive_timeout = 15.0  # also how long it waits for the head of a request
    config.read_timeout = 60
    config.errorlog = logging.getLogger("hypercorn.error")
    config.accesslog = None
    return config


def _datagrams(listener: socket.socket) -> socket.socket:
    address = listener.getsockname()
    datagrams = socket.socket(listener.family, socket.SOCK_DGRAM)
    try:
        datagrams.bind(address)
    except OSError as error:
        datagrams.close()
        raise ConfigError(f"cannot listen on UDP port {address[1]}: {error}") from None
    datagrams.setblocking(False)
    return datagrams
