"""As little of HTTP/1.1 as a load generator needs: heads, lengths, and times."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import cast

LENGTH = b"content-length:"


class Sender(asyncio.Protocol):
    """A connection that sends one request after the other."""

    def __init__(self, requests: Sequence[bytes], first: int, pace: float) -> None:
        self._requests = requests
        self._next = first
        self._pace = pace
        self._buffer = b""
        self._missing = -1
        self._sent = 0.0
        self._status = 0
        self._transport: asyncio.Transport | None = None
        self.micros = array("l")
        self.statuses: Counter[int] = Counter()
        self.lost = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        self.lost += 1

    def begin(self) -> None:
        """Send the next request."""
        if self._transport is not None:
            self._sent = time.perf_counter()
            self._transport.write(self._requests[self._next % len(self._requests)])
            self._next += 1

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._missing < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self._status = int(head[9:12])
            at = head.find(LENGTH)
            length = 0 if at < 0 else int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
            self._missing = length - (len(self._buffer) - end - 4)
            self._buffer = b""
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._missing = -1
            self._answered()

    def _answered(self) -> None:
        seconds = time.perf_counter() - self._sent
        self.micros.append(int(seconds * 1_000_000))
        self.statuses[self._status] += 1
        if self._pace:
            asyncio.get_running_loop().call_later(max(0.0, self._pace - seconds), self.begin)
        else:
            self.begin()


class Stream(asyncio.Protocol):
    """A connection that listens to an event stream."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.status = 0
        self.received = 0
        self.lost = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        self.lost += 1

    def begin(self) -> None:
        """Ask for the stream."""
        if self._transport is not None:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if not self.status:
            self.status = int(data[9:12])
        self.received += len(data)
