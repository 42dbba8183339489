"""HTTP/3 with aioquic: each request is a call of an ASGI application.

Hypercorn's own has all connections in one task, which ends with the first request that nobody foresaw: a path that is not
ASCII, a trailer, a body that nobody reads. Here what is wrong ends its own stream, or its own connection, and what callers
make us hold is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.buffer import Buffer  # type: ignore[attr-defined] # its own way of saying that it is public
from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from starlette.types import ASGIApp, Message, Scope

log = logging.getLogger("jobbers.api")

Headers = Sequence[tuple[bytes, bytes]]

MOST_HEAD = 64 * 1024
"""Bytes of a head, packed or not."""
MOST_HELD = 16 * 1024 * 1024
"""Bytes of a body that may wait for the application, or of a connection for what was lost before them."""
MOST_UNSENT = 256 * 1024
"""Bytes of an answer that may wait for the caller to take them: the application waits with the rest."""
MOST_STREAMS = 256
"""Requests of one connection at a time; QUIC lets callers have 128."""
READER_SECONDS = 25.0
"""A caller that takes nothing of an answer for so long is let go."""
_METHOD = re.compile(rb"[A-Z]{1,20}")
_PATH = re.compile(rb"/[\x21-\x7e]*")


class Listener(QuicServer):
    """Takes the datagrams of all connections; opens no more than ``most`` of these at a time."""

    def __init__(
        self,
        app: ASGIApp,
        configuration: Any,
        server: tuple[str, int],
        added: Callable[[], Headers],
        most: int,
    ) -> None:
        self.live: set[Connection] = set()
        self._most = most

        def connect(quic: QuicConnection, **named: Any) -> Connection:
            return Connection(quic, app=app, server=server, added=added, live=self.live, **named)

        super().__init__(configuration=configuration, create_protocol=connect)

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """See asyncio."""
        try:
            if len(self.live) < self._most or not self._opens(data):
                super().datagram_received(data, addr)
        except Exception:
            log.exception("a datagram of HTTP/3 cannot be read")

    def _opens(self, data: Any) -> bool:
        """Whether a datagram would open a connection."""
        try:
            header = pull_quic_header(
                Buffer(data=data), host_cid_length=self._configuration.connection_id_length
            )
        except ValueError:
            return True  # it is nothing at all
        return header.packet_type == QuicPacketType.INITIAL and header.destination_cid not in self._protocols

    async def stop(self, seconds: float) -> None:
        """Let requests end for so long, and then all connections."""
        running = [stream.task for one in self.live for stream in one.streams.values() if stream.task]
        if running:
            _, late = await asyncio.wait(running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.close()


class _Static(H3Connection):
    """Takes no table of headers from callers: in a few bytes each that points at a long one, they could send gigabytes."""

    def _init_connection(self) -> None:
        import pylsqpack

        self._max_table_capacity = self._blocked_streams = 0
        self._decoder = pylsqpack.Decoder(0, 0)
        super()._init_connection()


class Connection(QuicConnectionProtocol):
    """One connection."""

    def __init__(
        self,
        quic: QuicConnection,
        stream_handler: Any = None,
        *,
        app: ASGIApp,
        server: tuple[str, int],
        added: Callable[[], Headers],
        live: set[Connection],
    ) -> None:
        super().__init__(quic, stream_handler)
        self.app = app
        self.server = server
        self.added = added
        """Makes headers that all answers have."""
        # Of the first datagram: it has proven to be theirs, as later ones have not. IPv6 addresses have four parts.
        self.client: tuple[str, int] | None = None
        self.streams: dict[int, Stream] = {}
        self.moved = asyncio.Event()
        """Wakes those who wait whenever something came."""
        self._http: H3Connection | None = None
        self._live = live
        live.add(self)

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """See asyncio."""
        self.client = self.client or tuple(addr[:2])
        self._safely(lambda: super(Connection, self).datagram_received(data, addr))
        self.moved.set()
        self.moved.clear()

    def _handle_timer(self) -> None:
        self._safely(super()._handle_timer)

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
            held = sum(len(stream.receiver._buffer) for stream in self._quic._streams.values())
            if held > MOST_HELD:  # QUIC lets them send on and on behind a gap
                self.close(ErrorCode.H3_EXCESSIVE_LOAD)
        except Exception:
            log.exception("a connection of HTTP/3 failed")
            self.close(ErrorCode.H3_INTERNAL_ERROR)

    def quic_event_received(self, event: QuicEvent) -> None:
        """See aioquic."""
        match event:
            case ProtocolNegotiated():
                self._http = _Static(self._quic)
            case StreamReset() | StopSendingReceived():
                self._hang_up(event.stream_id)
            case ConnectionTerminated():
                self._live.discard(self)
                for stream_id in list(self.streams):
                    self._hang_up(stream_id)
            case _:
                pass
        if self._http is None:
            return
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self._head(found)
            elif isinstance(found, DataReceived) and (stream := self.streams.get(found.stream_id)):
                stream.feed(found.data, ended=found.stream_ended)
        if isinstance(event, StreamDataReceived):
            begun = self._http._stream.get(event.stream_id)
            if begun is not None and len(begun.buffer) > MOST_HEAD:  # of a body nothing is kept there
                self.close(ErrorCode.H3_EXCESSIVE_LOAD)

    def _head(self, event: HeadersReceived) -> None:
        given = dict(event.headers)
        if b":method" not in given:  # a trailer, which nobody asks for
            if event.stream_ended and (stream := self.streams.get(event.stream_id)):
                stream.feed(b"", ended=True)
            return
        method, path = given[b":method"], given.get(b":path", b"")
        size = sum(len(name) + len(value) for name, value in event.headers)
        status = 0
        if size > MOST_HEAD:
            status = 431
        elif len(self.streams) >= MOST_STREAMS:
            status = 503
        elif not _METHOD.fullmatch(method) or method == b"CONNECT" or not _PATH.fullmatch(path):
            status = 400
        if status:
            self.head(event.stream_id, status, [(b"content-length", b"0")], ended=True)
            self.stop_reading(event.stream_id)
            return
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id, self._scope(event.headers))
        stream.feed(b"", ended=event.stream_ended)
        stream.task = asyncio.ensure_future(stream.run())

    def _scope(self, headers: Headers) -> Scope:
        given = dict(headers)
        path, _, query = given[b":path"].partition(b"?")
        cookies = b"; ".join(value for name, value in headers if name == b"cookie")  # they may come in pieces
        host = given.get(b":authority", given.get(b"host", b""))
        rest = [it for it in headers if it[0] not in (b"host", b"cookie") and not it[0].startswith(b":")]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "3",
            "method": given[b":method"].decode(),
            "scheme": "https",
            "path": unquote(path.decode()),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", host), *([(b"cookie", cookies)] if cookies else []), *rest],
            "client": self.client,
            "server": self.server,
            "state": {},
            "extensions": {},
        }

    def _hang_up(self, stream_id: int) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.hang_up()

    def head(self, stream_id: int, status: int, headers: Headers, *, ended: bool) -> None:
        """Send the head of an answer."""
        if self._http is not None:
            pairs = [(b":status", b"%d" % status), *headers, *self.added()]
            self._http.send_headers(stream_id, pairs, end_stream=ended)
            self._transmit_soon()

    def body(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        """Send a part of the body of an answer."""
        if self._http is not None:
            self._http.send_data(stream_id, data, ended)
            self._transmit_soon()

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End an answer in the middle, so that its caller knows."""
        self._quic.reset_stream(stream_id, code)
        streams = {} if self._http is None else self._http._stream
        if begun := streams.get(stream_id):  # it hears of no reset but of the caller's
            begun.sending_ended = True
            if begun.is_ended():
                del streams[stream_id]
        self._transmit_soon()

    def stop_reading(self, stream_id: int) -> None:
        """Want nothing more of a request."""
        with contextlib.suppress(ValueError):  # all of it has come
            self._quic.stop_stream(stream_id, ErrorCode.H3_NO_ERROR)
            self._transmit_soon()

    def unsent(self, stream_id: int) -> int:
        """Bytes of an answer that the caller has not taken."""
        stream = self._quic._streams.get(stream_id)
        return 0 if stream is None or stream.sender.is_finished else len(stream.sender._buffer)

    def forget(self, stream_id: int) -> None:
        """A request has been answered."""
        self.streams.pop(stream_id, None)


