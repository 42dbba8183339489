"""The doctor by HTTP: what it finds, what it puts right, and that it keeps nobody waiting."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from jobbers import Jobbers, doctor
from jobbers.inspector import Inspector
from jobbers.store.upkeep import Finding
from tests.api.support import error_of


async def lose(app: Jobbers, api: httpx2.AsyncClient) -> str:
    """Submit a task for later, and take it out of the index that would wake it."""
    task_id: str = (await api.post("/tasks", json={"type": "keep", "delay": 60})).json()["id"]
    store = (await app.client()).store
    for keys in store.shards:
        await store.gateway.command("DEL", keys.due)
    return task_id


def records(response: httpx2.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return [it for it in response.json()["checks"] if it["name"] == "records"]


async def test_looks_and_repairs(api: httpx2.AsyncClient, app: Jobbers) -> None:
    assert [it["level"] for it in records(await api.get("/doctor"))] == ["OK"]
    task_id = await lose(app, api)
    found = await api.get("/doctor")
    assert found.json()["ok"] is False
    (record,) = records(found)
    assert (record["level"], record["remedy"]) == ("FAIL", "jobbers doctor --repair")
    assert task_id in record["found"]
    assert [it["level"] for it in records(await api.get("/doctor"))] == ["FAIL"]  # it only looked
    (record,) = records(await api.post("/doctor/repair", json={}))
    assert record["found"].endswith("put right")
    assert [it["level"] for it in records(await api.get("/doctor"))] == ["OK"]


async def test_one_call_at_a_time_and_not_for_long(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def endless(self: Inspector, *, mend: bool = False) -> list[Finding]:
        begun.set()
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(Inspector, "check", endless)
    monkeypatch.setattr("jobbers.api.routes.doctor.LONGEST_SECONDS", 1.0)
    first = asyncio.create_task(api.get("/doctor"))
    await begun.wait()
    error_of(await api.post("/doctor/repair", json={}), 409, "conflict")
    (record,) = records(await first)
    assert (record["level"], record["found"]) == ("WARN", "not all were looked at in 1 s")
    (record,) = records(await api.post("/doctor/repair", json={}))
    assert record["remedy"] == "jobbers doctor --repair takes the time it needs"


def test_what_is_well() -> None:
    levels = {level: [doctor.Check(level, "server", "it")] for level in doctor.Level}
    assert {level: doctor.is_well(checks) for level, checks in levels.items()} == {
        doctor.Level.OK: True,
        doctor.Level.WARN: True,
        doctor.Level.FAIL: False,
    }
