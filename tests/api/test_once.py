"""Writes that their callers may repeat: one answer, one effect."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.api.once import REPLAYED
from jobbers.client import new_id
from jobbers.core.access import Scope
from jobbers.errors import UnknownOutcome
from jobbers.inspector import Inspector
from jobbers.keyring import Access
from jobbers.store.once import OnceStore
from tests.api.support import Desk, call, error_of

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
TASK = {"type": "add", "args": [1]}


async def queued(app: Jobbers) -> int:
    counts = await (await app.inspector()).counts()
    return counts["queued"] + counts["scheduled"]


@pytest.fixture
async def schedule(api: httpx2.AsyncClient) -> str:
    made = await api.post("/schedules", json={"name": "often", "type": "keep", "every": 3600})
    assert made.status_code == 201
    return "often"


async def test_a_submission_is_answered_again(api: httpx2.AsyncClient, app: Jobbers) -> None:
    first = await api.post("/tasks", json=TASK, headers=KEY)
    assert (first.status_code, first.json()["created"], REPLAYED in first.headers) == (201, True, False)
    await app.handle(first.json()["id"]).cancel()
    for key in (KEY["Idempotency-Key"], f'"{KEY["Idempotency-Key"]}"'):
        again = await api.post("/tasks", json=TASK, headers={"Idempotency-Key": key})
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers[REPLAYED] == "true"
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["cache-control"] == "no-store"
    assert await queued(app) == 0
    assert (await api.post("/tasks", json=TASK, headers={"Idempotency-Key": "another"})).json()["created"]
    assert await queued(app) == 1


async def test_a_batch_is_answered_again(api: httpx2.AsyncClient, app: Jobbers) -> None:
    batch = {"tasks": [TASK, TASK, {**TASK, "unique": {"key": "own"}}, {**TASK, "id": new_id()}]}
    first = await api.post("/tasks/batch", json=batch, headers=KEY)
    again = await api.post("/tasks/batch", json=batch, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len({task["id"] for task in first.json()["tasks"]}) == 4
    assert await queued(app) == 4


async def test_every_kind_of_write(api: httpx2.AsyncClient, app: Jobbers, schedule: str) -> None:
    """What each of these does twice without a key, it does once with one."""
    runs = [
        ("POST", "/dags/sums/runs", {"params": {"start": 1}}),
        ("POST", f"/schedules/{schedule}/run", {}),
        ("POST", "/strikes", {"type": "add", "where": {"a": 7}}),
        ("PUT", "/queues/mail/limit", {"max_length": 5}),
        ("DELETE", f"/schedules/{schedule}", None),
    ]
    for number, (method, path, body) in enumerate(runs):
        key = {"Idempotency-Key": f"key {number}"}
        sent: dict[str, Any] = {} if body is None else {"json": body}
        first = await api.request(method, path, headers=key, **sent)
        again = await api.request(method, path, headers=key, **sent)
        assert first.status_code in (200, 201), first.text
        assert (again.status_code, again.content, again.headers[REPLAYED]) == (
            first.status_code,
            first.content,
            "true",
        ), path
    error_of(await api.request("DELETE", f"/schedules/{schedule}"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/tasks", {**TASK, "args": [2]}),
        ("DELETE", "/roles/none?force=true", None),
        ("POST", "/tasks/batch", TASK),
        ("PUT", "/tasks", TASK),
        ("DELETE", "/limits/none", None),
    ],
)
async def test_a_key_of_another_call(
    api: httpx2.AsyncClient, app: Jobbers, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await api.post("/tasks", json=TASK, headers=KEY)
    response = await api.request(method, path, headers=KEY, **({} if body is None else {"json": body}))
    if method == "PUT":
        error_of(response, 405, "method_not_allowed")
    else:
        error = error_of(response, 422, "idempotency_key_reused")
        assert error["parameter"] == "Idempotency-Key"
    assert await queued(app) == 1


async def test_the_second_while_the_first_runs(
    api: httpx2.AsyncClient, app: Jobbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()
    pause = Inspector.pause

    async def slow(self: Inspector, queue: str) -> None:
        reached.set()
        await go.wait()
        await pause(self, queue)

    monkeypatch.setattr(Inspector, "pause", slow)
    monkeypatch.setattr("jobbers.api.once.LEASE_SECONDS", 3.0)  # it is held for as long as it takes
    first = asyncio.create_task(api.post("/queues/mail/pause", json={}, headers=KEY))
    await reached.wait()
    await asyncio.sleep(3.5)
    for _ in range(2):
        response = await api.post("/queues/mail/pause", json={}, headers=KEY)
        error_of(response, 409, "in_progress")
        assert 1 <= int(response.headers["retry-after"]) <= 4
    go.set()
    assert (await first).status_code == 200
    again = await api.post("/queues/mail/pause", json={}, headers=KEY)
    assert (again.status_code, again.headers[REPLAYED]) == (200, "true")


async def test_callers_do_not_hear_of_each_other(app: Jobbers) -> None:
    access = Access((await app.client()).store)
    keys = [(await access.create(name, Scope.SUBMIT)).text for name in ("one", "two")]
    async with call(create_app(app)) as api:
        ids = [
            (await api.post("/tasks", json=TASK, headers={**KEY, "X-API-Key": key})).json()["id"]
            for key in keys * 2
        ]
        assert (await api.post("/tasks", json=TASK, headers=KEY)).status_code == 401
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]


async def test_what_was_refused_did_nothing_and_may_be_tried_again(
    api: httpx2.AsyncClient, desk: Desk
) -> None:
    task_id = new_id()
    error_of(await api.post(f"/tasks/{task_id}/cancel", json={}, headers=KEY), 404, "not_found")
    error_of(await api.post("/tasks", json={**TASK, "args": ["x"]}, headers=KEY), 422, "invalid_argument")
    error_of(
        await api.post("/tasks", content=b"{", headers={**KEY, "content-type": "application/json"}),
        400,
        "malformed_json",
    )
    assert (await api.post("/tasks", json=TASK, headers=KEY)).status_code == 201


async def test_after_an_unknown_outcome_it_is_made_once(
    api: httpx2.AsyncClient, app: Jobbers, schedule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service does it, and keeps no answer: as if it had died before."""
    for name, path, body in [
        ("submit", "/tasks", TASK),
        ("run", f"/schedules/{schedule}/run", {}),
        ("dag", "/dags/sums/runs", {"params": {"start": 1}}),
    ]:
        key = {"Idempotency-Key": f"unknown {name}"}
        with monkeypatch.context() as patch:

            async def died(*_: Any) -> bool:
                return False

            patch.setattr(OnceStore, "finish", died)
            first = await api.post(path, json=body, headers=key)
            assert first.status_code == 201 or name == "run"
            error_of(await api.post(path, json=body, headers=key), 409, "in_progress")
            patch.setattr(OnceStore, "begin", _relieved(OnceStore.begin))
            again = await api.post(path, json=body, headers=key)
        assert REPLAYED not in again.headers
        assert again.json()["id"] == first.json()["id"], name
    counts = await (await app.inspector()).counts()
    assert counts["queued"] == 3  # the task, the schedule's, and the first one of the run