class Stream:
    """One request, and its answer."""

    def __init__(self, connection: Connection, stream_id: int, scope: Scope) -> None:
        self.task: asyncio.Future[None] | None = None
        self._connection = connection
        self._id = stream_id
        self._scope = scope
        self._body = bytearray()
        self._whole = self._told = False
        self._started = self._ended = self._gone = False
        self._news = asyncio.Event()

    def feed(self, data: bytes, *, ended: bool) -> None:
        """More of the request has come."""
        self._body += data
        self._whole = self._whole or ended
        if len(self._body) > MOST_HELD:
            self._connection.reset(self._id, ErrorCode.H3_EXCESSIVE_LOAD)
            self._connection.stop_reading(self._id)
            self.hang_up()
        self._news.set()

    def hang_up(self) -> None:
        """The caller has gone, or goes."""
        self._gone = True
        self._body.clear()
        self._news.set()

    async def run(self) -> None:
        """Answer it."""
        try:
            await self._connection.app(self._scope, self._receive, self._send)
        except Exception:
            log.exception("a request of HTTP/3 failed")
        finally:
            try:
                self._finish()
                await self._taken(0)
            finally:
                self._connection.forget(self._id)

    def _finish(self) -> None:
        if not self._gone:
            if not self._started:
                self._connection.head(self._id, 500, [(b"content-length", b"0")], ended=True)
            elif not self._ended:
                self._connection.reset(self._id, ErrorCode.H3_INTERNAL_ERROR)
            if not self._whole:
                self._connection.stop_reading(self._id)
        elif not self._ended:
            self._connection.reset(self._id, ErrorCode.H3_REQUEST_CANCELLED)

    async def _receive(self) -> Message:
        while True:
            if self._gone or self._ended:
                return {"type": "http.disconnect"}
            if self._body or (self._whole and not self._told):
                body = bytes(self._body)
                self._body.clear()
                self._told = self._whole
                return {"type": "http.request", "body": body, "more_body": not self._whole}
            self._news.clear()
            await self._news.wait()

    async def _send(self, message: Message) -> None:
        if self._gone or self._ended:
            return
        if message["type"] == "http.response.start":
            self._started = True
            self._connection.head(self._id, message["status"], list(message.get("headers", ())), ended=False)
            return
        body = b"" if self._scope["method"] == "HEAD" else message.get("body", b"")
        for start in range(0, len(body), MOST_UNSENT):
            if not await self._taken(MOST_UNSENT):
                return
            self._connection.body(self._id, body[start : start + MOST_UNSENT], ended=False)
        if not message.get("more_body", False):
            self._ended = True
            self._connection.body(self._id, b"", ended=True)
            self._news.set()

    async def _taken(self, most: int) -> bool:
        """Wait until the caller has taken all but so many bytes; let one go that takes nothing. Tells whether they are
        still there."""
        clock = asyncio.get_running_loop().time
        least, since = self._connection.unsent(self._id), clock()
        while not self._gone and (unsent := self._connection.unsent(self._id)) > most:
            if unsent < least:
                least, since = unsent, clock()
            elif clock() - since > READER_SECONDS:
                self._connection.close(ErrorCode.H3_EXCESSIVE_LOAD)
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._connection.moved.wait()
        return not self._gone
