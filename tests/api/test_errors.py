"""One shape for every error, and no bad request that is answered with a 5xx."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.api import route as route_module
from jobbers.errors import ConfigError, JobbersError, OutOfMemory, StoreError, UnknownOutcome
from jobbers.inspector import Inspector
from tests.api.support import call, error_of

JSON = {"content-type": "application/json"}


async def test_no_such_path(api: httpx2.AsyncClient) -> None:
    for path in ("/nothing", "/tasks/", "/tasks/a/b/c", "/"):
        error_of(await api.get(path), 404, "not_found")


async def test_no_such_method(api: httpx2.AsyncClient) -> None:
    response = await api.put("/tasks", json={})
    error_of(response, 405, "method_not_allowed")
    assert response.headers["allow"] in ("GET", "POST")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"{'type': 'add'}",
        b'{"type": "add",}',
        b'{"a": NaN}',
        b"\xff\xfe\x00",
        b'"\\ud800"',
        b"1" * 5000,
    ],
)
async def test_malformed_json(api: httpx2.AsyncClient, body: bytes) -> None:
    error_of(await api.post("/tasks", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"x"', b""])
async def test_json_that_is_no_object(api: httpx2.AsyncClient, body: bytes) -> None:
    error = error_of(await api.post("/tasks", content=body, headers=JSON), 422, "invalid_input")
    assert error["parameter"] is None


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"],
)
async def test_writes_must_be_json(api: httpx2.AsyncClient, app: Jobbers, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    for path in ("/tasks", "/tasks/batch", "/dead-letters/drop", "/queues/default/pause", "/tasks/x/cancel"):
        response = await api.post(path, content=b'{"all": true}', headers=headers)
        error_of(response, 415, "unsupported_media_type")
    error_of(await api.post("/queues/default/pause", headers=headers), 415, "unsupported_media_type")
    assert await (await app.inspector()).queues() == []


async def test_the_content_type_may_have_parameters(api: httpx2.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    response = await api.post("/tasks", content=b'{"type": "keep"}', headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("depth", [63, 65, 199, 250, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
async def test_depth_is_limited(api: httpx2.AsyncClient, depth: int, opening: str, closing: str) -> None:
    value = opening * (depth - 2) + "1" + closing * (depth - 2)
    response = await api.post("/tasks", content=f'{{"type": "keep", "args": [{value}]}}', headers=JSON)
    if depth < 64:
        assert response.status_code == 201
    else:
        error_of(response, 422, "nested_too_deeply")


async def test_the_body_is_limited(app: Jobbers) -> None:
    async with call(create_app(app, max_body=1000)) as api:
        fits = json.dumps({"type": "keep", "args": ["x" * 900]})
        assert (await api.post("/tasks", content=fits, headers=JSON)).status_code == 201
        error_of(await api.post("/tasks", content=b" " * 1001, headers=JSON), 413, "body_too_large")

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b" " * 100

        error_of(await api.post("/tasks", content=chunks(), headers=JSON), 413, "body_too_large")


async def test_a_larger_payload_allows_a_larger_body(app: Jobbers) -> None:
    large = Jobbers(app.settings.redis_url, namespace=app.settings.namespace, max_payload=10_000_000)

    @large.task
    async def keep(value: Any) -> None: ...

    async with call(create_app(large)) as api:
        response = await api.post("/tasks", json={"type": "keep", "args": ["x" * 9_000_000]})
        assert response.status_code == 201
    await large.close()


async def test_a_body_that_does_not_come(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_module, "BODY_SECONDS", 0.05)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "POST",
        "path": "/api/v1/tasks",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"10")],
    }
    await create_app(app)(scope, never, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "body_too_slow"


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (RuntimeError("s3cret"), 500, "internal_error"),
        (ConfigError("s3cret"), 500, "bad_config"),
        (StoreError("s3cret"), 502, "store_error"),
        (UnknownOutcome("s3cret"), 503, "unknown_outcome"),
        (OutOfMemory("s3cret"), 507, "out_of_memory"),
        (JobbersError("s3cret"), 500, "jobbers_error"),
    ],
)
async def test_errors_of_ours_are_logged_and_not_shown(
    api: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    raised: Exception,
    status: int,
    code: str,
) -> None:
    async def broken(_: object) -> Any:
        raise raised

    monkeypatch.setattr(Inspector, "queues", broken)
    with caplog.at_level(logging.ERROR, "jobbers.api"):
        response = await api.get("/queues")
    error_of(response, status, code)
    assert "s3cret" not in response.text
    assert "s3cret" in caplog.text
    assert "GET /api/v1/queues" in caplog.text


async def test_no_script_of_others_is_served(api: httpx2.AsyncClient) -> None:
    for path in ("/api/docs", "/api/redoc", "/docs", "/redoc"):
        error_of(await api.get(f"http://api.test{path}"), 404, "not_found")


async def test_every_response_has_the_headers(api: httpx2.AsyncClient) -> None:
    for path in ("/health", "/nothing", "/tasks", "/openapi.json"):
        response = await api.get(path)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("localhost.", True),
        ("[::1]:8000", True),
        ("jobs.example", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
async def test_foreign_host_names_are_refused(app: Jobbers, host: str, allowed: bool) -> None:
    async with call(create_app(app, hosts=["localhost", "::1", "Jobs.Example"])) as api:
        response = await api.get("/health", headers={"host": host})
    if allowed:
        assert response.status_code == 200
    else:
        error_of(response, 421, "wrong_host")
