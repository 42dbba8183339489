"""Another task like one that exists; one queue, one task type, the settings."""

from __future__ import annotations

import platform

import httpx2
import pytest

import jobbers
from jobbers import Jobbers
from jobbers.client import new_id
from jobbers.core.access import Scope
from jobbers.keyring import Access
from tests.api.support import Desk, error_of


async def test_again(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    sent = {
        "type": "keep",
        "queue": "mail",
        "priority": 3,
        "kwargs": {"data": {"$base64": "AP8="}, "value": 1.5},
    }
    first = (await api.post("/tasks", json=sent)).json()["id"]
    await desk.succeed(await desk.claim("mail"), 1)
    made = await api.post(f"/tasks/{first}/again", json={})
    assert (made.status_code, made.json()["created"]) == (201, True)
    one, two = [(await api.get(f"/tasks/{it}")).json() for it in (first, made.json()["id"])]
    assert one["id"] != two["id"]
    assert (one["status"], two["status"]) == ("succeeded", "queued")
    for field in ("type", "queue", "priority", "args", "kwargs"):
        assert one[field] == two[field]
    other = await api.post(f"/tasks/{first}/again", json={"args": [7]}, headers={"Idempotency-Key": "k"})
    again = await api.post(f"/tasks/{first}/again", json={"args": [7]}, headers={"Idempotency-Key": "k"})
    assert other.json() == again.json()
    assert (await api.get(f"/tasks/{other.json()['id']}")).json()["args"] == [7]


@pytest.mark.parametrize("verb", ["again", "requeue", "dead"])
async def test_what_is_not_given_stays(api: httpx2.AsyncClient, desk: Desk, verb: str) -> None:
    sent = {"type": "keep", "args": [1, 2], "kwargs": {"data": {"$base64": "AP8="}, "other": "x"}}
    task = (await api.post("/tasks", json=sent)).json()["id"]
    for edit in ({"kwargs": {"other": "y"}}, {"args": [3]}, {"args": [], "kwargs": {}}, {}):
        was = (await api.get(f"/tasks/{task}")).json()
        if verb == "again":
            task = (await api.post(f"/tasks/{task}/again", json=edit)).json()["id"]
        else:
            await desk.fail(await desk.claim(), ValueError("no"))
            path = f"/tasks/{task}/requeue" if verb == "requeue" else "/dead-letters/requeue"
            body = edit if verb == "requeue" else {"ids": [task], **edit}
            assert (await api.post(path, json=body)).status_code == 200
        now = (await api.get(f"/tasks/{task}")).json()
        for field in ("args", "kwargs"):
            assert now[field] == edit.get(field, was[field]), (field, edit)


async def test_what_is_given_in_the_other_way_wins(api: httpx2.AsyncClient) -> None:
    task = (await api.post("/tasks", json={"type": "add", "args": [1, 5]})).json()["id"]
    for edit, args, kwargs in (
        ({"kwargs": {"b": 2}}, [1], {"b": 2}),
        ({"args": [3]}, [3], {"b": 2}),
        ({"args": [4, 5]}, [4, 5], {}),
        ({"kwargs": {"a": 6}}, [], {"a": 6, "b": 5}),
        ({"kwargs": {"a": 7}}, [], {"a": 7}),
    ):
        answer = await api.post(f"/tasks/{task}/again", json=edit)
        assert answer.status_code == 201, edit
        task = answer.json()["id"]
        now = (await api.get(f"/tasks/{task}")).json()
        assert (now["args"], now["kwargs"]) == (args, kwargs), edit
    kept = (await api.post("/tasks", json={"type": "keep", "args": [1, 2]})).json()["id"]
    answer = await api.post(f"/tasks/{kept}/again", json={"kwargs": {"value": 3}})
    assert error_of(answer, 422, "invalid_argument")["parameter"] == "value", "2 has no name"


async def test_again_refuses(api: httpx2.AsyncClient, app: Jobbers) -> None:
    error_of(await api.post(f"/tasks/{new_id()}/again", json={}), 404, "not_found")
    task = (await api.post("/tasks", json={"type": "add", "args": [1]})).json()["id"]
    error = error_of(await api.post(f"/tasks/{task}/again", json={"args": ["x"]}), 422, "invalid_argument")
    assert error["parameter"] == "a"
    error_of(await api.post(f"/tasks/{task}/again", json={"queue": "mail"}), 422, "invalid_input")
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    error_of(await api.post(f"/tasks/{run}/again", json={}), 422, "unknown_task_type")
    access = Access((await app.client()).store)
    mail = (await access.create("mail", Scope.SUBMIT, queues=["mail"])).text
    error_of(await api.post(f"/tasks/{task}/again", json={}, headers={"X-API-Key": mail}), 404, "not_found")


async def test_one_queue(api: httpx2.AsyncClient) -> None:
    await api.post("/tasks", json={"type": "keep", "queue": "mail"})
    one = (await api.get("/queues/mail")).json()
    assert (one["name"], one["depth"]) == ("mail", 1)
    assert one.keys() == (await api.get("/queues")).json()["queues"][0].keys()
    error_of(await api.get("/queues/nothing"), 404, "not_found")
    error_of(await api.get("/queues/a%20b"), 422, "invalid_name")


async def test_one_task_type(api: httpx2.AsyncClient, desk: Desk) -> None:
    await api.post("/tasks", json={"type": "add", "args": [1]})
    await desk.succeed(await desk.claim("sums"), 1)
    await api.post("/strikes", json={"type": "add", "where": {"a": 4}})
    await api.post("/strikes", json={"type": "keep", "where": {"value": 4}})
    await api.put("/routes/add", json={"queue": "mail"})
    details = (await api.get("/task-types/add")).json()
    listed = (await api.get("/task-types")).json()["task_types"]
    assert details["task_type"] == next(one for one in listed if one["name"] == "add")
    assert (details["route"], details["outcomes"]) == ("mail", {"succeeded": 1})
    assert [strike["where"] for strike in details["strikes"]] == [{"a": 4}]
    error_of(await api.get("/task-types/nothing"), 404, "not_found")
    assert (
        error_of(await api.get("/task-types/add?minutes=0"), 422, "invalid_input")["parameter"] == "minutes"
    )


async def test_settings(api: httpx2.AsyncClient, app: Jobbers) -> None:
    told = (await api.get("/settings")).json()
    assert told["versions"]["python"] == platform.python_version()
    assert "redis" in told["versions"]
    assert told["version"] == jobbers.__version__
    assert told["settings"]["namespace"] == app.settings.namespace
