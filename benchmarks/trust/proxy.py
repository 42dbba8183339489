"""Stands between a worker and the server; holds back the reply that hands out tasks, or breaks a completing call.

It knows just enough of the protocol (RESP 2 and 3) to tell commands and replies apart and to keep them paired. A client
that goes away is noticed at once and its connection to the server closed, as if the two had been connected directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

EMPTY = (b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"_\r\n", b"%0\r\n")
REPLY_MARK = "<-"
_MORE = {b"*": 1, b"~": 1, b">": 1, b"%": 2}
"""Aggregates, and how many elements each count stands for."""


class Fate(Enum):
    """What becomes of a call."""

    HELD = auto()  # applied; from this reply on nothing passes any more, to or from this worker
    BROKEN_BEFORE = auto()  # the connection breaks before the server has it
    BROKEN_AFTER = auto()  # applied; the connection breaks before the reply


@dataclass(slots=True)
class Rule:
    """Interferes with calls that one of ``patterns`` describes, for ``seconds`` from the first."""

    fate: Fate
    patterns: list[list[str]]
    seconds: float
    hits: int = 0
    first: float = 0.0
    hit: asyncio.Event = field(default_factory=asyncio.Event)

    def pattern(self, name: bytes, raw: bytes) -> list[str] | None:
        """The pattern that fits a command (``raw`` includes its transaction), if its time is not over."""
        if self.hits and time.monotonic() - self.first > self.seconds:
            return None
        for command, *texts in self.patterns:
            wanted = [text.encode() for text in texts if not text.startswith(REPLY_MARK)]
            if name == command.encode() and all(text.lower() in raw.lower() for text in wanted):
                return [command, *texts]
        return None

    def count(self) -> None:
        """A call was met with this fate."""
        self.first = self.first or time.monotonic()
        self.hits += 1
        self.hit.set()


def hands_out(reply: bytes, pattern: list[str]) -> bool:
    """Whether a reply to a claiming call brings tasks."""
    wanted = [text.removeprefix(REPLY_MARK).encode() for text in pattern if text.startswith(REPLY_MARK)]
    return reply not in EMPTY and all(text in reply for text in wanted)


class Proxy:
    """Listens on a port of the loopback interface; an async context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sessions: set[asyncio.Task[None]] = set()
        self._cut = False
        self.rule: Rule | None = None
        self.url = ""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        calls: deque[list[str] | None] = deque()
        pumps = [
            asyncio.ensure_future(self._requests(reader, up_writer, calls)),
            asyncio.ensure_future(self._replies(up_reader, writer, calls)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the end of the run; start_server would log it
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._sessions.discard(session)
            _abort(writer)
            _abort(up_writer)

    async def _requests(
        self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, calls: deque[list[str] | None]
    ) -> None:
        transaction = b""
        while True:
            raw, name = await _read_command(reader)
            transaction = raw if name == b"MULTI" else transaction + raw if transaction else b""
            rule = self.rule
            pattern = rule.pattern(name, transaction or raw) if rule else None
            if name in (b"EXEC", b"DISCARD"):
                transaction = b""
            if rule and pattern and rule.fate is Fate.BROKEN_BEFORE:
                rule.count()
                return
            if self._cut:
                await asyncio.Event().wait()
            calls.append(pattern)
            up.write(raw)
            await up.drain()

    async def _replies(
        self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, calls: deque[list[str] | None]
    ) -> None:
        while True:
            reply = await _read_reply(up)
            # Replies beyond the calls are messages of a subscription.
            pattern = calls.popleft() if calls and not reply.startswith(b">") else None
            if (rule := self.rule) and pattern:
                if rule.fate is Fate.BROKEN_AFTER:
                    rule.count()
                    return
                if rule.fate is Fate.HELD and hands_out(reply, pattern):
                    rule.count()
                    self._cut = True
            if self._cut:
                await asyncio.Event().wait()
            writer.write(reply)
            await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset the connection rather than close it politely."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    writer.transport.abort()


async def _read_command(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A command as its bytes, and its first word in capitals."""
    head = await _line(reader)
    if head[:1] != b"*":
        raise EOFError("not a command")
    parts = [head]
    for _ in range(int(head[1:])):
        size = await _line(reader)
        parts += [size, await reader.readexactly(int(size[1:]) + 2)]
    return b"".join(parts), parts[2][:-2].upper()


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    """One whole reply, as its bytes."""
    line = await _line(reader)
    kind = line[:1]
    if kind in (b"$", b"=", b"!") and int(line[1:]) >= 0:
        return line + await reader.readexactly(int(line[1:]) + 2)
    if kind in _MORE:
        return line + b"".join([await _read_reply(reader) for _ in range(int(line[1:]) * _MORE[kind])])
    return line


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line
