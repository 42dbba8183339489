"""Dead letters: list, requeue, drop."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import Jobbers, new_id
from jobbers.core.payload import unpack_envelope
from tests.api.support import Desk, error_of


@pytest.fixture
async def dead(api: httpx2.AsyncClient, desk: Desk) -> list[str]:
    """Three dead letters: two of ``add`` on ``sums``, then one of ``keep`` on ``default``."""
    ids = []
    for kind, queue in (("add", "sums"), ("add", "sums"), ("keep", "default")):
        response = await api.post("/tasks", json={"type": kind, "args": [1]})
        ids.append(response.json()["id"])
        await desk.fail(await desk.claim(queue), ValueError(f"no {kind}"))
    return ids


async def listed(api: httpx2.AsyncClient, **query: Any) -> list[str]:
    response = await api.get("/dead-letters", params=query)
    assert response.status_code == 200
    return [task["id"] for task in response.json()["tasks"]]


async def test_they_are_listed(api: httpx2.AsyncClient, dead: list[str]) -> None:
    assert sorted(await listed(api)) == sorted(dead)
    assert await listed(api, type="keep") == dead[2:]
    assert sorted(await listed(api, queue="sums")) == sorted(dead[:2])
    (letter,) = (await api.get("/dead-letters", params={"type": "keep"})).json()["tasks"]
    assert letter["error"] == {"attempt": 1, "type": "ValueError", "message": "no keep"}


async def test_some_are_requeued_by_their_ids(api: httpx2.AsyncClient, dead: list[str]) -> None:
    unknown = new_id()
    response = await api.post("/dead-letters/requeue", json={"ids": [dead[0], unknown, dead[2], dead[0]]})
    assert response.status_code == 200
    body = response.json()
    assert body["requeued"] == 2
    assert [(refusal["id"], refusal["code"]) for refusal in body["refused"]] == [(unknown, "not_found")]
    assert await listed(api) == [dead[1]]
    again = (await api.post("/dead-letters/requeue", json={"ids": [dead[0]]})).json()
    assert again["requeued"] == 0
    assert again["refused"][0]["code"] == "conflict"


async def test_those_of_a_type_or_queue_are_requeued(api: httpx2.AsyncClient, dead: list[str]) -> None:
    response = await api.post("/dead-letters/requeue", json={"queue": "sums", "limit": 1})
    assert response.json() == {"requeued": 1, "refused": []}
    assert (await api.post("/dead-letters/requeue", json={"type": "keep"})).json()["requeued"] == 1
    assert (await api.post("/dead-letters/requeue", json={"all": True})).json()["requeued"] == 1
    assert await listed(api) == []
    assert len((await api.get("/tasks", params={"status": "queued"})).json()["tasks"]) == len(dead)


async def test_one_gets_other_arguments(api: httpx2.AsyncClient, dead: list[str], desk: Desk) -> None:
    one = {"ids": [dead[0]], "kwargs": {"a": 8}}
    response = await api.post("/dead-letters/requeue", json=one)
    assert response.json() == {"requeued": 1, "refused": []}
    claimed = await desk.claim("sums")
    assert (claimed.id, unpack_envelope(claimed.envelope).args) == (dead[0], [])
    assert unpack_envelope(claimed.envelope).kwargs == {"a": 8}
    error_of(await api.post("/dead-letters/requeue", json=one), 409, "conflict")
    error_of(await api.post("/dead-letters/requeue", json={"ids": [new_id()], "args": [1]}), 404, "not_found")
    error_of(
        await api.post("/dead-letters/requeue", json={"ids": [dead[1]], "args": ["1"]}),
        422,
        "invalid_argument",
    )
    too_large = {"ids": [dead[2]], "args": ["x" * 2_000_000]}
    error_of(await api.post("/dead-letters/requeue", json=too_large), 413, "payload_too_large")
    assert sorted(await listed(api)) == sorted(dead[1:])


async def test_a_type_that_is_not_known_here_cannot_be_edited(
    api: httpx2.AsyncClient, app: Jobbers, dead: list[str]
) -> None:
    del app.task_types["add"]
    error_of(
        await api.post("/dead-letters/requeue", json={"ids": dead[:1], "args": [1]}), 422, "unknown_task_type"
    )
    assert (await api.post("/dead-letters/requeue", json={"ids": dead[:1]})).json()["requeued"] == 1


async def test_they_are_dropped(api: httpx2.AsyncClient, dead: list[str]) -> None:
    assert (await api.post("/dead-letters/drop", json={"ids": [dead[0], new_id()]})).json() == {"dropped": 1}
    assert (await api.delete(f"/dead-letters/{dead[1]}")).json() == {"dropped": 1}
    error_of(await api.delete(f"/dead-letters/{dead[1]}"), 404, "not_found")
    error_of(await api.get(f"/tasks/{dead[1]}"), 404, "not_found")
    assert (await api.post("/dead-letters/drop", json={"type": "add"})).json() == {"dropped": 0}
    assert (await api.post("/dead-letters/drop", json={"all": True})).json() == {"dropped": 1}
    assert await listed(api) == []


async def test_only_dead_letters_are_dropped(api: httpx2.AsyncClient) -> None:
    task_id = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
    assert (await api.post("/dead-letters/drop", json={"ids": [task_id]})).json() == {"dropped": 0}
    error_of(await api.delete(f"/dead-letters/{task_id}"), 404, "not_found")
    assert (await api.get(f"/tasks/{task_id}")).status_code == 200


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"all": False},
        {"ids": []},
        {"ids": ["x"]},
        {"all": True, "type": "add"},
        {"ids": ["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"], "all": True},
        {"all": 1},
        {"ids": ["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"] * 1001},
        {"everything": True},
    ],
)
@pytest.mark.parametrize("verb", ["requeue", "drop"])
async def test_what_is_meant_must_be_said(
    api: httpx2.AsyncClient, dead: list[str], verb: str, selection: Any
) -> None:
    response = await api.post(f"/dead-letters/{verb}", json=selection)
    assert response.status_code == 422
    assert response.json()["error"]["parameter"].startswith(("ids", "all", "everything"))
    assert len(await listed(api)) == len(dead)


async def test_other_arguments_are_for_one(api: httpx2.AsyncClient, dead: list[str]) -> None:
    for selection in ({"all": True}, {"ids": dead}):
        error_of(
            await api.post("/dead-letters/requeue", json={**selection, "args": [1]}), 422, "invalid_input"
        )
    assert len(await listed(api)) == len(dead)
