"""Workers over HTTP: what they run, and what they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.store.control import ControlStore
from jobbers.worker.worker import Worker
from tests.api.support import error_of


@pytest.fixture
async def go(app: Jobbers) -> asyncio.Event:
    """What the tasks of the type "wait" wait for."""
    event = asyncio.Event()

    @app.task
    async def wait() -> str:
        await event.wait()
        return "done"

    return event


@pytest.fixture
async def worker(app: Jobbers, go: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    monkeypatch.setattr("jobbers.worker.worker.PRESENCE_SECONDS", 0.1)
    worker = Worker(app, queues=["default", "sums"], concurrency=2)
    working = asyncio.create_task(worker.run())
    await worker.ready.wait()
    yield worker
    worker.stop()
    await asyncio.wait_for(working, 20)


async def until(check: Callable[[], Awaitable[bool]], what: str) -> None:
    ends = time.monotonic() + 20
    while not await check():
        assert time.monotonic() < ends, f"it never came that {what}"
        await asyncio.sleep(0.05)


async def test_what_a_worker_runs(
    api: httpx2.AsyncClient, app: Jobbers, worker: Worker, go: asyncio.Event
) -> None:
    task = await app.task_types["wait"].submit()

    async def runs() -> bool:
        details = (await api.get(f"/workers/{worker.identity.id}")).json()
        return [one["id"] for one in details["running"]] == [task.id]

    await until(runs, "the task runs")
    details = (await api.get(f"/workers/{worker.identity.id}")).json()
    assert (details["worker"]["id"], details["complete"]) == (worker.identity.id, True)
    go.set()
    await task.wait(10)
    assert (await api.get(f"/workers/{worker.identity.id}")).json()["running"] == []
    error_of(await api.get("/workers/nobody"), 404, "not_found")


async def test_pause_and_resume(api: httpx2.AsyncClient, app: Jobbers, worker: Worker) -> None:
    at = f"/workers/{worker.identity.id}"

    async def is_paused() -> bool:
        facts = (await api.get(at)).json()["worker"]["facts"]
        return bool(facts["paused"] == "1")

    async def goes_on() -> bool:
        return not await is_paused()

    assert (await (await app.task_types["keep"].submit(1)).result(10)) == 1
    answer = await api.post(f"{at}/pause", json={})
    assert answer.json() == {"id": worker.identity.id, "told": "pause"}
    await until(is_paused, "it is paused")
    await asyncio.sleep(app.settings.poll_interval)  # one that waits for work may wait for that long
    task = await app.task_types["keep"].submit(2)
    await asyncio.sleep(1.0)
    assert (await task.status()) == "queued"
    assert (await api.post(f"{at}/resume", json={})).json()["told"] is None
    assert await task.result(20) == 2
    await until(goes_on, "it goes on")


async def test_drain(api: httpx2.AsyncClient, app: Jobbers, worker: Worker, go: asyncio.Event) -> None:
    task = await app.task_types["wait"].submit()

    async def runs() -> bool:
        return bool((await task.status()) == "running")

    async def gone() -> bool:
        return (await api.get(f"/workers/{worker.identity.id}")).status_code == 404

    await until(runs, "the task runs")
    assert (await api.post(f"/workers/{worker.identity.id}/drain", json={})).json()["told"] == "drain"
    await asyncio.sleep(0.3)
    go.set()
    assert await task.result(20) == "done"
    await until(gone, "the worker has ended")


async def test_a_worker_that_has_left_does_not_come_back(
    api: httpx2.AsyncClient, app: Jobbers, go: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = ControlStore.leave

    async def slowly(control: ControlStore, workers: Sequence[str]) -> None:
        await leave(control, workers)
        await asyncio.sleep(0.3 if workers else 0)

    monkeypatch.setattr("jobbers.worker.worker.PRESENCE_SECONDS", 0.01)
    monkeypatch.setattr(ControlStore, "leave", slowly)
    worker = Worker(app)
    working = asyncio.create_task(worker.run())
    await worker.ready.wait()
    at = f"/workers/{worker.identity.id}"

    async def there() -> bool:
        return (await api.get(at)).status_code == 200

    await until(there, "it is on the roll")
    worker.stop()
    await asyncio.wait_for(working, 20)
    error_of(await api.get(at), 404, "not_found")


async def test_a_paused_worker_that_drains_claims_nothing_on_its_way(
    api: httpx2.AsyncClient, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    at = f"/workers/{worker.identity.id}"
    caplog.set_level("INFO", "jobbers.worker")

    async def is_paused() -> bool:
        return bool((await api.get(at)).json()["worker"]["facts"]["paused"] == "1")

    async def gone() -> bool:
        return (await api.get(at)).status_code == 404

    await api.post(f"{at}/pause", json={})
    await until(is_paused, "it is paused")
    await api.post(f"{at}/drain", json={})
    await until(gone, "the worker has ended")
    told = [record.getMessage().partition("told to ")[2] for record in caplog.records]
    assert [word for word in told if word] == ["pause", "end"]


async def test_workers_that_are_not_there(api: httpx2.AsyncClient, app: Jobbers) -> None:
    store = (await app.client()).store
    for action in ("pause", "resume", "drain"):
        error_of(await api.post(f"/workers/nobody/{action}", json={}), 404, "not_found")
        error = error_of(await api.post(f"/workers/{'x' * 101}/{action}", json={}), 422, "invalid_input")
        assert error["parameter"] == "worker"
        error_of(await api.post(f"/workers/a%20b/{action}", json={}), 422, "invalid_input")
    assert await store.gateway.command("KEYS", f"{store.keys.prefix}:worker:*") == []
