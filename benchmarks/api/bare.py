"""What the API is compared with: a FastAPI handler that parses the same body and does one call to Redis, and a raw answer
that shows what the load generator could do.

``python -m benchmarks.api.bare URL --port N`` serves the first, with ``--raw`` the second. uvicorn,
its event loop and its parser are those of the API; requests are not logged.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis

from jobbers.api.schemas import Submission
from jobbers.worker.loop import run


def make_api(url: str) -> FastAPI:
    """The service."""
    redis: Any = Redis.from_url(url, max_connections=100)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await redis.aclose()

    api = FastAPI(lifespan=lifespan)

    @api.post("/api/v1/tasks", status_code=201)
    async def submit(submission: Submission) -> dict[str, str]:
        await redis.set("bare", submission.type)
        return {"id": "01JGZ3Y9W5V8Q2M4T6R8K0N1PD"}

    return api


class _Raw(asyncio.Protocol):
    """Answers whatever comes in one piece."""

    _answer = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)


async def serve(url: str, port: int, raw: bool) -> None:
    """Serve until this process is ended."""
    with socket.create_server(("127.0.0.1", port), backlog=2048) as listener:
        print(f"serving {port}", flush=True)
        if raw:
            server = await asyncio.get_running_loop().create_server(_Raw, sock=listener)
            await server.serve_forever()
        await uvicorn.Server(uvicorn.Config(make_api(url), access_log=False, log_level="warning")).serve(
            [listener]
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--raw", action="store_true")
    given = parser.parse_args()
    run(serve(given.url, given.port, given.raw))


if __name__ == "__main__":
    main()
