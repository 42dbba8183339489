"""The response that never ends by itself: server-sent events, as they come, at most four times a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jobbers.api.live.hub import Hub, MakeReader
from jobbers.api.live.readers import EndedReader
from jobbers.api.live.topics import Topic
from jobbers.api.live.updates import Listener
from jobbers.api.packing import ENCODING, PackedStream, Piece, takes_gzip
from jobbers.api.traffic import Traffic
from jobbers.errors import JobbersError

HEARTBEAT = 15.0
"""After so many seconds of silence a comment says that the stream still is there."""
PACE = 0.25
"""Shortest time between two writes to one listener, in seconds."""
PATIENCE = 20.0
"""A listener that takes nothing for so many seconds is let go."""
RETRY_MS = 2_000
_RETRY = Piece(f"retry: {RETRY_MS}\n\n".encode())
_STILL_HERE = Piece(b": still here\n\n")
LEAVE = 2.0
"""So long, in seconds, a listener may take to hear that the stream ends."""
LOOK_AGAIN = 30.0
"""So often, in seconds, it is asked whether a listener may still listen."""

StillAdmitted = Callable[[], Awaitable[bool]]


class EventStream(Response):
    """What a hub tells of some topics."""

    media_type = "text/event-stream"

    def __init__(
        self,
        hub: Hub,
        make: MakeReader,
        topics: list[Topic],
        after: str,
        stopping: asyncio.Event,
        *,
        traffic: Traffic,
        still_admitted: StillAdmitted | None = None,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no", "Vary": "Accept-Encoding"})
        del self.headers["content-length"]
        self._hub = hub
        self._make = make
        self._listener = Listener(topics)
        self._after = after
        self._stopping = stopping
        self._packed: PackedStream | None = None
        self._sending = asyncio.Lock()
        self._traffic = traffic
        self._still_admitted = still_admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. Ends when the listener hangs up, is too slow, or may not listen any more; and when the server stops."""
        if takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            self._packed = PackedStream()
            self.headers["Content-Encoding"] = ENCODING
        with self._traffic.stream(scope):
            await self._serve(receive, send)

    async def _serve(self, receive: Receive, send: Send) -> None:
        self._hub.join(self._listener, self._make)
        work = [
            asyncio.ensure_future(self._write(send)),
            asyncio.ensure_future(_hung_up(receive)),
            asyncio.ensure_future(self._stopping.wait()),
            asyncio.ensure_future(self._dismissed()),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            if work[0] not in done and work[1] not in done:
                await self._take_leave(work[0], send)
        finally:
            self._hub.leave(self._listener)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        if work[0] in done and (error := work[0].exception()) is not None:
            raise error

    async def _take_leave(self, writer: asyncio.Future[Any], send: Send) -> None:
        """End the stream behind what is being sent: a part that is cut off, but counted, would spoil the sum at its end.
        Who takes nothing does not hear of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE), self._sending:
                if not writer.done():
                    writer.cancel()
                    await send(self._last())

    def _last(self) -> dict[str, Any]:
        body = self._packed.end() if self._packed else b""
        return {"type": "http.response.body", "body": body, "more_body": False}

    async def _write(self, send: Send) -> None:
        await self._sent(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for pieces in self._chunks():
            chunk = self._packed.add(pieces) if self._packed else b"".join(piece.plain for piece in pieces)
            message = {"type": "http.response.body", "body": chunk, "more_body": True}
            if not await self._sent(send, message):
                return
        await self._sent(send, self._last())

    async def _sent(self, send: Send, message: Mapping[str, Any]) -> bool:
        """Send it; tells whether the listener took it."""
        try:
            async with self._sending, asyncio.timeout(PATIENCE):
                await send(dict(message))
        except TimeoutError:
            return False
        return True

    async def _chunks(self) -> AsyncIterator[Sequence[Piece]]:
        yield (_RETRY,)
        replayed = await self._replayed()
        if replayed:
            yield replayed
        while not self._listener.lost:
            updates = await self._listener.take(HEARTBEAT)
            yield [update.encoded for update in updates] or (_STILL_HERE,)
            await asyncio.sleep(PACE)

    async def _dismissed(self) -> None:
        """Return when the listener's key was revoked or has expired, within a minute."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                if self._still_admitted is not None and not await self._still_admitted():
                    return
            except JobbersError:  # it cannot be known now; the topics cannot be read either
                continue

    async def _replayed(self) -> Sequence[Piece]:
        """What ended since the event that the listener had last."""
        topics = [topic for topic in self._listener.topics if topic.kind == "ended"]
        reader = self._hub.reader(topics[0]) if topics and self._after else None
        if not isinstance(reader, EndedReader):
            return ()
        until = reader.position
        if until is None:
            until = await asyncio.shield(reader.began)
        updates = await reader.replay(self._after, until, topics)
        return [update.encoded for update in updates]


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
