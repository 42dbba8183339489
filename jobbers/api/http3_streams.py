"""HTTP/3 of hypercorn, without two faults: a request that is answered before all of its body has come ends the service for
all (a ``KeyError`` for the rest), and an application is not told when a caller hangs up."""

from __future__ import annotations

from typing import Any

from aioquic.quic.events import ConnectionTerminated, QuicEvent, StopSendingReceived, StreamReset
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h3 import H3Protocol


class _Gone:
    """A stream that is answered: what still comes is dropped."""

    async def handle(self, event: object) -> None:
        """Do nothing."""


class _Streams(dict[int, Any]):
    def __missing__(self, stream_id: int) -> _Gone:
        return _Gone()


class TolerantH3(H3Protocol):
    """One connection."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.streams = _Streams()

    async def handle(self, quic_event: QuicEvent) -> None:
        """See hypercorn."""
        if isinstance(quic_event, StreamReset | StopSendingReceived):
            await self._hung_up([quic_event.stream_id])
        elif isinstance(quic_event, ConnectionTerminated):
            await self._hung_up(list(self.streams))
        await super().handle(quic_event)

    async def _hung_up(self, streams: list[int]) -> None:
        for stream_id in streams:
            await self.streams[stream_id].handle(StreamClosed(stream_id=stream_id))
            self.streams.pop(stream_id, None)
