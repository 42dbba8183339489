"""Actions on all tasks that match a filter, and groups of dead letters."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import bulk
from jobbers.core.status import Status
from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio


async def submitted(api: httpx2.AsyncClient, type: str, count: int) -> list[str]:
    tasks = [{"type": type, "args": [number]} for number in range(count)]
    answer = await api.post("/tasks/batch", json={"tasks": tasks})
    return [task["id"] for task in answer.json()["tasks"]]


async def done(api: httpx2.AsyncClient, action: str, status: str, **more: Any) -> dict[str, Any]:
    chosen = {name: more.pop(name) for name in ("type", "queue", "group") if name in more}
    answer = await api.post(
        "/tasks/bulk", json={"action": action, "filter": {"status": status, **chosen}, **more}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def statuses(api: httpx2.AsyncClient, ids: list[str]) -> set[str]:
    return {(await api.get(f"/tasks/{task_id}")).json()["status"] for task_id in ids}


async def test_a_dry_run_tells_how_many_and_does_nothing(api: httpx2.AsyncClient) -> None:
    ids = await submitted(api, "add", 7)
    await submitted(api, "keep", 2)
    told = await done(api, "cancel", "queued", queue="sums", dry_run=True)
    sample = told.pop("sample")
    assert told == {"matched": 7, "done": 0, "complete": True, "dry_run": True}
    assert set(sample) < set(ids)
    assert await statuses(api, ids) == {"queued"}
    assert (await done(api, "cancel", "queued", type="add", limit=3, dry_run=True))["complete"] is False
    assert (await done(api, "cancel", "queued", type="add", limit=7, dry_run=True))["complete"] is True


async def test_all_that_match_are_cancelled_and_retried(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_PAGE", 3)  # so that it takes several pages
    ids = await submitted(api, "add", 10)
    others = await submitted(api, "keep", 2)
    first = await done(api, "cancel", "queued", type="add", limit=4)
    assert (first["matched"], first["done"], first["complete"]) == (4, 4, False)
    rest = await done(api, "cancel", "queued", type="add")
    assert (rest["matched"], rest["done"], rest["complete"]) == (6, 6, True)
    assert await statuses(api, ids) == {"cancelled"}
    assert await statuses(api, others) == {"queued"}
    assert (await done(api, "retry", "cancelled", queue="sums"))["done"] == 10
    assert await statuses(api, ids) == {"queued"}


async def test_runs_are_not_retried_like_tasks(api: httpx2.AsyncClient, desk: Desk) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    await desk.fail(await desk.claim("sums"), ValueError("no"))
    assert await statuses(api, [run]) == {"failed"}
    retried = await done(api, "retry", "failed", dry_run=True)
    assert run not in retried["sample"]
    assert (await done(api, "drop", "failed", dry_run=True))["matched"] > retried["matched"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "cancel", "filter": {"status": "failed"}}, 422),
        ({"action": "retry", "filter": {"status": "running"}}, 422),
        ({"action": "drop", "filter": {"status": "cancelled"}}, 422),
        ({"action": "explode", "filter": {"status": "failed"}}, 422),
        ({"action": "retry", "filter": {"status": "failed", "group": "zz"}}, 422),
        ({"action": "retry", "filter": {}}, 422),
        ({"action": "retry", "filter": {"status": "failed"}, "limit": 10_001}, 422),
        ({"action": "retry", "filter": {"status": "failed"}, "dry_run": "no"}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused(api: httpx2.AsyncClient, body: Any, status: int) -> None:
    error_of(await api.post("/tasks/bulk", json=body), status, "invalid_input")


async def test_dead_letters_by_what_went_wrong(api: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/dead-letters/groups")).json() == {"groups": [], "looked_at": 0, "complete": True}
    for number in range(3):
        await submitted(api, "add", 1)
        await desk.fail(await desk.claim("sums"), ValueError(f"no user {number}"))
    (other,) = await submitted(api, "keep", 1)
    await desk.fail(await desk.claim(), KeyError("missing"))
    answer = (await api.get("/dead-letters/groups")).json()
    large, small = answer["groups"]
    assert (answer["looked_at"], answer["complete"]) == (4, True)
    assert (large["count"], large["error"], large["message"]) == (3, "ValueError", "no user …")
    assert (large["example"], large["types"]) == ("no user 2", {"add": 3})
    assert large["first"] <= large["last"]
    assert (small["newest"], small["count"], small["types"]) == (other, 1, {"keep": 1})
    (only,) = (await api.get("/dead-letters/groups", params={"type": "keep"})).json()["groups"]
    assert only == small

    assert (await done(api, "retry", "failed", group=large["group"], dry_run=True))["matched"] == 3
    assert (await done(api, "drop", "failed", group=small["group"]))["done"] == 1
    error_of(await api.get(f"/tasks/{other}"), 404, "not_found")
    assert (await done(api, "retry", "failed", group=large["group"]))["done"] == 3
    assert (await api.get("/dead-letters/groups")).json()["groups"] == []


async def test_without_an_error_the_reason_counts(api: httpx2.AsyncClient, desk: Desk) -> None:
    records = [await (await desk.app.inspector()).task(it) for it in await submitted(api, "keep", 2)]
    assert {bulk.fingerprint_of(record).type for record in records} == {""}
    assert bulk.Filter(Status.FAILED).takes(records[0])
