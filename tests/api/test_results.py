"""Results: there, not yet, never, gone."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
import msgpack
import pytest

from jobbers import Jobbers, new_id
from jobbers.api.values import MAX_LEVELS
from jobbers.worker import Worker
from tests.api.support import Desk, error_of


async def submit(api: httpx2.AsyncClient, **task: Any) -> str:
    response = await api.post("/tasks", json={"type": "keep", **task})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ({"a": [1, 2.5, True, "é\x00"]}, {"a": [1, 2.5, True, "é\x00"]}),
        (b"\x00\xff", {"$base64": "AP8="}),
        ([math.nan, math.inf, -math.inf], ["NaN", "Infinity", "-Infinity"]),
        ({1: "one", b"\xff": "two", None: 3}, {"1": "one", "�": "two", "None": 3}),
        (datetime(2030, 1, 2, tzinfo=UTC), "2030-01-02T00:00:00Z"),
        (timedelta(minutes=1.5), "PT1M30S"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**64 - 1, 2**64 - 1),
        (msgpack.ExtType(42, b"\x01"), {"$ext": 42, "$base64": "AQ=="}),
    ],
)
async def test_a_result_is_json(api: httpx2.AsyncClient, desk: Desk, value: Any, shown: Any) -> None:
    task_id = await submit(api)
    await desk.succeed(await desk.claim(), value)
    response = await api.get(f"/tasks/{task_id}/result")
    assert response.status_code == 200
    assert response.json() == {"id": task_id, "status": "succeeded", "result": shown}
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_large_result(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    await desk.succeed(await desk.claim(), "x" * 1_000_000)
    assert len((await api.get(f"/tasks/{task_id}/result")).json()["result"]) == 1_000_000


async def test_an_offloaded_result(api: httpx2.AsyncClient, app: Jobbers) -> None:
    task_id = await submit(api, args=["x" * 100_000])
    worker = Worker(app, queues=["default"], concurrency=10)
    working = asyncio.ensure_future(worker.run())
    response = await api.get(f"/tasks/{task_id}/result", params={"timeout": 20})
    worker.stop()
    await working
    assert response.json()["result"] == "x" * 100_000


async def test_a_result_that_nobody_can_read(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    await desk.succeed(await desk.claim(), None, packed=b"\xc1 garbage")
    error_of(await api.get(f"/tasks/{task_id}/result"), 410, "undecodable_result")


async def test_a_result_of_absurd_depth_is_cut(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    await desk.succeed(await desk.claim(), None, packed=b"\x91" * 900 + b"\x01")
    response = await api.get(f"/tasks/{task_id}/result")
    assert response.status_code == 200
    value = response.json()["result"]
    for _ in range(MAX_LEVELS):
        (value,) = value
    assert value == {"$cut": "nested too deeply"}


async def test_not_yet(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    response = await api.get(f"/tasks/{task_id}/result")
    assert response.status_code == 202
    assert response.json() == {"id": task_id, "status": "queued"}
    assert response.headers["retry-after"] == "1"
    await desk.claim()
    begun = time.monotonic()
    response = await api.get(f"/tasks/{task_id}/result", params={"timeout": 0.3})
    assert (response.status_code, response.json()["status"]) == (202, "running")
    assert time.monotonic() - begun >= 0.3


async def test_a_long_poll_ends_with_the_task(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    polling = asyncio.ensure_future(api.get(f"/tasks/{task_id}/result", params={"timeout": 20}))
    claimed = await desk.claim()
    await desk.succeed(claimed, 42)
    response = await polling
    assert (response.status_code, response.json()["result"]) == (200, 42)


async def test_a_failed_task_has_no_result(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api)
    await desk.fail(await desk.claim(), ValueError("out of paper"))
    error = error_of(await api.get(f"/tasks/{task_id}/result"), 409, "task_failed")
    assert "ValueError: out of paper" in error["message"]


async def test_a_cancelled_task_has_no_result(api: httpx2.AsyncClient) -> None:
    task_id = await submit(api)
    await api.post(f"/tasks/{task_id}/cancel", json={"reason": "not needed"})
    error = error_of(await api.get(f"/tasks/{task_id}/result"), 409, "task_cancelled")
    assert "not needed" in error["message"]


async def test_an_expired_result_is_gone(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    task_id = await submit(api)
    await desk.succeed(await desk.claim(), "x" * 10_000)
    store = (await app.client()).store
    assert await store.gateway.command("DEL", store.shards[0].result(task_id)) == 1
    error_of(await api.get(f"/tasks/{task_id}/result"), 410, "result_expired")


async def test_there_is_no_such_task(api: httpx2.AsyncClient) -> None:
    error_of(await api.get(f"/tasks/{new_id()}/result"), 404, "not_found")
    error_of(await api.get(f"/tasks/{new_id()}/result", params={"timeout": 5}), 404, "not_found")
    error = error_of(await api.get("/tasks/abc/result"), 422, "invalid_id")
    assert error["parameter"] == "task_id"


@pytest.mark.parametrize("timeout", ["-1", "61", "nan", "inf", "soon", ""])
async def test_the_timeout_is_bounded(api: httpx2.AsyncClient, timeout: str) -> None:
    response = await api.get(f"/tasks/{new_id()}/result", params={"timeout": timeout})
    assert error_of(response, 422, "invalid_input")["parameter"] == "timeout"
