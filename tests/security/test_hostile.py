"""Hostile text and values in every field of every route that writes, and in every path and query: no 5xx, no damage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from jobbers import new_id
from tests.security.conftest import Locked
from tests.security.process import JSON, Service, sound
from tests.security.strings import HOSTILE, VALUES

MARK = "\ue000 here \ue000"
HERE = json.dumps(MARK)
BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /tasks": {
        "type": "keep", "args": [MARK], "kwargs": {MARK: MARK, "data": MARK, "value": MARK}, "id": MARK, "queue": MARK,
        "priority": MARK, "delay": MARK, "at": MARK, "deadline": MARK, "unique": {"key": MARK, "until": MARK},
        "debounce": {"wait": MARK, "key": MARK, "max_wait": MARK}, "throttle": {"period": MARK, "key": MARK},
        "headers": {MARK: MARK},
    },
    "POST /tasks/batch": {"tasks": [{"type": "keep"}, {"type": MARK, "args": MARK, "queue": MARK}]},
    "POST /tasks/bulk": {
        "action": "cancel", "dry_run": True, "limit": MARK,
        "filter": {"status": "queued", "type": MARK, "queue": MARK, "group": MARK},
    },
    "POST /tasks/{id}/cancel": {"reason": MARK},
    "POST /tasks/{id}/requeue": {"args": [MARK], "kwargs": {MARK: MARK}},
    "POST /tasks/{id}/again": {"args": [MARK], "kwargs": {MARK: MARK}},
    "POST /dead-letters/requeue": {"ids": [MARK], "type": MARK, "queue": MARK, "limit": MARK, "args": [MARK]},
    "POST /dead-letters/drop": {"type": MARK, "queue": MARK, "ids": [MARK]},
    "POST /dags/sums/runs": {"params": {"start": MARK, MARK: MARK}, "id": MARK},
    "POST /runs/{id}/retry": {"from_node": MARK},
    "POST /schedules": {
        "name": MARK, "type": "keep", "args": [MARK], "kwargs": {MARK: MARK}, "cron": MARK, "tz": MARK, "every": MARK,
        "dag": MARK, "overlap": MARK, "missed": MARK, "catch_up": MARK, "jitter": MARK,
    },
    "PUT /limits/adding": {"amount": MARK},
    "POST /queues/mail/purge": {"queue": MARK},
    "PUT /queues/mail/limit": {"max_length": MARK, "when_full": MARK},
    "PUT /routes/keep": {"queue": MARK},
    "PUT /roles/post": {"queues": [MARK], "strict": MARK, "force": MARK},
    "PUT /telemetry": {"rules": MARK},
    "PUT /task-types/keep/live": {
        "priority": MARK, "timeout": MARK, "heartbeat": MARK, "deadline": MARK, "slow_after": MARK, "retention": MARK,
        "failed_retention": MARK,
        "retry": {"attempts": MARK, "backoff": MARK, "delay": MARK, "cap": MARK, "jitter": MARK},
    },
    "POST /strikes": {"type": MARK, "where": {MARK: MARK}, "action": MARK, "reason": MARK, "by": MARK},
    "POST /keys": {"name": MARK, "scope": "read", "queues": [MARK], "expires": MARK, "rate": MARK, "burst": MARK},
}  # fmt: skip
"""A body of every route that takes one, with a mark wherever something hostile goes."""
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "POST /tasks": {"type": "keep"},
    "POST /tasks/bulk": {"action": "cancel", "filter": {"status": "queued"}, "dry_run": True},
    "POST /schedules": {"name": "hostile", "type": "keep", "every": 3600, "replace": True},
    "POST /strikes": {"type": "nothing", "where": {"value": 1}},
    "POST /keys": {"name": "hostile", "scope": "read"},
    "POST /dags/sums/runs": {"params": {"start": 1}},
    "PUT /roles/post": {"queues": ["mail"]},
    "PUT /queues/mail/limit": {"max_length": 1_000_000},
}
"""What is right and cannot be left out, where something hostile is in another field: else that would be refused."""
APART = {"pause", "resume", "drain", "run", "logout", "login", "trip", "reset", "repair"}
PATHS = [
    *(
        "GET /tasks/{}",
        "GET /tasks/{}/result",
        "GET /tasks/{}/logs",
        "GET /workers/{}",
        "GET /queues/{}",
        "GET /task-types/{}",
        "POST /workers/{}/pause",
        "POST /tasks/{}/cancel",
        "GET /runs/{}",
    ),
    *(
        "GET /dags/{}",
        "GET /dags/{}/text",
        "GET /dags/{}/drawing",
        "GET /runs/{}/drawing",
        "POST /dags/{}/runs",
        "GET /limits/{}",
        "PUT /limits/{}",
        "DELETE /limits/{}",
        "DELETE /keys/{}",
    ),
    *(
        "GET /schedules/{}",
        "GET /schedules/{}/times",
        "POST /schedules/{}/run",
        "DELETE /schedules/{}",
        "GET /scale/{}",
    ),
    *("POST /breakers/{}/trip", "POST /breakers/{}/reset", "GET /tasks/{}/why"),
    *("POST /queues/{}/pause", "POST /queues/{}/drain", "PUT /queues/{}/limit", "DELETE /queues/{}/limit"),
    *("PUT /task-types/{}/live", "DELETE /task-types/{}/live"),
    *("PUT /routes/{}", "DELETE /routes/{}", "PUT /roles/{}", "DELETE /roles/{}", "DELETE /strikes/{}"),
    *("POST /runs/{}/pause", "POST /runs/{}/retry", "DELETE /dead-letters/{}", "GET /../admin/{}", "GET /{}"),
]
QUERIES = [
    *(
        "/tasks?status={}",
        "/tasks?status=queued&type={}",
        "/tasks?status=failed&queue={}",
        "/tasks?status=queued&cursor={}",
    ),
    *(
        "/tasks?status=queued&limit={}",
        "/dead-letters?type={}&queue={}",
        "/dead-letters/groups?type={}",
        "/runs?dag={}",
    ),
    *(
        "/runs?cursor={}",
        "/schedules?cursor={}",
        "/audit?cursor={}",
        "/stats?minutes={}",
        "/stats/queues?minutes=5&step={}",
    ),
    *(
        "/advice?target_wait={}",
        "/scale/mail?at_least={}&at_most={}",
        "/events?topic={}",
        "/events?topic=tasks:{}",
    ),
    *(
        "/dags/sums/text?form={}",
        "/dags/sums/drawing?form={}",
        "/runs/01JGZ3Y9W5V8Q2M4T6R8K0N1PD/drawing?form={}",
    ),
    *("/events?topic=ended%3Ftype%3D{}%26limit%3D", "/events?topic=task:{}", "/stats/workers?minutes={}"),
]


def variants(name: str) -> Iterator[Mapping[str, Any]]:
    """A body for each field of a route, with only what the route cannot do without beside it."""
    for field, value in BODIES[name].items():
        if MARK in json.dumps(value, ensure_ascii=False):
            yield {**NEEDED.get(name, {}), field: value}


def test_the_bodies_are_those_of_all_routes(api: httpx2.Client) -> None:
    description = api.get("/openapi.json").json()
    written = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in description["paths"].items()
        for method in methods
        if method in ("post", "put", "patch") and path.rpartition("/")[2] not in APART
    }

    def matches(template: str, path: str) -> bool:
        parts = zip(template.split("/"), path.split("/"), strict=True)
        return template.count("/") == path.count("/") and all(a.startswith("{") or a == b for a, b in parts)

    tried = [name.split() for name in BODIES]
    missing = [
        f"{method} {path}"
        for method, path in written
        if not any(
            method == verb and path.count("/") == url.count("/") and matches(path, url) for verb, url in tried
        )
    ]
    assert not missing
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("name", BODIES)
def test_every_field_of_every_route_that_writes(root: httpx2.Client, name: str) -> None:
    method, path = name.split()
    answered = set()
    for body in variants(name):
        template = json.dumps(body)
        for text in [*HOSTILE, *VALUES]:
            if not text.startswith('"') and f"{HERE}:" in template:
                continue  # only text can be a name
            content = template.replace(HERE, text)
            response = root.request(method, path.replace("{id}", new_id()), content=content, headers=JSON)
            answered.add(sound(response))
            assert "x-injected" not in response.headers
    assert answered & {400, 422}, "nothing of all that was refused: is it read at all?"
    assert not answered & {401, 403}


@pytest.mark.parametrize("name", PATHS)
def test_every_path(root: httpx2.Client, name: str) -> None:
    method, path = name.split()
    for text in HOSTILE:
        if "\\ud" in text and not text.isascii():
            continue
        raw = json.loads(text).encode(errors="surrogatepass")[:2_000]
        url = path.replace("{}", quote(raw, safe=""))
        response = root.request(
            method, url, headers=JSON, **({"content": b"{}"} if method in ("POST", "PUT") else {})
        )
        assert response.status_code < 500, f"{method} {url}: {response.text}"


@pytest.mark.parametrize("path", QUERIES)
def test_every_query(root: httpx2.Client, path: str) -> None:
    for text in [*HOSTILE, *map(json.dumps, VALUES)]:
        raw = json.loads(text).encode(errors="surrogatepass")[:2_000]
        with root.stream("GET", path.replace("{}", quote(raw, safe=""))) as response:
            assert response.status_code < 500, f"{path} {text[:100]}"


@pytest.mark.parametrize(
    "header", ["idempotency-key", "last-event-id", "traceparent", "tracestate", "x-api-key", "cookie"]
)
def test_every_header(api: httpx2.Client, header: str) -> None:
    for text in HOSTILE:
        value = json.loads(text).encode(errors="surrogatepass")[:4_000]
        for forbidden in (b"\r", b"\n", b"\0"):
            value = value.replace(forbidden, b" ")
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json"),
            (header.encode(), value),
        ]
        try:
            response = api.post("/tasks", content=b'{"type": "keep"}', headers=headers)
            assert response.status_code < 500, f"{header} {text[:80]}: {response.text}"
            with api.stream("GET", "/events?topic=ended", headers=headers) as stream:
                assert stream.status_code < 500
        except httpx2.LocalProtocolError:
            continue  # the client itself refuses to send that


def test_what_was_stored_can_be_read_and_is_text(api: httpx2.Client) -> None:
    for text in HOSTILE:
        sent = api.post(
            "/tasks",
            content=f'{{"type": "keep", "args": [{text}], "headers": {{"h": {text}}}}}',
            headers=JSON,
        )
        if sound(sent) >= 300:
            assert "\\ud" in text
            continue
        read = api.get(f"/tasks/{sent.json()['id']}")
        assert read.json()["args"] == [json.loads(text)]
        assert read.headers["content-type"] == "application/json"
        assert read.headers["x-content-type-options"] == "nosniff"
    assert sound(api.get("/tasks", params={"status": "queued"})) == 200


def test_the_log_keeps_its_lines(service: Service, api: httpx2.Client) -> None:
    """Nothing of what callers send starts a line, or moves the cursor of a terminal, in the log of the service."""
    api.delete("/limits/%0AFORGED%20LINE%1B%5B31m%0D%0A12:00:00 INFO forged")
    api.get("/tasks/%0AFORGED%20LINE")
    sound(api.post("/queues/%0AFORGED%1B%5B2J/pause", headers=JSON))
    assert api.get("/health").status_code == 200
    output = service.output
    assert not any(line.startswith("FORGED") for line in output.splitlines())
    assert not [char for char in output if not char.isprintable() and char != "\n"]


def test_logins(locked: Locked) -> None:
    with locked.service.client() as stranger:
        for text in [
            *HOSTILE[:3],
            '"\\ud800"',
            "null",
            "[]",
            json.dumps("k" * 100_000),
        ]:  # each wrong one is made to wait
            response = stranger.post("/login", content=f'{{"key": {text}}}', headers=JSON)
            assert sound(response) in (400, 401, 422)
            assert "k" * 500 not in response.text
