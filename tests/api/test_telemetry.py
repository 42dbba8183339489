"""How much telemetry task types make, over HTTP."""

from __future__ import annotations

import httpx2

from jobbers import Jobbers
from tests.api.support import error_of


async def test_granularity_is_read_set_and_reset(api: httpx2.AsyncClient, app: Jobbers) -> None:
    before = (await api.get("/telemetry")).json()
    assert before == {"rules": "", "types": dict.fromkeys(sorted(app.task_types), "auto"), "idle": []}
    made = (await api.put("/telemetry", json={"rules": "ad*=slow:2s, gone=off,add=always"})).json()
    assert made["rules"] == "ad*=slow:2000ms, gone=off, add=always"
    assert made["types"]["add"] == "slow:2000ms", "the first that fits"
    assert made["idle"] == ["gone"]
    assert (await api.get("/telemetry")).json() == made
    assert (await api.delete("/telemetry")).json() == before
    error_of(await api.delete("/telemetry"), 404, "not_found")


async def test_what_is_wrong_is_refused_and_changes_nothing(api: httpx2.AsyncClient) -> None:
    for rules, said in (
        ("add=loud", "telemetry must be"),
        ("add", "must be like"),
        (" ", "there is no pattern"),
        ("a" * 20_000 + "=off", "10,000 at most"),
    ):
        answer = await api.put("/telemetry", json={"rules": rules})
        assert said in error_of(answer, 422, answer.json()["error"]["code"])["message"]
    assert (await api.get("/telemetry")).json()["rules"] == ""


async def test_garbage_in_its_place_counts_as_nothing(api: httpx2.AsyncClient, app: Jobbers) -> None:
    store = (await app.client()).store
    for command in (("SET", store.keys.granularity, b"\xff=="), ("SET", store.keys.granularity, "x=y")):
        await store.gateway.command(*command)
        assert (await api.get("/telemetry")).json()["rules"] == ""
