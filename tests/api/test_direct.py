"""Submissions to a whole application go past FastAPI, and are answered as the routes answer them."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from jobbers import Jobbers
from jobbers.api import create_app, router
from jobbers.api.callers import Caller
from jobbers.api.direct import Direct
from jobbers.api.gate import Gate
from jobbers.client import new_id
from jobbers.core.access import Scope
from tests.api.support import call

JSON = {"content-type": "application/json"}
DEEP = b'{"type":"keep","args":[' + b"[" * 80 + b"]" * 80 + b"]}"
ONE = [
    b"",
    b"{",
    b"[]",
    b'"keep"',
    b"null",
    b"{}",
    b'{"type":"nobody"}',
    b'{"type":"add","args":["x",1]}',
    b'{"type":"add","args":[]}',
    b'{"type":"keep","more":1}',
    b'{"type":"keep","queue":"no/such name"}',
    b'{"type":"keep","delay":1,"at":"2030-01-01T00:00:00Z"}',
    b'{"type":"keep","delay":"1"}',
    b'{"type":"keep","args":[1e999]}',
    b'{"type":"keep","args":[{"$base64":"!"}]}',
    DEEP,
]
MANY = [
    b'{"tasks":[]}',
    b"{}",
    b'{"tasks":{}}',
    *(b'{"tasks":[{"type":"keep"},' + one + b"]}" for one in ONE[4:]),
]


async def test_what_is_wrong_is_told_as_the_routes_tell_it(app: Jobbers) -> None:
    own = FastAPI()
    own.include_router(router(app))
    async with call(create_app(app)) as direct, call(own) as routed:
        for path, bodies in {"/tasks": ONE, "/tasks/batch": MANY}.items():
            for body in bodies:
                told = [await client.post(path, content=body, headers=JSON) for client in (direct, routed)]
                assert told[0].json() == told[1].json(), body
                assert told[0].status_code == told[1].status_code, body
                assert told[0].status_code // 100 == 4, body


async def test_other_media_types_are_refused_here_too(app: Jobbers) -> None:
    async with call(create_app(app)) as client:
        for headers in ({}, {"content-type": "text/plain"}, {**JSON, "content-encoding": "gzip"}):
            answer = await client.post("/tasks", content=b'{"type":"keep"}', headers=headers)
            assert answer.status_code == 415, headers


async def test_a_caller_who_leaves_within_the_body_is_no_error_of_ours(
    app: Jobbers, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/tasks",
        "query_string": b"",
        "headers": [(b"host", b"test"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
    }
    parts: list[Message] = [
        {"type": "http.request", "body": b'{"type":', "more_body": True},
        {"type": "http.disconnect"},
    ]
    told: list[Message] = []

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        told.append(message)

    await create_app(app)(scope, receive, send)
    assert told[0]["status"] == 400
    assert not caplog.records


async def test_what_is_submitted_is_answered_as_the_routes_answer_it(app: Jobbers) -> None:
    own = FastAPI()
    own.include_router(router(app))
    task: dict[str, Any] = {"type": "keep", "id": new_id()}
    async with call(create_app(app)) as direct, call(own) as routed:
        for path, body in (("/tasks", task), ("/tasks/batch", {"tasks": [{**task, "id": new_id()}]})):
            made = await direct.post(path, json=body)
            again = [await client.post(path, json=body) for client in (direct, routed)]
            assert (made.status_code, again[0].status_code, again[1].status_code) == (201, 200, 200)
            assert again[0].json() == again[1].json()
            assert dict(again[0].headers).items() >= dict(again[1].headers).items()
        once = {"idempotency-key": "the one"}
        first = await direct.post("/tasks", json={"type": "keep"}, headers=once)
        assert (await routed.post("/tasks", json={"type": "keep"}, headers=once)).json()[
            "id"
        ] == first.json()["id"]


async def test_the_gate_stands_before_it(app: Jobbers) -> None:
    async def reader(_: Request) -> Caller:
        return Caller("somebody", Scope.READ)

    async with call(create_app(app, authenticate=reader)) as client:
        answer = await client.post("/tasks", json={"type": "keep"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_only_submissions_are_answered_here(app: Jobbers) -> None:
    direct = Direct(Gate(app), "/api/v1")

    def found(method: str, path: str, root: str = "") -> bool:
        return direct.find({"method": method, "path": path, "root_path": root}) is not None

    assert found("POST", "/api/v1/tasks")
    assert found("POST", "/api/v1/tasks/batch")
    assert not found("GET", "/api/v1/tasks")
    assert not found("POST", "/api/v1/tasks/bulk")
    assert not found("POST", "/api/v1/tasks", "/below")
