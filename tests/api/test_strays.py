"""What a route does not take is refused, and a refusal names its field."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import Caller, Scope, create_app
from jobbers.client import new_id
from jobbers.keyring import Access
from tests.api.support import Desk, call, error_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/tasks?status=queued&queu=mail", "queu"),
        ("GET", "/queues?queue=mail", "queue"),
        ("GET", "/me?a", "a"),
        ("GET", "/metrics?name[]=x", "name[]"),
        ("POST", "/queues/mail/pause?for=60", "for"),
        ("POST", "/tasks?dry_run=true", "dry_run"),
        ("DELETE", "/roles/post?forced=true", "forced"),
        ("GET", "/stats?minutes=1&minutes=2", "minutes"),
        ("GET", "/dead-letters?queue=a&queue=b", "queue"),
    ],
)
async def test_the_query_has_only_what_the_route_takes(
    api: httpx2.AsyncClient, method: str, path: str, name: str
) -> None:
    answer = await api.request(method, path, json={"type": "keep"} if method == "POST" else None)
    assert error_of(answer, 422, "invalid_input")["parameter"] == name
    assert (await api.get("/queues")).json()["queues"] == []


async def test_probes_may_add_what_they_like(api: httpx2.AsyncClient) -> None:
    for path in ("/health", "/ready"):
        assert (await api.get(f"{path}?_=1&_=2")).status_code == 200


async def test_ones_own_authentication_may_read_the_query(app: Jobbers) -> None:
    def who(request: Any) -> Caller | None:
        return Caller("Ada", Scope.READ) if request.query_params.get("token") == "t" else None

    async with call(create_app(app, authenticate=who)) as api:
        assert (await api.get("/queues?token=t")).status_code == 200
        error_of(await api.get("/queues?token=u"), 401, "unauthorized")


@pytest.mark.parametrize("body", [b'{"for": 60}', b"[]", b"1", b"pause"])
async def test_a_body_is_refused_where_none_is_taken(api: httpx2.AsyncClient, body: bytes) -> None:
    json = {"content-type": "application/json"}
    answer = await api.post("/queues/mail/pause", content=body, headers=json)
    error_of(answer, 422, "invalid_input")
    error_of(await api.request("DELETE", "/routes/keep", content=body), 422, "invalid_input")
    for nothing in (b"", b" {}\n", b"null"):
        answer = await api.post("/queues/mail/resume", content=nothing, headers=json)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "parameter"),
    [
        ("POST", "/tasks", {"type": "kept"}, "type"),
        ("POST", "/tasks", {"type": "keep", "delay": 1, "at": "2030-01-01T00:00:00Z"}, "at"),
        ("POST", "/tasks", {"type": "keep", "delay": 1, "debounce": {"wait": 1}}, "delay"),
        ("POST", "/tasks", {"type": "keep", "debounce": {"wait": 5, "max_wait": 1}}, "debounce.max_wait"),
        ("POST", "/tasks/batch", {"tasks": [{"type": "keep"}, {"type": "kept"}]}, "tasks[1].type"),
        ("GET", "/tasks?status=queued&cursor=99999999999999999999", None, "cursor"),
        ("GET", "/runs?cursor=1e400", None, "cursor"),
        ("GET", "/audit?cursor=1e400", None, "cursor"),
        ("GET", "/tasks?status=queued&group=0123456789abcdef", None, "group"),
        ("GET", "/events?topic=nothing", None, "topic"),
        ("POST", "/tasks/bulk", {"action": "drop", "filter": {"status": "queued"}}, "filter.status"),
        (
            "POST",
            "/tasks/bulk",
            {"action": "cancel", "filter": {"status": "queued", "group": "0123456789abcdef"}},
            "filter.group",
        ),
        (
            "POST",
            "/tasks/bulk",
            {"action": "cancel", "filter": {"status": "queued", "queue": "q" * 201}},
            "filter.queue",
        ),
        ("POST", "/dead-letters/drop", {"type": "t" * 201}, "type"),
        ("POST", "/schedules", {"name": "s", "type": "kept", "every": 60}, "type"),
        ("POST", "/schedules", {"name": "s", "type": "keep", "cron": "never"}, "cron"),
        ("POST", "/schedules", {"name": "s", "type": "keep", "cron": "@daily", "tz": "Mars/Base"}, "tz"),
        ("POST", "/schedules", {"name": "s", "type": "keep", "every": 0.05}, "every"),
        ("POST", "/schedules", {"name": "s", "type": "keep", "every": 60, "jitter": 60}, "jitter"),
        ("PUT", "/queues/mail/limit", {"max_length": 10**30}, "max_length"),
        ("PUT", "/routes/keep", {"queue": "no queue"}, "queue"),
        ("PUT", "/roles/post", {"queues": []}, "queues"),
        ("PUT", "/telemetry", {"rules": "often"}, "rules"),
        ("POST", "/strikes", {"type": "keep", "reason": "two\nlines"}, "reason"),
        ("POST", "/strikes", {"type": "add", "where": {"c": 1}}, "where"),
        ("POST", "/strikes", {"type": "keep", "action": "hold", "running": True}, "running"),
    ],
)
async def test_a_refusal_names_its_field(
    api: httpx2.AsyncClient, method: str, path: str, body: Any, parameter: str
) -> None:
    answer = await api.request(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["parameter"] == parameter, answer.text


async def test_a_restricted_key_acts_on_many_of_its_queue(app: Jobbers, desk: Desk) -> None:
    access = Access((await app.client()).store)
    keep = app.task_types["keep"]
    for queue in ("mail", "mail", "sms", "other"):
        await keep.options(queue=queue).submit(1)
        await desk.fail(await desk.claim(queue), ValueError("no"))
    dry = {"action": "retry", "filter": {"status": "failed"}, "dry_run": True}
    async with call(create_app(app)) as api:
        api.headers["X-API-Key"] = (await access.create("one", "operate", queues=["mail"])).text
        assert (await api.post("/tasks/bulk", json=dry)).json()["matched"] == 2
        theirs = {**dry, "filter": {"status": "failed", "queue": "sms"}}
        refused = error_of(await api.post("/tasks/bulk", json=theirs), 403, "queue_forbidden")
        assert refused["parameter"] == "filter.queue"
        assert [group["count"] for group in (await api.get("/dead-letters/groups")).json()["groups"]] == [2]
        error_of(await api.get("/dead-letters/groups?queue=other"), 403, "queue_forbidden")
        api.headers["X-API-Key"] = (await access.create("two", "operate", queues=["mail", "sms"])).text
        error_of(await api.post("/tasks/bulk", json=dry), 403, "queue_forbidden")
        error_of(await api.get("/dead-letters/groups"), 403, "queue_forbidden")
        assert (await api.post("/tasks/bulk", json=theirs)).json()["matched"] == 1
        done = await api.post("/tasks/bulk", json={**theirs, "dry_run": False})
        assert done.json()["done"] == 1
    assert (await (await app.inspector()).counts())["dead"] == 3


async def test_the_audit_log_tells_of_what_was_done_to_many(app: Jobbers) -> None:
    access = Access((await app.client()).store)
    key = (await access.create("ops", "operate")).text
    async with call(create_app(app)) as api:
        api.headers["X-API-Key"] = key
        run = new_id()
        wanted = {"action": "cancel", "filter": {"status": "queued", "queue": "mail", "run": run}}
        assert (await api.post("/tasks/bulk", json={**wanted, "dry_run": True})).status_code == 200
        strike = (await api.post("/strikes", json={"type": "keep", "where": {"value": "secret"}})).json()
    assert strike["by"] == "ops"
    entries = (await access.audit()).entries
    assert [entry.fields["target"] for entry in entries] == [
        f"keep cancel {strike['id']}",
        f"cancel status=queued queue=mail run={run} dry_run",
    ]


async def test_a_key_of_a_queue_called_as_runs_are_sees_no_runs_of_others(app: Jobbers) -> None:
    dag = app.dag("theirs")
    dag.node(app.task_types["keep"], 1)
    run = (await dag.submit()).id
    await (await app.inspector()).cancel([run])
    wanted = {"action": "cancel", "filter": {"status": "cancelled", "queue": "runs"}, "dry_run": True}
    async with call(create_app(app)) as api:
        (listed,) = (await api.get("/tasks?status=cancelled&queue=runs")).json()["tasks"]
        assert listed["id"] == run
        access = Access((await app.client()).store)
        for queues in (["runs"], ["runs", "mail"]):
            api.headers["X-API-Key"] = (await access.create(f"k{len(queues)}", "operate", queues=queues)).text
            for path in ("/tasks?status=cancelled&queue=runs", "/dead-letters?queue=runs"):
                error_of(await api.get(path), 403, "queue_forbidden")
            error_of(await api.post("/tasks/bulk", json=wanted), 403, "queue_forbidden")
            error_of(await api.post("/dead-letters/drop", json={"queue": "runs"}), 403, "queue_forbidden")
            error_of(await api.get(f"/tasks/{run}"), 404, "not_found")
        assert (await api.post("/tasks", json={"type": "keep", "queue": "runs"})).status_code == 201