def _relieved(begin: Any) -> Any:
    """The same, for a call whose lease has ended."""

    async def relieved(self: OnceStore, place: str, *words: Any, **more: Any) -> Any:
        key = f"{self._prefix}:once:{place}"
        await self._gateway.command("HDEL", key, "until")
        return await begin(self, place, *words, **more)

    return relieved


async def test_errors_of_the_server_leave_the_key_to_the_same_call(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        async def lost(*_: Any) -> None:
            raise UnknownOutcome("no answer")

        patch.setattr(Inspector, "pause", lost)
        error_of(await api.post("/queues/mail/pause", json={}, headers=KEY), 503, "unknown_outcome")
    error_of(await api.post("/queues/post/pause", json={}, headers=KEY), 422, "idempotency_key_reused")
    again = await api.post("/queues/mail/pause", json={}, headers=KEY)
    assert (again.status_code, REPLAYED in again.headers) == (200, False)


async def test_no_secret_and_nothing_huge_is_kept(
    api: httpx2.AsyncClient, app: Jobbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"name": "mailer", "scope": "admin"}
    api.headers["X-API-Key"] = (await Access((await app.client()).store).create("root", "admin")).text
    made = await api.post("/keys", json=wanted, headers=KEY)
    secret = made.json()["key"]
    again = await api.post("/keys", json=wanted, headers=KEY)
    assert "mailer" in error_of(again, 409, "answer_not_kept")["message"]
    store = (await app.client()).store
    stored = [
        str(await store.gateway.command("HGETALL", key))
        for key in await store.gateway.command("KEYS", f"{store.keys.prefix}:once:*")
    ]
    assert len(stored) == 1
    assert secret.rpartition(".")[2] not in stored[0]
    where = {"value": 1}
    monkeypatch.setattr("jobbers.api.once.MOST_KEPT", 20)
    key = {"Idempotency-Key": "huge"}
    assert (await api.post("/strikes", json={"type": "keep", "where": where}, headers=key)).status_code == 201
    error_of(
        await api.post("/strikes", json={"type": "keep", "where": where}, headers=key), 409, "answer_not_kept"
    )


async def test_keys_that_are_refused(api: httpx2.AsyncClient, app: Jobbers) -> None:
    for key in ("", '""', "x" * 129, "a\tb"):
        response = await api.post("/tasks", json=TASK, headers={"Idempotency-Key": key})
        error_of(response, 422, "invalid_input")
    assert await queued(app) == 0
    assert (await api.get("/queues", headers={"Idempotency-Key": ""})).status_code == 200  # reads need none
    assert (await api.post("/logout", json={}, headers={"Idempotency-Key": ""})).status_code == 200
    two = httpx2.Headers([("idempotency-key", "one"), ("idempotency-key", "two")])
    error = error_of(await api.post("/tasks", json={"type": "keep"}, headers=two), 422, "invalid_input")
    assert "a call has one Idempotency-Key, got 2" in error["message"]


async def test_a_repetition_is_not_in_the_audit_log(api: httpx2.AsyncClient, app: Jobbers) -> None:
    for _ in range(3):
        assert (await api.post("/queues/mail/pause", json={}, headers=KEY)).status_code == 200
    entries = (await Access((await app.client()).store).audit()).entries
    assert [entry.fields["action"] for entry in entries] == ["queues.pause"]


async def test_the_description_tells_of_it(api: httpx2.AsyncClient) -> None:
    for path, methods in (await api.get("/openapi.json")).json()["paths"].items():
        for method, operation in methods.items():
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            writes = method != "get" and not path.endswith(("/login", "/logout"))
            assert names.count("Idempotency-Key") == writes, (method, path)
            if writes:
                assert {"409", "422"} <= operation["responses"].keys(), (method, path)
