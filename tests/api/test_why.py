"""``GET /tasks/{id}/why``."""

from __future__ import annotations

import httpx2

from jobbers import Jobbers
from jobbers.client import new_id
from jobbers.core.access import Scope
from jobbers.keyring import Access
from tests.api.support import Desk, call, error_of, served


async def test_why(api: httpx2.AsyncClient, desk: Desk) -> None:
    task_id = (await api.post("/tasks", json={"type": "keep", "delay": 600})).json()["id"]
    why = (await api.get(f"/tasks/{task_id}/why")).json()
    assert (why["id"], why["type"], why["status"], why["waits"]) == (task_id, "keep", "scheduled", True)
    assert (why["primary"]["code"], why["primary"]["task"]) == ("delayed", None)
    assert why["primary"]["facts"]["due"].endswith("Z")
    assert [reason["code"] for reason in why["others"]] == ["no_worker"]
    error_of(await api.get(f"/tasks/{new_id()}/why"), 404, "not_found")
    error_of(await api.get("/tasks/nonsense/why"), 422, "invalid_id")


async def test_a_run(api: httpx2.AsyncClient) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    why = (await api.get(f"/tasks/{run}/why")).json()
    assert why["primary"]["code"] == "nodes"
    assert [node["name"] for node in why["primary"]["facts"]["nodes"]] == ["first", "second"]
    first = why["primary"]["facts"]["nodes"][0]["id"]
    assert [(reason["code"], reason["task"]) for reason in why["others"]] == [("no_worker", first)]


async def test_those_who_are_restricted_see_their_own(app: Jobbers) -> None:
    access = Access((await app.client()).store)
    mine = (await access.create("mail", Scope.READ, queues=["default"])).text
    admin = (await access.create("boss", Scope.ADMIN)).text
    await (await app.live_roles()).set("hushed", ["default", "sums"], force=True)
    async with call(served(app)) as client:
        both = [
            (
                await client.post("/tasks", json={"type": kind, "args": args}, headers={"X-API-Key": admin})
            ).json()["id"]
            for kind, args in (("keep", []), ("add", [1]))
        ]
        open_to_all = await client.get(f"/tasks/{both[0]}/why", headers={"X-API-Key": admin})
        answers = [await client.get(f"/tasks/{it}/why", headers={"X-API-Key": mine}) for it in both]
    assert answers[0].json()["primary"]["code"] == "no_worker"
    assert "hushed" in open_to_all.text
    assert "hushed" not in answers[0].text
    error_of(answers[1], 404, "not_found")
