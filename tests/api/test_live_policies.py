"""Policies of task types are changed over HTTP while everything runs."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from tests.api.support import call, error_of

pytestmark = pytest.mark.anyio


async def test_they_are_set_shown_and_taken_back(api: httpx2.AsyncClient, app: Jobbers) -> None:
    before = (await api.get("/task-types/add")).json()["task_type"]
    assert before["live"] == {}
    wanted = {"timeout": None, "priority": 1, "retry": {"attempts": 1, "jitter": False}}
    made = (await api.put("/task-types/add/live", json=wanted)).json()
    assert made == before | {"live": wanted}, "what the code says stays beside it"
    assert (await api.get("/task-types/add")).json()["task_type"] == made
    listed = {one["name"]: one["live"] for one in (await api.get("/task-types")).json()["task_types"]}
    assert listed == {name: {} for name in listed} | {"add": wanted}
    policy = app.task_types["add"].policy
    assert (policy.timeout_ms, policy.retry.attempts, policy.retry.delay_ms) == (None, 1, 2000)
    assert (await api.post("/tasks", json={"type": "add", "args": [1]})).status_code == 201
    (task,) = (await api.get("/tasks", params={"status": "queued"})).json()["tasks"]
    assert task["priority"] == 1

    made = (await api.put("/task-types/add/live", json={"timeout": 5})).json()
    assert made["live"] == {"timeout": 5}, "in the place of all that was set before"
    assert (await api.delete("/task-types/add/live")).json() == before
    error_of(await api.delete("/task-types/add/live"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "parameter", "said"),
    [
        ({"timeout": -1}, "timeout", "timeout must be zero or more seconds, got -1"),
        ({"timeout": 0}, "timeout", "timeout must be more than zero seconds"),
        ({"timeout": "5s"}, "timeout", "number"),
        ({"timeout": True}, "timeout", "number"),
        ({"heartbeat": 1e12}, "heartbeat", "at most a hundred years"),
        ({"priority": 10}, "priority", "priority must be a whole number from 0 (last) to 9 (first), got 10"),
        ({"priority": None}, "priority", "priority must be"),
        ({"retention": None}, "retention", "retention must be seconds"),
        ({"retry": {"attempts": 0}}, "retry.attempts", "Retry needs attempts of 1 or more, got 0"),
        ({"retry": {"backoff": "cubic"}}, "retry.backoff", "'fixed', 'linear' or 'exponential'"),
        ({"retry": {"delay": -1}}, "retry.delay", "the delay of Retry must be zero or more"),
        ({"retry": {"cap": None}}, "retry.cap", "the cap of Retry must be seconds"),
        ({"queue": "other"}, "queue", "Extra inputs"),
        ({}, None, "say what to change"),
    ],
)
async def test_bad_values_are_refused_by_name(
    api: httpx2.AsyncClient, body: dict[str, Any], parameter: str | None, said: str
) -> None:
    error = error_of(await api.put("/task-types/add/live", json=body), 422, "invalid_input")
    assert error["parameter"] == parameter
    assert said in error["message"]
    assert (await api.get("/task-types/add")).json()["task_type"]["live"] == {}


async def test_a_type_that_is_not_there_is_not_found(api: httpx2.AsyncClient) -> None:
    error_of(await api.put("/task-types/none/live", json={"timeout": 1}), 404, "not_found")
    error_of(await api.delete("/task-types/none/live"), 404, "not_found")


async def test_it_is_for_operators_and_leaves_a_trace(app: Jobbers) -> None:
    async with call(create_app(app)) as api:
        keys = {}
        for scope in ("admin", "operate", "submit"):
            key = keys.get("admin")
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            made = await api.post("/keys", json={"name": scope, "scope": scope}, headers=headers)
            keys[scope] = made.json()["key"]
        body = {"timeout": 1}
        for scope, status in (("submit", 403), ("operate", 200)):
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            answer = await api.put("/task-types/add/live", json=body, headers=headers)
            assert answer.status_code == status
        audit = await api.get("/audit", headers={"Authorization": f"Bearer {keys['admin']}"})
    entries = [it for it in audit.json()["entries"] if "add" in str(it)]
    assert any(it["who"] == "key:operate" for it in entries), audit.text
