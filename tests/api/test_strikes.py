"""Strikes over HTTP."""

from __future__ import annotations

import asyncio
from datetime import datetime

import httpx2

from jobbers import new_id
from tests.api.support import error_of


async def test_add_list_lift(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/strikes")).json()["strikes"] == []
    response = await api.post(
        "/strikes", json={"type": "add", "where": {"a": 1}, "reason": "stop", "by": "Ada"}
    )
    assert response.status_code == 201
    strike = response.json()
    assert datetime.fromisoformat(strike["at"])
    assert strike == {
        "id": strike["id"], "type": "add", "where": {"a": 1}, "action": "cancel", "reason": "stop",
        "running": False, "by": "Ada", "at": strike["at"],
    }  # fmt: skip
    assert (await api.get("/strikes")).json()["strikes"] == [strike]
    await asyncio.sleep(0.7)
    refusal = error_of(await api.post("/tasks", json={"type": "add", "args": [1]}), 409, "struck")
    assert f"strike {strike['id']}: stop" in refusal["message"]
    batch = {"tasks": [{"type": "add", "args": [2]}, {"type": "add", "args": [1]}]}
    error_of(await api.post("/tasks/batch", json=batch), 409, "struck")
    assert (await api.post("/tasks", json={"type": "add", "args": [2]})).status_code == 201
    lifted = await api.delete(f"/strikes/{strike['id']}")
    assert (lifted.status_code, lifted.json()) == (200, strike)
    error_of(await api.delete(f"/strikes/{strike['id']}"), 404, "not_found")
    error_of(await api.delete("/strikes/version"), 422, "invalid_id")
    await asyncio.sleep(0.7)
    assert (await api.post("/tasks", json={"type": "add", "args": [1]})).status_code == 201


async def test_types_that_this_app_does_not_know_can_be_struck(api: httpx2.AsyncClient) -> None:
    assert (await api.post("/strikes", json={"type": "elsewhere", "where": {"x": None}})).status_code == 201


async def test_what_makes_no_sense(api: httpx2.AsyncClient) -> None:
    for wrong in (
        {},
        {"type": "add", "where": {"c": 1}},
        {"type": "add", "action": "burn"},
        {"type": "add", "action": "hold", "running": True},
        {"type": "add", "where": [1]},
        {"type": "add", "reason": "x" * 501},
        {"type": "add", "id": new_id()},
    ):
        error_of(await api.post("/strikes", json=wrong), 422, "invalid_input")
    error_of(await api.post("/strikes", json={"type": "a b"}), 422, "invalid_name")
    assert (await api.get("/strikes")).json()["strikes"] == []
