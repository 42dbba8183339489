"""A proxy that understands just enough of the Redis protocol to lose a certain command, or a certain answer.

It runs an event loop in a thread of its own. Each connection is served in lockstep: read a command, pass it on, read its
answer, pass it back; a rule may interfere at any of these points. A connection that subscribes or
replicates is only piped through.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

from jobbers.store import scripts

T = TypeVar("T")
_NEVER = 3600.0


class Fate(Enum):
    """What becomes of a command."""

    LOST = auto()  # the connection breaks before the command reaches the server
    UNANSWERED = auto()  # it is applied, and the connection breaks before the answer comes back
    SWALLOWED = auto()  # it never reaches the server, and the connection stays open and silent
    MUTE = auto()  # it is applied, and the connection stays open and silent
    HELD = auto()  # it is applied, and the answer comes when the rule lets it go
    ANSWERED = auto()  # it never reaches the server, which seems to answer with the rule's text


@dataclass
class Rule:
    """Interferes with the next ``times`` commands that begin with ``words``."""

    words: tuple[bytes | tuple[bytes, ...], ...]
    fate: Fate
    times: int
    text: bytes = b""
    hits: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    def matches(self, command: list[bytes]) -> bool:
        """Whether it is this command's turn."""
        if self.hits >= self.times or len(command) < len(self.words):
            return False
        return all(
            given.upper() in (wanted if isinstance(wanted, tuple) else (wanted.upper(),))
            for given, wanted in zip(command, self.words, strict=False)
        )


class Proxy:
    """Listens on a TCP port of the loopback interface; ``url`` leads through it to the server's unix socket."""

    def __init__(self, target: Callable[[], str]) -> None:
        self._target = target
        self._rules: list[Rule] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.port = str(self._server.sockets[0].getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def script(self, name: str, fate: Fate, times: int = 1) -> Rule:
        """Interfere with calls of a script."""
        shas = tuple(sha.upper() for sha, script in scripts.names_by_sha().items() if script == name)
        return self._add((b"EVALSHA", shas), fate, times, "")

    def command(self, *words: str | bytes, fate: Fate, times: int = 1, text: str = "") -> Rule:
        """Interfere with commands that begin with these words."""
        encoded = tuple(word.encode() if isinstance(word, str) else word for word in words)
        return self._add(encoded, fate, times, text)

    def _add(self, words: tuple[bytes | tuple[bytes, ...], ...], fate: Fate, times: int, text: str) -> Rule:
        rule = Rule(words, fate, times, text.encode())
        self._rules.append(rule)
        return rule

    def reset(self) -> None:
        """Break all connections at once; new ones are served."""
        self._call(self._break())

    def cut(self) -> None:
        """From now on nothing passes, in no direction, and no connection ends: a network that is gone."""
        self._cut = True

    def mend(self) -> None:
        """Let pass again. What was under way when it was cut is gone: those connections break."""
        self._cut = False
        self.reset()

    def close(self) -> None:
        """End."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _break(self) -> None:
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _close(self) -> None:
        self._server.close()
        await self._break()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        upstream = None
        try:
            upstream = await asyncio.open_unix_connection(self._target())
            await self._relay(reader, writer, *upstream)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._sessions.discard(session)
            _abort(writer)
            if upstream is not None:
                upstream[1].transport.abort()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            raw, command = await _read_command(reader)
            await self._hold()
            rule = next((rule for rule in self._rules if rule.matches(command)), None)
            fate = rule.fate if rule else None
            if rule is not None:
                rule.hits += 1
            if fate is Fate.LOST:
                return
            if fate is Fate.SWALLOWED:
                await asyncio.sleep(_NEVER)
            if rule is not None and fate is Fate.ANSWERED:
                writer.write(rule.text)
                continue
            up_writer.write(raw)
            if command[0].upper() in (b"SUBSCRIBE", b"PSYNC"):
                await self._pipe(reader, writer, up_reader, up_writer)
                return
            answer = await _alongside(_read_reply(up_reader), reader)
            if fate is Fate.UNANSWERED:
                return
            if fate is Fate.MUTE:
                await asyncio.sleep(_NEVER)
            while rule is not None and fate is Fate.HELD and not rule.let_go.is_set():  # noqa: ASYNC110 - of a thread
                await asyncio.sleep(0.01)
            await self._hold()
            writer.write(answer)
            await writer.drain()

    async def _hold(self) -> None:
        if self._cut:
            await asyncio.sleep(_NEVER)

    async def _pipe(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                await self._hold()
                sink.write(data)
                await sink.drain()

        both = [
            asyncio.ensure_future(pump(reader, up_writer)),
            asyncio.ensure_future(pump(up_reader, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset the connection rather than close it politely."""
    found = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _alongside(answer: Any, reader: asyncio.StreamReader) -> bytes:
    """Wait for an answer, but not longer than the asker stays."""
    waiting = asyncio.ensure_future(answer)
    try:
        while not waiting.done():
            await asyncio.wait([waiting], timeout=0.2)
            if reader.at_eof() and not waiting.done():
                raise EOFError
        return bytes(waiting.result())
    finally:
        waiting.cancel()


async def _read_command(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """A command as its bytes and as its words. Clients send arrays of strings and nothing else."""
    head = await _line(reader)
    if head[:1] != b"*":
        raise EOFError("not a command")
    raw, words = [head], []
    for _ in range(int(head[1:])):
        size = await _line(reader)
        word = await reader.readexactly(int(size[1:]) + 2)
        raw += [size, word]
        words.append(word[:-2])
    return b"".join(raw), words


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    """One whole reply, as its bytes."""
    line = await _line(reader)
    kind = line[:1]
    if kind == b"$" and int(line[1:]) >= 0:
        return line + await reader.readexactly(int(line[1:]) + 2)
    if kind == b"*":
        return line + b"".join([await _read_reply(reader) for _ in range(max(0, int(line[1:])))])
    return line


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line
