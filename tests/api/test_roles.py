"""Roles over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.errors import ConfigError
from jobbers.worker import Worker
from tests.api.support import error_of


async def announce(app: Jobbers, name: str, **facts: str) -> None:
    """Enter a worker into the roll."""
    told = {"name": name, "queues": "", "role": "", **facts}
    await (await app.client()).store.control.announce(f"{name}-1", told, 60_000)


async def test_roles_are_listed_set_and_reset(api: httpx2.AsyncClient, app: Jobbers) -> None:
    assert (await api.get("/roles")).json() == {
        "roles": [],
        "cursor": None,
        "unserved": [
            {"queue": "default", "waiting": 0, "has_types": True},
            {"queue": "sums", "waiting": 0, "has_types": True},
        ],
    }
    await announce(app, "w1", role="all", role_default='{"queues": [["default", 1]], "strict": false}')
    written = await api.put("/roles/all", json={"queues": {"default": 3, "sums": 1, "odd": 1}})
    assert (written.status_code, written.json()) == (
        200,
        {"name": "all", "queues": {"default": 3, "sums": 1, "odd": 1}, "strict": False},
    )
    answer = (await api.get("/roles")).json()
    assert answer == {
        "roles": [
            {
                "name": "all",
                "queues": {"default": 3, "sums": 1, "odd": 1},
                "strict": False,
                "source": "live",
                "workers": ["w1"],
                "idle": ["odd"],
            }
        ],
        "unserved": [],
        "cursor": None,
    }
    refused = error_of(await api.delete("/roles/all"), 409, "conflict")
    assert refused["message"].startswith("nothing was changed: without role all nobody would serve sums;")
    assert (await api.get("/roles")).json() == answer
    reset = await api.delete("/roles/all?force=true")
    assert reset.json() == {"name": "all", "queues": {"default": 1}, "strict": False}
    assert (await api.get("/roles")).json()["roles"][0]["source"] == "code"
    error_of(await api.delete("/roles/all"), 404, "not_found")


async def test_a_change_that_strands_work_is_refused_whole(api: httpx2.AsyncClient, app: Jobbers) -> None:
    await announce(app, "w1", role="all")
    await api.put("/roles/all", json={"queues": ["default", "sums"], "strict": True})
    await api.post("/tasks", json={"type": "add", "args": [1]})
    refused = error_of(await api.put("/roles/all", json={"queues": ["default"]}), 409, "conflict")
    assert "nobody would serve sums (1 waiting)" in refused["message"]
    assert (await api.get("/roles")).json()["roles"][0]["queues"] == {"default": 1, "sums": 1}
    await announce(app, "w2", queues="sums")
    assert (await api.put("/roles/all", json={"queues": ["default"]})).status_code == 200
    await announce(app, "w2", queues="sums", stopping="1")
    assert [it["queue"] for it in (await api.get("/roles")).json()["unserved"]] == ["sums"]


async def test_a_paused_worker_serves_nothing(api: httpx2.AsyncClient, app: Jobbers) -> None:
    await announce(app, "w1", role="all")
    await api.put("/roles/all", json={"queues": ["default", "sums"]})
    await announce(app, "w2", queues="sums", paused="1")
    error_of(await api.put("/roles/all", json={"queues": ["default"]}), 409, "conflict")
    await announce(app, "w2", queues="sums", paused="0")
    assert (await api.put("/roles/all", json={"queues": ["default"]})).status_code == 200
    await announce(app, "w1", role="all", paused="1")
    told = (await api.get("/roles")).json()
    assert [it["queue"] for it in told["unserved"]] == ["default"]
    assert told["roles"][0]["workers"] == ["w1"], "it is there"


async def test_without_workers_roles_are_a_plan(api: httpx2.AsyncClient) -> None:
    await api.put("/roles/all", json={"queues": ["default", "sums"]})
    await api.put("/roles/more", json={"queues": ["sums"]})
    assert (await api.put("/roles/all", json={"queues": ["default"]})).status_code == 200
    error_of(await api.put("/roles/more", json={"queues": ["odd"]}), 409, "conflict")
    assert (await api.put("/roles/more", json={"queues": ["odd"], "force": True})).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_input"),
        ({"queues": []}, 422, "invalid_input"),
        ({"queues": {"a": 0}}, 422, "invalid_input"),
        ({"queues": ["a", "a"]}, 422, "invalid_input"),
        ({"queues": ["a b"]}, 422, "invalid_name"),
        ({"queues": "mail"}, 422, "invalid_input"),
        ({"queues": ["a"], "more": 1}, 422, "invalid_input"),
        ({"queues": ["a"], "force": "yes"}, 422, "invalid_input"),
    ],
)
async def test_bodies_that_make_no_sense(api: httpx2.AsyncClient, body: Any, status: int, code: str) -> None:
    error_of(await api.put("/roles/all", json=body), status, code)
    error_of(await api.put("/roles/a%20b", json={"queues": ["a"]}), 422, "invalid_name")
    assert (await api.get("/roles")).json()["roles"] == []
    assert (await api.put("/roles/all", content=b"{}")).status_code == 415


async def test_garbage_where_the_roles_are(api: httpx2.AsyncClient, app: Jobbers) -> None:
    store = (await app.client()).store
    await store.gateway.command("HSET", store.keys.roles, "all", "garbage", "a b", "{}")
    assert (await api.get("/roles")).json()["roles"] == []
    assert (await api.put("/roles/all", json={"queues": ["odd"]})).status_code == 200
    await store.gateway.command("DEL", store.keys.roles)
    await store.gateway.command("SET", store.keys.roles, "garbage")
    assert (await api.get("/roles")).json()["roles"] == []
    error_of(await api.put("/roles/all", json={"queues": ["odd"]}), 502, "store_error")
    assert await store.roles.get("all") is None  # workers go by their code


def test_a_worker_may_serve_any_number_of_queues() -> None:
    assert len(Worker(Jobbers(), queues=[f"q{number}" for number in range(500)]).queues) == 500
    assert Worker(Jobbers(), queues=["a", "b", "a"]).queues == ["a", "b"]
    with pytest.raises(ConfigError, match="at least one queue"):
        Worker(Jobbers(), queues=[])
