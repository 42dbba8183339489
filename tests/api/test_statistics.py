"""Statistics, advice, and the number for autoscalers."""

from __future__ import annotations

import time
from datetime import datetime

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.store.store import Store
from jobbers.store.tasks import Failure
from tests.api.support import HOUR_MS, Desk, error_of


async def worked_for(app: Jobbers, desk: Desk, seconds: float, *, timeout: bool = False) -> None:
    """Submit, claim and end a task that seems to have run for so long."""
    store: Store = (await app.client()).store
    await app.task_types["keep"].submit()
    claimed = await desk.claim()
    started = await store.inspect.now_ms() - int(seconds * 1000)
    await store.gateway.command("HSET", store.shards[0].task(claimed.id), "started", started)
    if timeout:
        row = Failure(claimed.id, claimed.owner, HOUR_MS, "late", b"", "timeout")
        assert await store.tasks.fail(0, [row]) == []
    else:
        await desk.succeed(claimed, None)


async def test_statistics_of_queues(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    assert (await api.get("/stats/queues")).json()["queues"] == []
    for _ in range(9):
        await worked_for(app, desk, 8)
    await worked_for(app, desk, 120, timeout=True)
    await api.post("/tasks", json={"type": "keep", "delay": 60})
    await api.post("/tasks", json={"type": "keep"})
    await (await app.client()).store.control.announce("w1", {"queues": "default", "concurrency": "7"}, 60_000)
    body = (await api.get("/stats/queues?minutes=10&step=5")).json()
    assert body["exact"]
    (queue,) = body["queues"]
    assert {name: queue[name] for name in ("ready", "scheduled", "running", "dead")} == {
        "ready": 1,
        "scheduled": 1,
        "running": 0,
        "dead": 1,
    }
    assert (queue["workers"], queue["workers_seen"], queue["slots"]) == (1, 1, 7)
    assert (queue["outcomes"], queue["timeouts"]) == ({"succeeded": 9, "failed": 1}, {"failed": 1})
    assert queue["silences"] == {}
    ran = queue["ran"]
    assert (ran["count"], ran["total"]) == (10, pytest.approx(192, abs=60))
    assert 4 < ran["p50"] < 25
    assert 60 < ran["p99"] < 200
    first, second = queue["history"]
    assert datetime.fromisoformat(first["start"]) == datetime.fromisoformat(body["since"])
    assert second["outcomes"] == queue["outcomes"]
    (kind,) = body["types"]
    assert (kind["type"], kind["queue"], kind["outcomes"]) == ("keep", "default", queue["outcomes"])
    workers = {worker["id"]: worker for worker in (await api.get("/stats/workers")).json()["workers"]}
    assert workers["desk"]["timeouts"] == {"failed": 1}
    assert (workers["w1"]["alive"], workers["w1"]["queues"]) == (True, ["default"])
    for path in ("/stats/queues?minutes=0", "/stats/queues?minutes=1441", "/stats/queues?step=0"):
        error_of(await api.get(path), 422, "invalid_input")


async def test_depth_minute_by_minute(api: httpx2.AsyncClient, app: Jobbers) -> None:
    await api.post("/tasks", json={"type": "keep"})
    store = (await app.client()).store
    minute = await store.inspect.now_ms() // 60_000
    await store.statistics.sample(minute - 2, {"default": 40, "other": 2})
    (queue,) = (await api.get("/stats/queues?minutes=4&step=1")).json()["queues"]
    by_minute = {
        datetime.fromisoformat(it["start"]).timestamp() // 60: it["ready"] for it in queue["history"]
    }
    assert (by_minute.get(minute - 2), by_minute.get(minute - 1)) == (40, None)


async def test_advice(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    assert (await api.get("/advice")).json() == {"target_wait": 5, "advice": [], "cursor": None}
    assert (await api.get("/scale/default")).json() == {"value": 0}
    store = (await app.client()).store
    await store.control.announce("w1", {"queues": "default", "concurrency": "2"}, 60_000)
    await worked_for(app, desk, 60)
    for _ in range(10):
        await api.post("/tasks", json={"type": "keep"})
    (advice,) = (await api.get("/advice?target_wait=10")).json()["advice"]
    assert (advice["queue"], advice["ready"], advice["workers"], advice["slots"]) == ("default", 10, 1, 2)
    assert advice["run_seconds"] == pytest.approx(60, abs=15)
    assert 10 <= advice["wanted_slots"] <= 12, "each of the ten needs one"
    assert advice["wanted_workers"] in (5, 6)
    assert (await api.get("/scale/default?target_wait=10")).json()["value"] in (5, 6)
    assert (await api.get("/scale/default?target_wait=10&at_most=3")).json() == {"value": 3}
    assert (await api.get("/scale/none&at_least=2")).status_code == 422
    assert (await api.get("/scale/none?at_least=2")).json() == {"value": 2}
    facts = {"queues": "default", "concurrency": "8", "paused": "1", "running": "3"}
    await store.control.announce("w2", facts, 60_000)
    (with_paused,) = (await api.get("/advice?target_wait=10")).json()["advice"]
    assert (with_paused["workers"], with_paused["slots"]) == (1, 2), "one that is paused takes nothing"
    (queue,) = (await api.get("/stats/queues")).json()["queues"]
    assert (queue["workers"], queue["slots"]) == (1, 2)
    assert {it["id"]: it["alive"] for it in (await api.get("/stats/workers")).json()["workers"]}["w2"]
    await api.post("/queues/default/pause", json={})
    assert (await api.get("/scale/default")).json() == {"value": 0}
    error_of(await api.get("/advice?target_wait=0"), 422, "invalid_input")


async def test_arrivals_are_counted_from_the_oldest_sample(
    api: httpx2.AsyncClient, app: Jobbers, desk: Desk
) -> None:
    store = (await app.client()).store
    await worked_for(app, desk, 1)
    for _ in range(30):
        await api.post("/tasks", json={"type": "keep"})
    before = time.time() // 60 - 2
    await store.statistics.sample(int(before), {"default": 10})
    (advice,) = (await api.get("/advice")).json()["advice"]
    gathered = 30 - 10 + 1
    assert gathered / 181 <= advice["arrival_rate"] <= gathered / 119
