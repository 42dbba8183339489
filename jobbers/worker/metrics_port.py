"""Answers Prometheus from inside a worker: ``GET /metrics`` and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from jobbers.telemetry.exposition import END, OPENMETRICS, TEXT, exposition, wants_openmetrics
from jobbers.telemetry.ports import Telemetry

log = logging.getLogger("jobbers.worker")

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 5.0
"""How long a request may take to be sent."""
LARGEST_HEAD = 16 * 1024
MOST_AT_ONCE = 16


class MetricsPort:
    """Listens while the worker works. A port that is taken is told in the log, and the worker goes on."""

    def __init__(self, listen: str, telemetry: Telemetry) -> None:
        self._listen = listen
        self._telemetry = telemetry
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Begin to listen."""
        host, _, number = self._listen.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]") or LOOPBACK, int(number), limit=LARGEST_HEAD
            )
        except OSError as error:
            log.warning("metrics cannot be asked for at %s: %s", self._listen, error)
            return
        name, port, *_ = self._server.sockets[0].getsockname()
        log.info("metrics at http://%s:%d/metrics", f"[{name}]" if ":" in name else name, port)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with contextlib.suppress(
                OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    if self._open <= MOST_AT_ONCE:
                        head = await reader.readuntil(b"\r\n\r\n")
                        writer.write(self._answer(head.decode("latin-1")))
                        await writer.drain()
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.split(" ")[0].split("?")[0]
        if path != "/metrics":
            return _response("404 Not Found", TEXT, "there is only /metrics\n")
        if method != "GET":
            return _response("405 Method Not Allowed", TEXT, "only GET\n")
        accept = ",".join(line[7:] for line in lines if line[:7].lower() == "accept:")
        openmetrics = wants_openmetrics(accept)
        text = exposition(self._telemetry.metrics.families(), openmetrics=openmetrics)
        return _response("200 OK", OPENMETRICS if openmetrics else TEXT, text + (END if openmetrics else ""))


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body
