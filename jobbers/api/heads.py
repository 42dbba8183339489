"""Bounds the heads of requests: httptools collects one of any length, and takes longer for each byte the more there are."""

from __future__ import annotations

from typing import Any, Literal

MOST_BYTES = 64 * 1024
"""Of a head, and of what stands between the parts of a body or behind it. What comes in one piece may be longer."""


def protocol() -> type[Any] | Literal["auto"]:
    """What uvicorn is to read requests with: httptools if it is there, bounded; else h11, which has this bound itself."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return "auto"
    return _bounded(HttpToolsProtocol)


def _bounded(base: type[Any]) -> type[Any]:
    class Bounded(base):  # type: ignore[misc]
        """Ends connections that send and send, and neither end a head nor bring a body."""

        _fruitless = 0

        def data_received(self, data: bytes) -> None:
            self._fruitless += len(data)
            super().data_received(data)
            if self._fruitless <= MOST_BYTES or self.transport.is_closing():
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self.transport.abort()  # an answer is being written
            else:
                self.send_400_response("The head of the request is too large.")

        def on_headers_complete(self) -> None:
            self._fruitless = 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._fruitless = 0
            super().on_body(body)

    return Bounded
