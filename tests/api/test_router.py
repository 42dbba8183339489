"""The router in an application of somebody else's."""

from __future__ import annotations

from typing import Annotated

import httpx2
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response

from jobbers import Jobbers
from jobbers.api import create_app, router
from jobbers.store.embedded import EmbeddedServer
from tests.api.support import call, error_of, make_app


class Stranger(Exception):
    """What an application of somebody else's raises and handles."""


async def guard(key: Annotated[str, Header()] = "") -> None:
    if key == "":
        raise HTTPException(401, "who are you?")
    if key != "open":
        raise Stranger


async def turn_away(_: Request, error: Exception) -> Response:
    return Response("go away", 403)


async def test_it_works_below_a_prefix_with_a_guard(app: Jobbers) -> None:
    own = FastAPI(exception_handlers={Stranger: turn_away})
    own.include_router(router(app), prefix="/jobs", dependencies=[Depends(guard)])

    @own.get("/hello")
    async def hello() -> str:
        return "hello"

    async with call(own) as client:
        client.base_url = httpx2.URL("http://own.test")
        assert (await client.get("/hello")).json() == "hello"
        refused = await client.get("/jobs/api/v1/queues")
        assert (refused.status_code, refused.json()) == (401, {"detail": "who are you?"})
        assert (await client.get("/jobs/api/v1/queues", headers={"key": "wrong"})).text == "go away"
        client.headers["key"] = "open"
        assert (await client.get("/jobs/api/v1/queues")).json()["queues"] == []
        response = await client.post("/jobs/api/v1/tasks", json={"type": "add", "args": ["1"]})
        assert error_of(response, 422, "invalid_argument")["parameter"] == "a"
        response = await client.post(
            "/jobs/api/v1/tasks", content=b"{", headers={"content-type": "application/json"}
        )
        error_of(response, 400, "malformed_json")
        error_of(await client.post("/jobs/api/v1/tasks", content=b"{}"), 415, "unsupported_media_type")


async def test_two_apps_side_by_side(server: EmbeddedServer, app: Jobbers) -> None:
    other = make_app(server.url)
    async with call(create_app(app)) as one, call(create_app(other)) as two:
        task_id = (await one.post("/tasks", json={"type": "keep"})).json()["id"]
        assert (await one.get(f"/tasks/{task_id}")).status_code == 200
        assert (await two.get(f"/tasks/{task_id}")).status_code == 404
    await other.close()


async def test_its_end_closes_the_connections(app: Jobbers) -> None:
    own = FastAPI()
    own.include_router(router(app))
    async with own.router.lifespan_context(own):
        async with call(own) as client:
            assert (await client.get("/ready")).status_code == 200
        opened = await app.client()
    assert await app.client() is not opened


@pytest.mark.parametrize("path", ["/tasks", "/queues"])
async def test_nothing_is_traced_by_fastapi(app: Jobbers, path: str) -> None:
    api = create_app(app)
    settings = api._telemetry  # what FastAPI was told; it has no other way to be asked
    assert not any(
        settings[kind] for kind in ("tracing", "metrics", "logs", "operation_spans", "auto_configure")
    )
