"""Reading, listing, cancelling and requeuing."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import Jobbers, new_id
from jobbers.core.payload import unpack_envelope
from jobbers.store.logs import pack_line
from tests.api.support import Desk, error_of


async def submit(api: httpx2.AsyncClient, **task: Any) -> str:
    response = await api.post("/tasks", json={"type": "keep", **task})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def test_all_that_is_known_of_a_task(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api, args=[1], kwargs={"data": {"$base64": "AP8="}}, unique={"key": "k"})
    await desk.fail(await desk.claim(), ValueError("out of paper"))
    task = (await api.get(f"/tasks/{task_id.lower()}")).json()
    assert task["id"] == task_id
    assert (task["type"], task["status"], task["queue"], task["priority"]) == ("keep", "failed", "default", 5)
    assert (task["args"], task["kwargs"]) == ([1], {"data": {"$base64": "AP8="}})
    assert (task["attempt"], task["reason"], task["unique_key"]) == (1, "no attempts left", "k")
    assert task["created"].endswith("Z")
    assert task["created"] <= task["started"] <= task["finished"]
    assert task["error"] == {"attempt": 1, "type": "ValueError", "message": "out of paper"}
    assert task["errors"][0]["traceback"] == "Traceback: …"
    assert (
        task["due"] is task["worker"] is task["liveness"] is task["progress"] is None
        or task["worker"] == "desk"
    )


async def test_a_garbled_record_can_be_read(api: httpx2.AsyncClient, app: Jobbers) -> None:
    task_id = await submit(api)
    store = (await app.client()).store
    garbage = {
        "env": b"\xc1",
        "progress": "nan",
        "created": "x",
        "reason": b"\xff",
        "unique": b"f:\xed\xa0\x80",
    }
    pairs = [part for pair in garbage.items() for part in pair]
    await store.gateway.command("HSET", store.shards[0].task(task_id), *pairs)
    response = await api.get(f"/tasks/{task_id}")
    assert response.status_code == 200
    assert response.json()["args"] == []
    assert response.json()["progress"] is None
    assert (await api.get("/tasks", params={"status": "queued"})).status_code == 200


async def test_there_is_no_such_task(api: httpx2.AsyncClient) -> None:
    for path in ("", "/cancel", "/requeue"):
        url = f"/tasks/{new_id()}{path}"
        response = await (api.post(url, json={}) if path else api.get(url))
        error_of(response, 404, "not_found")
    error_of(await api.get("/tasks/abc"), 422, "invalid_id")


async def test_lists_come_in_pages(api: httpx2.AsyncClient) -> None:
    ids = [await submit(api) for _ in range(5)]
    others = [await submit(api, queue="other"), await submit(api, type="add", args=[1])]
    seen: list[str] = []
    query: dict[str, Any] = {"status": "queued", "queue": "default", "type": "keep", "limit": 2}
    while True:
        page = (await api.get("/tasks", params=query)).json()
        assert len(page["tasks"]) <= 2
        assert all("args" not in task for task in page["tasks"])
        seen += [task["id"] for task in page["tasks"]]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert seen == ids
    everything = (await api.get("/tasks", params={"status": "queued"})).json()["tasks"]
    assert sorted(task["id"] for task in everything) == sorted(ids + others)
    for status in ("blocked", "scheduled", "running", "succeeded", "failed", "cancelled", "skipped"):
        assert (await api.get("/tasks", params={"status": status})).json() == {"tasks": [], "cursor": None}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "status"),
        ({"status": "waiting"}, "status"),
        ({"status": "queued", "limit": 0}, "limit"),
        ({"status": "queued", "limit": 501}, "limit"),
        ({"status": "queued", "limit": "many"}, "limit"),
        ({"status": "queued", "cursor": "abc"}, "cursor"),
        ({"status": "succeeded", "cursor": "0-0"}, "cursor"),
        ({"status": "queued", "cursor": "-9999/0-0"}, "cursor"),
        ({"status": "failed", "cursor": "1-2"}, "cursor"),
        ({"status": "queued", "cursor": "1/2/3"}, "cursor"),
    ],
)
async def test_a_list_needs_sense(api: httpx2.AsyncClient, query: Any, parameter: str) -> None:
    error = error_of(await api.get("/tasks", params=query), 422, "invalid_input")
    assert error["parameter"] == parameter


async def test_cancelling(api: httpx2.AsyncClient, desk: Desk) -> None:
    queued, running = await submit(api), await submit(api, queue="other")
    claimed = await desk.claim("other")
    for task_id in (queued, running):
        response = await api.post(f"/tasks/{task_id}/cancel", json={"reason": "no more"})
        assert (response.status_code, response.json()) == (200, {"id": task_id, "cancelled": True})
        again = await api.post(f"/tasks/{task_id}/cancel", headers={"content-type": "application/json"})
        assert (again.status_code, again.json()) == (200, {"id": task_id, "cancelled": False})
        task = (await api.get(f"/tasks/{task_id}")).json()
        assert (task["status"], task["reason"]) == ("cancelled", "no more")
    assert claimed.id == running
    error_of(await api.post(f"/tasks/{queued}/cancel", json={"reason": "x" * 501}), 422, "invalid_input")
    error_of(await api.post(f"/tasks/{queued}/cancel", json={"why": "?"}), 422, "invalid_input")


async def test_requeuing(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = await submit(api, type="add", args=[1])
    requeue = f"/tasks/{task_id}/requeue"
    error_of(await api.post(requeue, json={}), 409, "conflict")
    await desk.fail(await desk.claim("sums"), ValueError("no"))
    response = await api.post(requeue, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (200, {"id": task_id, "status": "queued"})
    await api.post(f"/tasks/{task_id}/cancel", json={})
    error_of(await api.post(requeue, json={"args": ["1"]}), 422, "invalid_argument")
    error_of(await api.post(requeue, json={"args": [], "kwargs": {"b": 2}}), 422, "invalid_argument")
    assert (await api.post(requeue, json={"args": [5], "kwargs": {"b": 2}})).status_code == 200
    envelope = unpack_envelope((await desk.claim("sums")).envelope)
    assert (envelope.args, envelope.kwargs) == ([5], {"b": 2})


async def test_logs(api: httpx2.AsyncClient, app: Jobbers) -> None:
    task_id = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
    assert (await api.get(f"/tasks/{task_id}/logs")).json() == {"id": task_id, "lines": []}
    lines = [pack_line(number, 1, "info", "shop", f"line {number}") for number in range(3)]
    await (await app.client()).store.logs.append({task_id: lines}, 60_000)
    body = (await api.get(f"/tasks/{task_id}/logs?limit=2")).json()
    assert [line["message"] for line in body["lines"]] == ["line 1", "line 2"]
    assert body["lines"][0] == {
        "time": "1970-01-01T00:00:01Z",
        "attempt": 1,
        "level": "info",
        "logger": "shop",
        "message": "line 1",
    }
    error_of(await api.get(f"/tasks/{new_id()}/logs"), 404, "not_found")
    error_of(await api.get(f"/tasks/{task_id}/logs?limit=0"), 422, "invalid_input")
