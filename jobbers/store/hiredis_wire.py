"""One connection that many callers share: commands go out as they come, replies come back in order.

An asyncio protocol over hiredis's parser. A round trip costs about half of what a general client needs, and callers
that speak at the same time share the wire without waiting for each other. A caller that is cancelled leaves its place
in the queue of replies, so the connection never gets out of step.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

import hiredis

from jobbers.store.url import RedisAddress
from jobbers.store.wire import CONNECT_SECONDS, SILENCE_SECONDS, Argument, Disconnected, ReplyError


class _Replies:
    """Collects the replies to commands that were sent together, those that are errors too, for one future: a future for
    each would take longer than all the rest of reading them."""

    def __init__(self, future: asyncio.Future[list[Any]], count: int) -> None:
        self._future = future
        self._count = count
        self._replies: list[Any] = []
        self.done = future.done

    def set_result(self, reply: Any) -> None:
        """Take the next reply."""
        self._replies.append(reply)
        if len(self._replies) == self._count:
            self._future.set_result(self._replies)

    def set_exception(self, error: ReplyError | Disconnected) -> None:
        """Take an error for the next reply; the end of the connection is one for all."""
        if isinstance(error, Disconnected):
            self._future.set_exception(error)
        else:
            self.set_result(error)


class HiredisWire(asyncio.Protocol):
    """A :class:`jobbers.store.wire.Wire` over TCP, TLS or a unix socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = hiredis.Reader(replyError=ReplyError)
        self._pending: deque[tuple[asyncio.Future[Any] | _Replies, float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._closed = loop.create_future()
        self.alive = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self.alive = True

    def data_received(self, data: bytes) -> None:
        """asyncio: hand complete replies to those who wait, oldest first."""
        reader, pending = self._reader, self._pending
        reader.feed(data)
        try:
            reply = reader.gets()
            while reply is not False:
                future, _ = pending.popleft()
                if not future.done():
                    if isinstance(reply, ReplyError):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
                reply = reader.gets()
        except (hiredis.ProtocolError, IndexError) as error:
            self._break(f"the server speaks no Redis protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._break(f"connection lost: {exc}" if exc else "connection closed by the server")

    def _break(self, why: str) -> None:
        self.alive = False
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self._transport is not None:
            self._transport.abort()
        while self._pending:
            future, _ = self._pending.popleft()
            if not future.done():
                future.set_exception(Disconnected(why, sent=True))
        if not self._closed.done():
            self._closed.set_result(None)

    def send(self, command: tuple[Argument, ...], block: float = 0.0) -> asyncio.Future[Any]:
        """Send one command now; the future gets its reply. Raises :class:`Disconnected` if nothing was sent."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._write(hiredis.pack_command(command), future, 1, block)  # type: ignore[arg-type]
        return future

    def _write(
        self, data: bytes, waits: asyncio.Future[Any] | _Replies, count: int, block: float = 0.0
    ) -> None:
        if not self.alive or self._transport is None:
            raise Disconnected("not connected", sent=False)
        self._transport.write(data)
        self._pending.extend([(waits, self._loop.time() + SILENCE_SECONDS + block)] * count)
        if self._watchdog is None:
            self._watchdog = self._loop.call_later(SILENCE_SECONDS / 3, self._watch)

    def _watch(self) -> None:
        """A half-open connection says nothing for ever: notice, so that nobody waits for ever."""
        self._watchdog = None
        if self._pending and self._pending[0][1] < self._loop.time():
            self._break("no reply in time")
        elif self._pending:
            self._watchdog = self._loop.call_later(SILENCE_SECONDS / 3, self._watch)

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        """See :class:`jobbers.store.wire.Wire`."""
        return await self.send(command, block)

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        """See :class:`jobbers.store.wire.Wire`."""
        packed = [hiredis.pack_command(command) for command in commands]  # type: ignore[arg-type]
        if not packed:
            return []
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._write(b"".join(packed), _Replies(future, len(packed)), len(packed))
        return await future

    async def close(self) -> None:
        """See :class:`jobbers.store.wire.Wire`."""
        if self._transport is not None and not self._closed.done():
            self._break("closed")
            await asyncio.sleep(0)  # lets the transport drop its socket


async def open_wire(address: RedisAddress, name: str, tls: ssl.SSLContext | None = None) -> HiredisWire:
    """Connect, log in and choose the database. ``name`` is shown by CLIENT LIST.

    Raises :class:`Disconnected` when there is no server, :class:`ReplyError` when it refuses the login.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.kind == "unix":
                _, wire = await loop.create_unix_connection(lambda: HiredisWire(loop), address.path)
            else:
                host = address.host if tls else None
                _, wire = await loop.create_connection(
                    lambda: HiredisWire(loop), address.host, address.port, ssl=tls, server_hostname=host
                )
    except (OSError, TimeoutError) as error:
        raise Disconnected(str(error) or "connecting took too long", sent=False) from error
    try:
        if address.password is not None:
            login = (address.username, address.password) if address.username else (address.password,)
            await wire.call("AUTH", *login)
        await wire.call("CLIENT", "SETNAME", name)
        if address.db:
            await wire.call("SELECT", address.db)
    except BaseException:  # also cancelled: a transport that nobody holds would stay open
        await wire.close()
        raise
    return wire
