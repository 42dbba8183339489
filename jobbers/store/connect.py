"""From a URL to connections: the fast wire where hiredis is installed, redis-py otherwise.

redis-py's own retries are off everywhere: what is safe to send again, and when, is decided in the gateway.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, Protocol

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from jobbers.store.url import RedisAddress
from jobbers.store.wire import (
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    Argument,
    Disconnected,
    ReplyError,
    Wire,
)

FAST = find_spec("hiredis") is not None
"""Whether the extra "fast" is installed."""

AsyncClient = redis.asyncio.Redis
SyncClient = redis.Redis


class Connector(Protocol):
    """Makes connections to one server."""

    flags: bool
    """Whether its server knows flags of scripts, as far as is known."""

    @property
    def display(self) -> str:
        """The server's URL without its password."""
        ...

    async def wire(self, name: str) -> Wire:
        """A new shared connection. Raises :class:`Disconnected` or :class:`ReplyError`."""
        ...

    def async_client(self) -> AsyncClient:
        """A redis-py client, for subscriptions."""
        ...

    def sync_client(self) -> SyncClient:
        """A blocking redis-py client, for threads."""
        ...


class ServerConnector:
    """Connects to a real server."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self.flags = True

    @property
    def display(self) -> str:
        """See :class:`Connector`."""
        return self._address.url

    async def wire(self, name: str) -> Wire:
        """See :class:`Connector`."""
        if not FAST:
            return await ClientWire.open(self.async_client())
        from jobbers.store.hiredis_wire import open_wire

        return await open_wire(self._address, name, self._tls())

    def _tls(self) -> ssl.SSLContext | None:
        if self._address.kind != "tls":
            return None
        options = dict(self._address.options)
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if options.get("ssl_cert_reqs") == "none" or options.get("ssl_check_hostname", "").lower() == "false":
            context.check_hostname = False
        if options.get("ssl_cert_reqs") == "none":
            context.verify_mode = ssl.CERT_NONE
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
        return context

    def _options(self) -> dict[str, Any]:
        address = self._address
        options: dict[str, Any] = {
            "db": address.db,
            "username": address.username,
            "password": address.password,
            "protocol": 2,
            "socket_connect_timeout": CONNECT_SECONDS,
        }
        if address.kind == "unix":
            return {**options, "unix_socket_path": address.path}
        options |= {"host": address.host, "port": address.port, "socket_keepalive": True}
        if address.kind == "tls":
            given = dict(address.options)
            check = given.get("ssl_check_hostname", "true").lower() != "false"
            options |= {
                **given,
                "ssl": True,
                "ssl_check_hostname": check and given.get("ssl_cert_reqs") != "none",
            }
        return options

    def async_client(self) -> AsyncClient:
        """See :class:`Connector`."""
        return redis.asyncio.Redis(**self._options(), retry=AsyncRetry(NoBackoff(), 0))

    def sync_client(self) -> SyncClient:
        """See :class:`Connector`."""
        return redis.Redis(**self._options(), retry=Retry(NoBackoff(), 0), socket_timeout=SILENCE_SECONDS / 3)


class ClientWire:
    """A :class:`Wire` over a redis-py client's connection pool; replies come back as the server sent them."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.alive = True

    @classmethod
    async def open(cls, client: AsyncClient) -> ClientWire:
        """Check that the server answers. Raises :class:`Disconnected` or :class:`ReplyError`."""
        wire = cls(client)
        try:
            await wire.call("PING")
        except BaseException:
            await wire.close()
            raise
        return wire

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        """See :class:`Wire`."""
        (reply,) = await self._exchange([command], SILENCE_SECONDS + block)
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        """See :class:`Wire`."""
        return await self._exchange(list(commands), SILENCE_SECONDS)

    async def _exchange(self, commands: list[tuple[Argument, ...]], seconds: float) -> list[Any]:
        if not commands:
            return []
        pool = self._client.connection_pool
        sent = False
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
            clean = False
            try:
                packed = connection.pack_commands(commands)
                sent = True
                await connection.send_packed_command(packed)
                replies: list[Any] = []
                for _ in commands:
                    try:
                        replies.append(await connection.read_response(timeout=seconds))
                    except ResponseError as error:
                        # redis-py strips the code of errors that it knows by type.
                        replies.append(ReplyError(_with_code(error)))
                clean = True
                return replies
            finally:
                if not clean:  # cancelled or broken half way: a reply may still come, so never use it again
                    await connection.disconnect(nowait=True)
                await pool.release(connection)
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            if type(error).__name__ == "BusyLoadingError":
                raise ReplyError(f"LOADING {error}") from None
            raise Disconnected(str(error), sent=sent) from error
        except RedisError as error:
            raise ReplyError(_with_code(error)) from None

    async def close(self) -> None:
        """See :class:`Wire`."""
        self.alive = False
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()


_CODES = {
    "NoScriptError": "NOSCRIPT",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "WRONGPASS",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "ExecAbortError": "EXECABORT",
}


def _with_code(error: Exception) -> str:
    code = _CODES.get(type(error).__name__, "")
    text = str(error)
    return text if not code or text.startswith(code) else f"{code} {text}"
