"""Answers that did not change are not sent again."""

from __future__ import annotations

import httpx2
import pytest
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from jobbers import Jobbers
from jobbers.api import create_app, router
from jobbers.api.etags import MOST_TAGGED
from tests.api.support import Desk, call


async def test_what_did_not_change_is_not_sent_again(api: httpx2.AsyncClient) -> None:
    task = (await api.post("/tasks", json={"type": "keep"})).json()
    for path in ("/routes", "/task-types", "/dags", f"/tasks/{task['id']}", "/tasks?status=queued", "/runs"):
        first = await api.get(path)
        tag = first.headers["etag"]
        again = await api.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        assert again.headers["x-content-type-options"] == "nosniff"
        assert "content-type" not in again.headers
    before = (await api.get(f"/tasks/{task['id']}")).headers["etag"]
    await api.post(f"/tasks/{task['id']}/cancel", json={})
    after = await api.get(f"/tasks/{task['id']}", headers={"If-None-Match": before})
    assert (after.status_code, after.json()["status"]) == (200, "cancelled")
    assert after.headers["etag"] != before


async def test_how_tags_are_compared(api: httpx2.AsyncClient) -> None:
    tag = (await api.get("/dags")).headers["etag"]
    assert tag.startswith('W/"')
    opaque = tag.removeprefix("W/")
    for known in (tag, opaque, f'"a", {tag}', f'W/"a,b",{opaque} ,"c"', "*"):
        assert (await api.get("/dags", headers={"If-None-Match": known})).status_code == 304, known
    for other in ("", '"a"', opaque.strip('"'), f"w/{opaque}", "W/*", opaque[:-2] + '"', ",,,", "\u00e9"):
        header = [(b"if-none-match", other.encode())]
        assert (await api.get("/dags", headers=header)).status_code == 200, other
    twice = [("If-None-Match", '"a"'), ("If-None-Match", tag)]
    assert (await api.get("/dags", headers=twice)).status_code == 304


async def test_what_has_no_tag(api: httpx2.AsyncClient, desk: Desk) -> None:
    made = await api.post("/tasks", json={"type": "keep"}, headers={"If-None-Match": "*"})
    assert made.status_code == 201  # a write happens whatever its caller has
    task_id = made.json()["id"]
    waiting = await api.get(f"/tasks/{task_id}/result", headers={"If-None-Match": "*"})
    assert (waiting.status_code, "etag" in waiting.headers) == (202, False)
    assert (await api.get("/tasks/nothing", headers={"If-None-Match": "*"})).status_code == 422
    assert "etag" not in (await api.get("/metrics")).headers
    await desk.succeed(await desk.claim(), "x" * MOST_TAGGED)
    long = await api.get(f"/tasks/{task_id}/result", headers={"If-None-Match": "*"})
    assert (long.status_code, len(long.json()["result"]), "etag" in long.headers) == (200, MOST_TAGGED, False)


async def test_the_description_tells_of_it(api: httpx2.AsyncClient) -> None:
    described = (await api.get("/openapi.json")).json()["paths"]
    without = {"/api/v1/metrics", "/api/v1/events"}
    without |= {path for path in described if path.endswith(("/text", "/drawing"))}
    for path, methods in described.items():
        for method, operation in methods.items():
            tagged = method == "get" and path not in without
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            assert names.count("If-None-Match") == tagged, (method, path)
            assert ("304" in operation["responses"]) == tagged, (method, path)
            assert ("ETag" in operation["responses"].get("200", {}).get("headers", {})) == tagged, (
                method,
                path,
            )


@pytest.mark.parametrize("zipped", [False, True])
async def test_in_an_application_of_ones_own(app: Jobbers, zipped: bool) -> None:
    own = FastAPI()
    own.include_router(router(app))
    if zipped:
        own.add_middleware(GZipMiddleware, minimum_size=10)
    async with call(own) as api, call(create_app(app)) as other:
        first = await api.get("/task-types")
        assert first.headers["etag"] == (await other.get("/task-types")).headers["etag"]
        assert (
            await api.get("/task-types", headers={"If-None-Match": first.headers["etag"]})
        ).status_code == 304
