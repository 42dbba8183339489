"""The audit log of the API."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path
from typing import get_args

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.cli import commands
from jobbers.client import new_id
from jobbers.core.deeds import Deed
from jobbers.errors import InvalidInput
from jobbers.keyring import Access, chosen, clean
from jobbers.store.embedded import EmbeddedServer
from tests.api.support import Desk, call, error_of, make_app


async def entries(app: Jobbers) -> list[tuple[str, str, str, str]]:
    page = await Access((await app.client()).store).audit()
    names = ("who", "action", "target", "status")
    return [tuple(entry.fields[name] for name in names) for entry in reversed(page.entries)]  # type: ignore[misc]


async def test_who_did_what_to_what(app: Jobbers, desk: Desk) -> None:
    access = Access((await app.client()).store)
    key = (await access.create("ops", "admin")).text
    task_id, absent = (await app.task_types["keep"].submit("secret-argument")).id, new_id()
    await desk.fail(await desk.claim(), ValueError("no"))
    async with call(create_app(app)) as api:
        api.headers["X-API-Key"] = key
        await api.post("/tasks", json={"type": "keep", "args": ["secret-argument"]})
        await api.post("/queues/mail/pause", json={})
        await api.post(f"/tasks/{task_id}/requeue", json={"args": ["secret-argument"]})
        await api.post(f"/tasks/{absent}/cancel", json={"reason": "secret-argument"})
        await api.post("/dead-letters/requeue", json={"type": "keep", "queue": "default"})
        await api.post("/dead-letters/drop", json={"ids": [absent] * 1 + [new_id() for _ in range(9)]})
        schedule = {"name": "s", "type": "keep", "args": ["secret-argument"], "every": 3600}
        await api.post("/schedules", json=schedule)
        await api.delete("/schedules/s")
        await api.post("/keys", json={"name": "new", "scope": "read"})
        await api.delete("/keys/new")
        answer = await api.get("/audit?limit=4")
        found = answer.json()
        older = (await api.get("/audit", params={"cursor": found["cursor"]})).json()
        for cursor in ("1x", "0-0", "0-1"):
            error_of(await api.get(f"/audit?cursor={cursor}"), 422, "invalid_input")
    assert "secret-argument" not in answer.text
    assert all(entry["source"] == "127.0.0.1" and entry["via"] == "api" for entry in found["entries"])
    assert older["cursor"] is None
    noted = [entry["action"] for entry in [*found["entries"], *older["entries"]]]
    assert noted == [action for _, action, _, _ in reversed(await entries(app))]
    written = await entries(app)
    assert re.fullmatch(rf"{absent}( \w+){{4}} and 5 more", written[4][2])
    assert written == [
        ("key:ops", "queues.pause", "mail", "200"),
        ("key:ops", "tasks.requeue", task_id, "200"),
        ("key:ops", "tasks.cancel", absent, "404"),
        ("key:ops", "tasks.requeue", "type=keep queue=default", "200"),
        ("key:ops", "tasks.drop", written[4][2], "200"),
        ("key:ops", "schedules.create", "s", "201"),
        ("key:ops", "schedules.delete", "s", "200"),
        ("key:ops", "keys.create", "new scope=read", "201"),
        ("key:ops", "keys.revoke", "new", "200"),
    ]


async def test_what_was_refused_cannot_push_out_what_was_done(app: Jobbers) -> None:
    access = Access((await app.client()).store)
    reader = (await access.create("reader", "read")).text
    async with call(create_app(app)) as api:
        for key in (reader, "wrong"):
            response = await api.post("/queues/mail/pause", json={}, headers={"X-API-Key": key})
            assert response.status_code in (401, 403)
    assert await entries(app) == []


async def test_every_write_of_an_operator_is_noted(app: Jobbers) -> None:
    """What the description says is a write leaves an entry, so a new route cannot be forgotten."""
    api_app = create_app(app)
    expected = 0
    async with call(api_app) as api:
        for path, methods in api_app.openapi()["paths"].items():
            url = path.removeprefix("/api/v1").replace("{task_id}", new_id()).replace("{name}", "none")
            for method, operation in methods.items():
                if method == "get" or operation["x-scope"] not in ("operate", "admin"):
                    continue
                body = {} if method == "delete" else {"json": {}}
                response = await api.request(method.upper(), url, **body)
                assert response.status_code < 500, response.text
                expected += 1
                assert len(await entries(app)) == expected, f"{method} {path} left no entry"
    assert expected > 12


def words_of_commands() -> set[object]:
    """All texts in the code of the commands."""
    trees = [ast.parse(path.read_text()) for path in Path(commands.__path__[0]).glob("*.py")]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


async def test_each_deed_has_one_name_whichever_way_it_came(app: Jobbers) -> None:
    """What a command notes and what a route notes for the same are one word, and there is no other."""
    routes = [
        operation
        for methods in create_app(app).openapi()["paths"].values()
        for method, operation in methods.items()
        if method != "get" and operation["x-scope"] in ("operate", "admin")
    ]
    by_api = {operation["x-deed"] for operation in routes}
    deeds = set(get_args(Deed))
    assert by_api | {"login"} == deeds
    assert deeds - words_of_commands() == {"login", "tasks.bulk"}


async def test_an_action_on_many_is_noted_as_that_on_one(api: httpx2.AsyncClient, app: Jobbers) -> None:
    for action, wanted in (("cancel", "queued"), ("retry", "cancelled"), ("drop", "failed")):
        chosen = {"action": action, "filter": {"status": wanted, "type": "keep"}}
        assert (await api.post("/tasks/bulk", json={**chosen, "dry_run": True})).status_code == 200
        assert (await api.post("/tasks/bulk", json=chosen)).status_code == 200
    noted = [action for _, action, _, _ in await entries(app)]
    assert noted == ["tasks.bulk", "tasks.cancel", "tasks.bulk", "tasks.requeue", "tasks.bulk", "tasks.drop"]


async def test_it_is_bounded(server: EmbeddedServer) -> None:
    app = make_app(server.url, audit_entries=100)
    client = await app.client()
    access = Access(client.store)
    for _ in range(400):
        await access.note("me", "test", most=app.settings.audit_entries)
    assert await client.store.gateway.command("XLEN", client.store.keys.audit) <= 250
    with pytest.raises(InvalidInput, match="limit"):
        await access.audit(limit=501)
    await app.close()


async def test_that_it_cannot_be_written_is_logged(app: Jobbers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jobbers.audit")
    client = await app.client()
    await client.store.gateway.command("SET", client.store.keys.audit, "garbage")
    async with call(create_app(app)) as api:
        assert (await api.post("/queues/mail/pause", json={})).status_code == 200
    assert "who=open:anyone action=queues.pause target=mail" in caplog.text
    assert "not in the audit log: open:anyone queues.pause mail" in caplog.text


def test_what_is_written_is_short_and_harmless() -> None:
    assert clean("a\nb\x1b[31m\u202e") == "a?b?[31m?"
    assert len(clean("x" * 9_999)) == 300
    assert clean(f"see jobbers-key.a.{'x' * 43} there") == "see jobbers-key.*** there"
    assert chosen(None, type=None, queue="a", all=False) == "queue=a"


async def test_without_a_server_the_answer_is_that_of_the_action(server: EmbeddedServer) -> None:
    app = make_app("redis://127.0.0.1:1/0", patience=0.1, auth="off")
    async with call(create_app(app)) as api:
        response: httpx2.Response = await api.post("/queues/mail/pause", json={})
        error_of(response, 503, "server_unavailable")
    await app.close()
