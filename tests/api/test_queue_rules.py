"""Queues are drained, limited and purged over HTTP, and types sent elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.api.support import Desk, error_of


async def queue_of(api: httpx2.AsyncClient, name: str) -> Any:
    return {queue["name"]: queue for queue in (await api.get("/queues")).json()["queues"]}[name]


async def test_drain_and_resume(api: httpx2.AsyncClient, desk: Desk) -> None:
    await api.post("/tasks", json={"type": "keep"})
    drained = await api.post("/queues/default/drain", json={})
    assert (drained.status_code, drained.json()) == (200, {"name": "default", "draining": True})
    assert (await queue_of(api, "default"))["draining"]
    refused = error_of(await api.post("/tasks", json={"type": "keep"}), 409, "queue_draining")
    assert "queue default is drained" in refused["message"]
    body = {"tasks": [{"type": "add", "args": [1]}, {"type": "keep"}]}
    await asyncio.sleep(1.1)  # by then the service has heard of it, and looks at calls as a whole
    error_of(await api.post("/tasks/batch", json=body), 409, "queue_draining")
    assert (await api.get("/stats")).json()["counts"]["queued"] == 1
    await desk.claim()
    await api.post("/queues/default/resume", json={})
    assert (await api.post("/tasks", json={"type": "keep"})).status_code == 201
    error_of(await api.post("/queues/a%20b/drain", json={}), 422, "invalid_name")


async def test_limits(api: httpx2.AsyncClient) -> None:
    written = await api.put("/queues/default/limit", json={"max_length": 2})
    assert (written.status_code, written.json()) == (
        200,
        {"name": "default", "max_length": 2, "when_full": "refuse"},
    )
    for _ in range(2):
        assert (await api.post("/tasks", json={"type": "keep"})).status_code == 201
    response = await api.post("/tasks", json={"type": "keep"})
    error_of(response, 429, "queue_full")
    assert response.headers["retry-after"] == "1"
    await api.put("/queues/default/limit", json={"max_length": 1, "when_full": "drop_oldest"})
    queue = await queue_of(api, "default")
    assert (queue["depth"], queue["max_length"], queue["when_full"]) == (1, 1, "drop_oldest")
    assert len((await api.get("/dead-letters")).json()["tasks"]) == 1
    assert (await api.put("/queues/default/limit", json={"max_length": None})).json()["max_length"] is None
    assert (await api.delete("/queues/default/limit")).json() == {
        "name": "default",
        "max_length": None,
        "when_full": None,
    }


async def test_purge_wants_the_name_once_more(api: httpx2.AsyncClient) -> None:
    for delay in (None, None, 60):
        await api.post("/tasks", json={"type": "keep", "delay": delay})
    await api.post("/tasks", json={"type": "add", "args": [1]})
    for body in ({}, {"queue": "sums"}, {"queue": True}, {"queue": "default", "more": 1}):
        error_of(await api.post("/queues/default/purge", json=body), 422, "invalid_input")
    assert (await api.get("/stats")).json()["counts"]["queued"] == 3
    purged = await api.post("/queues/default/purge", json={"queue": "default"})
    assert (purged.status_code, purged.json()) == (200, {"name": "default", "purged": 3})
    counts = (await api.get("/stats")).json()["counts"]
    assert (counts["queued"], counts["scheduled"]) == (1, 0)


async def test_routes(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/routes")).json()["routes"] == []
    assert (await api.put("/routes/keep", json={"queue": "sums"})).json() == {"type": "keep", "queue": "sums"}
    assert (await api.get("/routes")).json()["routes"] == [{"type": "keep", "queue": "sums"}]
    task = (await api.post("/tasks", json={"type": "keep"})).json()
    assert (await api.get(f"/tasks/{task['id']}")).json()["queue"] == "sums"
    assert (await api.delete("/routes/keep")).json() == {"type": "keep", "queue": None}
    error_of(await api.delete("/routes/keep"), 404, "not_found")
    error_of(await api.put("/routes/keep", json={"queue": "a b"}), 422, "invalid_name")
    error_of(await api.put("/routes/a%20b", json={"queue": "a"}), 422, "invalid_name")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"max_length": 0},
        {"max_length": 1, "when_full": "explode"},
        {"max_length": "1"},
        {"max_length": 10**10},
    ],
)
async def test_limits_that_make_no_sense(api: httpx2.AsyncClient, body: Any) -> None:
    error_of(await api.put("/queues/default/limit", json=body), 422, "invalid_input")
