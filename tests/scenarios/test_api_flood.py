"""The API is flooded, and some of its clients never finish what they say. Workers do not notice, and nor do others."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.scenarios.harness import SUCCEEDED, Scene, WorkerProcess, until
from tests.soak.rig import usage

SLOW = 200
CALLERS = 50
CALLS = 20
MOST_MEMORY = 250.0
"""MiB; an idle API takes about 75."""


@pytest.fixture
async def api(scene: Scene) -> tuple[WorkerProcess, str]:
    environment = {
        **os.environ,
        "JOBBERS_REDIS_URL": scene.server.url,
        "JOBBERS_NAMESPACE": scene.settings["namespace"],
        "JOBBERS_LEASE": str(scene.settings["lease"]),
    }
    command = [sys.executable, "-m", "jobbers", "api", "tests.scenarios.apps:app", "--port", "0"]
    process = WorkerProcess(command, environment, scene.folder / "api.log")
    scene.ended.append(process.end)
    await until(lambda: "http://127.0.0.1:" in process.said(), "the API listens")
    return process, "http://127.0.0.1:" + process.said().partition("http://127.0.0.1:")[2].split()[0].rstrip(
        "/.,"
    )


async def hang_on(url: str, text: bytes) -> asyncio.StreamWriter:
    """A client that says something and then nothing any more."""
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(text)
    await writer.drain()
    return writer


@pytest.mark.slow
async def test_slow_clients_and_a_flood(scene: Scene, api: tuple[WorkerProcess, str]) -> None:
    process, url = api
    await scene.worker()
    halves = (
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-",
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 1000000\r\n\r\n{"type": "note", ',
    )
    slow = [await hang_on(url, halves[number % 2]) for number in range(SLOW)]
    answers: Counter[int] = Counter()

    async def call(client: httpx2.AsyncClient) -> None:
        for number in range(CALLS):
            answer = await client.post("/api/v1/tasks", json={"type": "note", "args": [number]})
            answers[answer.status_code] += 1
            if answer.is_success:
                scene.note(scene.app.handle(answer.json()["id"]))

    limits = httpx2.Limits(max_connections=CALLERS)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        own = await scene.map("nap", [0.2] * 50)
        await asyncio.gather(*[call(client) for _ in range(CALLERS)])
        huge = await client.post(
            "/api/v1/tasks",
            content=b'{"args": ["' + b"x" * 9_000_000,
            headers={"content-type": "application/json"},
        )
    assert huge.status_code == 413
    assert await scene.final(own) == {SUCCEEDED: 50}
    assert answers.keys() <= {201, 202, 200, 429, 503}, answers
    assert answers.total() == CALLERS * CALLS
    assert process.code is None
    assert usage(process.pid)["memory"] < MOST_MEMORY
    await until(scene.quiet, "all that was accepted is done")
    for writer in slow:
        writer.close()
