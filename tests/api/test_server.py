"""The API over a real socket."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api.server import serve
from jobbers.errors import ConfigError
from tests.api.support import error_of, make_app


@asynccontextmanager
async def serving(app: Jobbers, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server on a free port, which is told to stop at the end."""
    async with serving_task(app, **options) as (client, _):
        yield client


@asynccontextmanager
async def serving_task(
    app: Jobbers, **options: Any
) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.Task[None]]]:
    """The same, with the task whose cancellation stops the server."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, port=0, ready=url.set_result, **options))
    try:
        await asyncio.wait([task, url], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        async with httpx2.AsyncClient(base_url=f"{await url}/api/v1", timeout=30, trust_env=False) as client:
            yield client, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_serves_until_it_is_cancelled(app: Jobbers) -> None:
    async with serving(app) as api:
        assert api.base_url.host == "127.0.0.1"
        response = await api.post("/tasks", json={"type": "add", "args": [1]})
        assert response.status_code == 201
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "server" not in response.headers
        assert (await api.get(f"/tasks/{response.json()['id']}")).json()["args"] == [1]
        error_of(await api.get("/nothing"), 404, "not_found")
        url = str(api.base_url)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url, trust_env=False)


async def test_a_large_body_is_refused_before_it_is_read(app: Jobbers) -> None:
    async with serving(app) as api:
        response = await api.post(
            "/tasks", content=b" " * 9_000_000, headers={"content-type": "application/json"}
        )
        error_of(response, 413, "body_too_large")
        assert (await api.get("/health")).status_code == 200


async def test_foreign_host_names_are_refused_on_loopback(app: Jobbers) -> None:
    async with serving(app, hosts=["jobs.example"]) as api:
        error_of(await api.get("/health", headers={"host": "evil.example"}), 421, "wrong_host")
        assert (await api.get("/health", headers={"host": "jobs.example"})).status_code == 200


async def test_a_stop_ends_long_polls(app: Jobbers) -> None:
    async with serving_task(app) as (api, task):
        task_id = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
        polling = asyncio.ensure_future(api.get(f"/tasks/{task_id}/result", params={"timeout": 30}))
        await watching(app, 1)
        begun = time.monotonic()
        task.cancel()
        response = await polling
        assert (response.status_code, response.json()["status"]) == (202, "queued")
        assert time.monotonic() - begun < 5


async def test_a_caller_that_hangs_up_is_not_waited_for(app: Jobbers) -> None:
    async with serving(app) as api:
        task_id = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
        polling = asyncio.ensure_future(api.get(f"/tasks/{task_id}/result", params={"timeout": 30}))
        await watching(app, 1)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await watching(app, 0)


async def watching(app: Jobbers, watchers: int) -> None:
    """Wait until so many wait for tasks."""
    watcher = (await app.client())._watcher
    async with asyncio.timeout(20):
        while len(watcher._moved) != watchers:  # noqa: ASYNC110 - it has no signal of its own
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1"])
async def test_it_refuses_to_listen_for_strangers(app: Jobbers, host: str) -> None:
    with pytest.raises(ConfigError, match="insecure=True"):
        await serve(app, host, 0)


async def test_it_listens_for_strangers_when_told(app: Jobbers) -> None:
    async with serving(app, host="0.0.0.0", insecure=True) as api:
        url = f"http://127.0.0.1:{api.base_url.port}/api/v1/health"
        assert (await api.get(url, headers={"host": "anything.example"})).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
async def test_loopback_has_several_names(app: Jobbers, host: str) -> None:
    async with serving(app, host=host) as api:
        assert (await api.get("/health")).status_code == 200


async def test_an_address_that_cannot_be_had(app: Jobbers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            await serve(app, port=port)
    with pytest.raises(ConfigError, match="cannot be found"):
        await serve(app, "nowhere.invalid")
    with pytest.raises(ConfigError, match="from 0 to 65535"):
        await serve(app, port=70_000)


async def test_it_starts_without_a_task_server() -> None:
    app = make_app("redis://127.0.0.1:1/0", patience=0.1)
    async with serving(app) as api:
        assert (await api.get("/health")).status_code == 200
        error_of(await api.get("/ready"), 503, "not_ready")
