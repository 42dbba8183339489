"""HEAD: what GET answers, without its body."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from jobbers import Jobbers
from jobbers.api import create_app, page_router, router
from jobbers.client import new_id
from tests.api.support import call, error_of

PATHS = ["/queues", "/task-types/add", "/health", "/tasks?status=queued", "/metrics"]


@pytest.fixture(params=["whole", "own"])
def asgi(app: Jobbers, request: pytest.FixtureRequest) -> Any:
    """Our application, and one of somebody's own with our routers."""
    if request.param == "whole":
        return create_app(app)
    own = FastAPI()
    own.include_router(router(app))
    own.include_router(page_router())
    return own


async def test_it_answers_as_get_without_the_body(asgi: Any) -> None:
    async with call(asgi) as api:
        for path in [*PATHS, "http://api.test/admin/", "http://api.test/admin/js/app.js"]:
            got, head = await api.get(path), await api.head(path)
            assert (head.status_code, head.content) == (200, b""), path
            assert got.content, path
            changing = {"content-length"} if path == "/metrics" else set()
            assert got.headers.keys() == head.headers.keys(), path
            for name in got.headers.keys() - changing:
                assert got.headers[name] == head.headers[name], path


async def test_tags_and_refusals_are_the_same(asgi: Any) -> None:
    async with call(asgi) as api:
        tag = (await api.head("/queues")).headers["etag"]
        assert (await api.head("/queues", headers={"If-None-Match": tag})).status_code == 304
        head = await api.head(f"/tasks/{new_id()}")
        assert (head.status_code, head.content) == (404, b"")
        assert (await api.head("/tasks?status=odd")).status_code == 422
        refused = await api.head("/tasks/batch")
        assert refused.status_code in (405, 422)
        assert "GET, HEAD" in (await api.put("/queues", json={})).headers["allow"]


async def test_a_stream_of_events_ends_with_its_head(asgi: Any) -> None:
    async with call(asgi) as api:
        head = await api.head("/events?topic=queues")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_strangers_are_refused(app: Jobbers) -> None:
    async with call(create_app(app, auth_required=True)) as api:
        assert (await api.head("/queues")).status_code == 401
        assert (await api.head("/health")).status_code == 200
        error_of(await api.get("/queues"), 401, "unauthorized")


async def test_the_description_does_not_repeat_itself(app: Jobbers) -> None:
    described = create_app(app).openapi()
    assert not [path for path, methods in described["paths"].items() if "head" in methods]
