"""Submitting over HTTP: what is accepted, what is refused, and that nothing is written when it is."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers, new_id
from jobbers.client import Client
from jobbers.core.payload import unpack_envelope
from jobbers.errors import OutOfMemory, UnknownOutcome
from tests.api.support import Desk, error_of


async def count(app: Jobbers) -> int:
    return sum((await (await app.inspector()).counts()).values())


async def test_a_task_is_submitted(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    response = await api.post("/tasks", json={"type": "add", "args": [2], "kwargs": {"b": 3}})
    assert response.status_code == 201
    body = response.json()
    assert body == {"id": body["id"], "status": "queued", "created": True}
    claimed = await desk.claim("sums")
    assert (claimed.id, claimed.type, claimed.priority) == (body["id"], "add", 7)
    assert unpack_envelope(claimed.envelope).args == [2]
    assert unpack_envelope(claimed.envelope).kwargs == {"b": 3}


async def test_options(api: httpx2.AsyncClient) -> None:
    task_id = new_id()
    options = {
        "id": task_id,
        "queue": "slow",
        "priority": 0,
        "delay": 60.5,
        "deadline": 600,
        "headers": {"who": "me"},
    }
    response = await api.post("/tasks", json={"type": "add", "args": [1], **options})
    assert response.json() == {"id": task_id, "status": "scheduled", "created": True}
    task = (await api.get(f"/tasks/{task_id}")).json()
    assert task["queue"] == "slow"
    assert task["priority"] == 0
    assert task["headers"] == {"who": "me"}
    due = datetime.fromisoformat(task["due"]) - datetime.fromisoformat(task["created"])
    assert due == timedelta(seconds=60.5)
    assert datetime.fromisoformat(task["deadline"]) - datetime.fromisoformat(task["created"]) == timedelta(
        minutes=10
    )


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2100-01-01T00:00:00Z", "scheduled"),
        ("2100-01-01T02:00:00+02:00", "scheduled"),
        ("2001-01-01T00:00:00Z", "queued"),
    ],
)
async def test_a_time_may_be_given(api: httpx2.AsyncClient, at: str, status: str) -> None:
    response = await api.post("/tasks", json={"type": "add", "args": [1], "at": at})
    assert (response.status_code, response.json()["status"]) == (201, status)


async def test_the_same_id_again_changes_nothing(api: httpx2.AsyncClient, app: Jobbers) -> None:
    task = {"type": "add", "args": [1], "id": new_id()}
    assert (await api.post("/tasks", json=task)).status_code == 201
    again = await api.post("/tasks", json={**task, "id": task["id"].lower(), "args": [2]})  # type: ignore[attr-defined]
    assert again.status_code == 200
    assert again.json() == {"id": task["id"], "status": "queued", "created": False}
    assert await count(app) == 1


async def test_a_unique_key_is_held_by_one_task(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    task = {"type": "add", "args": [1], "unique": {"key": "one", "until": "finished"}}
    first = await api.post("/tasks", json=task)
    claimed = await desk.claim("sums")
    second = await api.post("/tasks", json=task)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {"id": first.json()["id"], "status": "running", "created": False}
    await desk.succeed(claimed, 2)
    assert (await api.post("/tasks", json=task)).status_code == 201


async def test_arguments_are_loaded_by_the_annotations(api: httpx2.AsyncClient, desk: Desk) -> None:
    when = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    response = await api.post("/tasks", json={"type": "remind", "args": [when.isoformat()]})
    assert response.status_code == 201
    assert unpack_envelope((await desk.claim()).envelope).args == [when]
    await api.post("/tasks", json={"type": "deliver", "kwargs": {"to": {"street": "Elm"}}})
    assert unpack_envelope((await desk.claim()).envelope).kwargs == {"to": {"street": "Elm", "number": 1}}


async def test_bytes_are_marked(api: httpx2.AsyncClient, desk: Desk) -> None:
    mark = {"$base64": base64.b64encode(b"\x00\xff").decode()}
    response = await api.post("/tasks", json={"type": "keep", "args": [[mark]], "kwargs": {"data": mark}})
    assert response.status_code == 201
    envelope = unpack_envelope((await desk.claim()).envelope)
    assert (envelope.args, envelope.kwargs) == ([[b"\x00\xff"]], {"data": b"\x00\xff"})
    task = (await api.get(f"/tasks/{response.json()['id']}")).json()
    assert (task["args"], task["kwargs"]) == ([[mark]], {"data": mark})


@pytest.mark.parametrize(
    ("task", "status", "code", "parameter"),
    [
        ({"type": "nothing"}, 422, "unknown_task_type", "type"),
        ({"type": "../etc"}, 422, "invalid_name", "type"),
        ({}, 422, "invalid_input", "type"),
        ([], 422, "invalid_input", None),
        ({"type": "add"}, 422, "invalid_argument", "a"),
        ({"type": "add", "args": ["1"]}, 422, "invalid_argument", "a"),
        ({"type": "add", "args": [True]}, 422, "invalid_argument", "a"),
        ({"type": "add", "args": [1, 2, 3]}, 422, "invalid_argument", None),
        ({"type": "add", "args": [1], "kwargs": {"a": 2}}, 422, "invalid_argument", "a"),
        ({"type": "add", "kwargs": {"c": 2}}, 422, "invalid_argument", "c"),
        ({"type": "add", "args": [2**70]}, 422, "invalid_argument", None),
        ({"type": "keep", "args": [1, [{"$base64": "!"}]]}, 422, "invalid_argument", "args[1]"),
        ({"type": "keep", "kwargs": {"data": [{"$base64": "!"}]}}, 422, "invalid_argument", "data"),
        ({"type": "add", "args": {"a": 1}}, 422, "invalid_input", "args"),
        ({"type": "add", "kwargs": [1]}, 422, "invalid_input", "kwargs"),
        ({"type": "remind", "args": ["soon"]}, 422, "invalid_argument", "when"),
        ({"type": "deliver", "args": [{"street": 1}]}, 422, "invalid_argument", "to"),
        ({"type": "keep", "args": ["x" * 2_000_000]}, 413, "payload_too_large", None),
        ({"type": "add", "args": [1], "colour": "red"}, 422, "invalid_input", "colour"),
        ({"type": "add", "args": [1], "queue": "a b"}, 422, "invalid_name", "queue"),
        ({"type": "add", "args": [1], "id": "1"}, 422, "invalid_id", "id"),
        ({"type": "add", "args": [1], "priority": 10}, 422, "invalid_input", "priority"),
        ({"type": "add", "args": [1], "priority": "5"}, 422, "invalid_input", "priority"),
        ({"type": "add", "args": [1], "priority": True}, 422, "invalid_input", "priority"),
        ({"type": "add", "args": [1], "delay": -1}, 422, "invalid_input", "delay"),
        ({"type": "add", "args": [1], "delay": 1e300}, 422, "invalid_input", "delay"),
        ({"type": "add", "args": [1], "deadline": 0}, 422, "invalid_input", "deadline"),
        ({"type": "add", "args": [1], "at": 1_900_000_000}, 422, "invalid_input", "at"),
        ({"type": "add", "args": [1], "at": "2030-01-01T00:00:00"}, 422, "invalid_input", "at"),
        ({"type": "add", "args": [1], "at": "1930-01-01T00:00:00Z"}, 422, "invalid_input", "at"),
        ({"type": "add", "args": [1], "at": "2030-01-01T00:00:00Z", "delay": 1}, 422, "invalid_input", "at"),
        ({"type": "add", "args": [1], "unique": {"key": ""}}, 422, "invalid_name", "unique.key"),
        ({"type": "add", "args": [1], "unique": "one"}, 422, "invalid_input", "unique"),
        (
            {"type": "add", "args": [1], "unique": {"key": "k", "until": "then"}},
            422,
            "invalid_input",
            "unique.until",
        ),
        (
            {"type": "add", "args": [1], "unique": {"key": "k", "until": 0}},
            422,
            "invalid_input",
            "unique.until",
        ),
        (
            {"type": "add", "args": [1], "unique": {"key": "k", "until": True}},
            422,
            "invalid_input",
            "unique.until",
        ),
        (
            {"type": "add", "args": [1], "unique": {"key": "k", "until": "5"}},
            422,
            "invalid_input",
            "unique.until",
        ),
        ({"type": "add", "args": [1], "headers": {"a": 1}}, 422, "invalid_input", "headers.a"),
    ],
)
async def test_what_is_wrong_is_refused(
    api: httpx2.AsyncClient, app: Jobbers, task: Any, status: int, code: str, parameter: str | None
) -> None:
    error = error_of(await api.post("/tasks", json=task), status, code)
    assert error["parameter"] == parameter
    assert await count(app) == 0


async def test_an_id_must_agree_with_its_unique_key(api: httpx2.AsyncClient) -> None:
    unique = {"key": "k"}
    task = {"type": "add", "args": [1], "unique": unique}
    fitting = await api.post("/tasks", json={**task, "id": new_id(unique="k")})
    assert fitting.status_code == 201
    error_of(await api.post("/tasks", json={**task, "id": "01JGZ3Y9W5V8Q2M4T6R8K0N1PD"}), 422, "invalid_id")


async def test_an_error_does_not_show_the_value(api: httpx2.AsyncClient) -> None:
    response = await api.post(
        "/tasks", json={"type": "deliver", "args": [{"street": "x", "number": "s3cret"}]}
    )
    assert response.status_code == 422
    assert "s3cret" not in response.text
    response = await api.post("/tasks", json={"type": "add", "args": [1], "priority": "s3cret"})
    assert "s3cret" not in response.text


async def test_an_unknown_outcome_tells_the_id(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit_one(*_: object) -> str:
        raise UnknownOutcome("the connection to redis://inside:6379 broke")

    monkeypatch.setattr(Client, "submit_one", submit_one)
    task_id = new_id()
    response = await api.post("/tasks", json={"type": "add", "args": [1], "id": task_id})
    error = error_of(response, 503, "unknown_outcome")
    assert task_id in error["message"]
    assert "inside" not in response.text


async def test_many_are_submitted_together(api: httpx2.AsyncClient, app: Jobbers) -> None:
    known = new_id()
    await api.post("/tasks", json={"type": "add", "args": [0], "id": known})
    tasks: list[dict[str, Any]] = [{"type": "add", "args": [n]} for n in range(997)]
    tasks.append({"type": "keep", "delay": 10, "unique": {"key": "u"}})
    tasks.append({"type": "keep", "delay": 10, "unique": {"key": "u"}})
    tasks.append({"type": "add", "args": [0], "id": known})
    response = await api.post("/tasks/batch", json={"tasks": tasks})
    assert response.status_code == 201
    made = response.json()["tasks"]
    assert len({task["id"] for task in made[:997]}) == 997
    assert all(task["created"] and task["status"] == "queued" for task in made[:997])
    assert made[997] == {"id": made[997]["id"], "status": "scheduled", "created": True}
    assert made[998] == {"id": made[997]["id"], "status": "scheduled", "created": False}
    assert made[999] == {"id": known, "status": "queued", "created": False}
    assert await count(app) == 999


async def test_a_batch_that_was_there_already(api: httpx2.AsyncClient) -> None:
    batch = {"tasks": [{"type": "keep", "id": new_id()} for _ in range(3)]}
    assert (await api.post("/tasks/batch", json=batch)).status_code == 201
    assert (await api.post("/tasks/batch", json=batch)).status_code == 200


async def test_a_batch_that_failed_may_be_there_in_part(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(*_: object) -> list[str]:
        raise OutOfMemory("inside")

    monkeypatch.setattr(Client, "submit", submit)
    error = error_of(
        await api.post("/tasks/batch", json={"tasks": [{"type": "keep"}] * 2}), 507, "out_of_memory"
    )
    assert "any of the tasks may exist" in error["message"]


@pytest.mark.parametrize(
    ("wrong", "status", "code", "parameter"),
    [
        ({"type": "nothing"}, 422, "unknown_task_type", "tasks[2].type"),
        ({"type": "add", "args": ["1"]}, 422, "invalid_argument", "tasks[2].a"),
        ({"type": "add", "args": [1], "queue": "a b"}, 422, "invalid_name", "tasks[2].queue"),
        ({"type": "add", "args": [1], "priority": 11}, 422, "invalid_input", "tasks[2].priority"),
        ({"type": "keep", "args": ["x" * 2_000_000]}, 413, "payload_too_large", "tasks[2]"),
    ],
)
async def test_a_wrong_entry_stops_the_whole_batch(
    api: httpx2.AsyncClient, app: Jobbers, wrong: Any, status: int, code: str, parameter: str
) -> None:
    right = {"type": "add", "args": [1]}
    response = await api.post("/tasks/batch", json={"tasks": [right, right, wrong, right]})
    error = error_of(response, status, code)
    assert error["parameter"] == parameter
    assert "tasks[2]" in error["message"] or code == "invalid_name"
    assert await count(app) == 0


async def test_a_batch_has_from_1_to_1000_tasks_with_ids_of_their_own(api: httpx2.AsyncClient) -> None:
    error_of(await api.post("/tasks/batch", json={"tasks": []}), 422, "invalid_input")
    error_of(await api.post("/tasks/batch", json={"tasks": [{"type": "keep"}] * 1001}), 422, "invalid_input")
    same = {"type": "keep", "id": new_id()}
    error = error_of(await api.post("/tasks/batch", json={"tasks": [same, same]}), 422, "invalid_input")
    assert "tasks[1].id" in error["message"]


# Keys


async def test_debounced(api: httpx2.AsyncClient) -> None:
    task = {"type": "add", "debounce": {"wait": 60, "key": "a", "max_wait": 90}}
    first = await api.post("/tasks", json={**task, "args": [1, 2]})
    assert (first.status_code, first.json()) == (
        201,
        {"id": first.json()["id"], "status": "scheduled", "created": True},
    )
    second = await api.post("/tasks", json={**task, "args": [1, 3]})
    assert (second.status_code, second.json()) == (200, {**first.json(), "created": False})
    assert (await api.post("/tasks", json={**task, "args": [2, 3]})).json()["created"]
    assert (await api.get(f"/tasks/{first.json()['id']}")).json()["args"] == [1, 3]


async def test_throttled(api: httpx2.AsyncClient) -> None:
    def submission(trailing: bool) -> dict[str, Any]:
        return {"type": "add", "args": [1], "throttle": {"period": 60, "trailing": trailing}}

    batch = {"tasks": [submission(False), submission(False)]}
    first, second = (await api.post("/tasks/batch", json=batch)).json()["tasks"]
    assert (first["status"], first["created"]) == ("queued", True)
    assert second == {**first, "created": False}
    third = (await api.post("/tasks", json=submission(True))).json()
    assert (third["status"], third["created"]) == ("scheduled", True)


@pytest.mark.parametrize(
    "more",
    [
        {"debounce": {"wait": 0}},
        {"debounce": {"wait": 5, "max_wait": 4}},
        {"debounce": {"wait": 5, "key": "nothing"}},
        {"debounce": {"wait": 5}, "delay": 5},
        {"debounce": {"wait": 5}, "throttle": {"period": 5}},
        {"throttle": {"period": 5}, "unique": {"key": "a"}},
        {"throttle": {"period": 5, "trailing": 1}},
        {"throttle": {}},
    ],
)
async def test_keys_that_make_no_sense(api: httpx2.AsyncClient, app: Jobbers, more: dict[str, Any]) -> None:
    error_of(await api.post("/tasks", json={"type": "add", "args": [1], **more}), 422, "invalid_input")
    assert await count(app) == 0
