"""What the admin page needs to know besides: of which run a task is, where its trace is, and how a schedule was made."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from jobbers.api import create_app
from jobbers.errors import ConfigError
from tests.api.support import Desk, call, make_app

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_task_says_of_which_run_it_is(api: httpx2.AsyncClient, desk: Desk) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    claimed = await desk.claim("sums")
    task = (await api.get(f"/tasks/{claimed.id}")).json()
    assert (task["run"], task["node"]) == (run, "first")
    (alone,) = (await api.post("/tasks/batch", json={"tasks": [{"type": "keep"}]})).json()["tasks"]
    assert (await api.get(f"/tasks/{alone['id']}")).json()["run"] is None


async def test_a_run_says_whether_it_is_paused(api: httpx2.AsyncClient) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    paused = []
    for verb in ("pause", "resume", "pause"):
        await api.post(f"/runs/{run}/{verb}", json={})
        paused.append((await api.get(f"/runs/{run}")).json()["paused"])
    await api.post(f"/tasks/{run}/cancel", json={})
    paused.append((await api.get(f"/runs/{run}")).json()["paused"])
    assert paused == [True, False, True, False]


async def test_a_task_says_where_its_trace_is(server: Any) -> None:
    app = make_app(server.url, trace_url="https://traces.test/{trace_id}?from=jobbers")
    async with call(create_app(app)) as api:
        urls = []
        for headers in (
            {},
            {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
            {"traceparent": "javascript:x"},
        ):
            made = await api.post("/tasks", json={"type": "keep", "headers": headers})
            urls.append((await api.get(f"/tasks/{made.json()['id']}")).json()["trace_url"])
    await app.close()
    assert urls == [None, f"https://traces.test/{TRACE}?from=jobbers", None]


async def test_without_the_setting_there_is_no_link(api: httpx2.AsyncClient) -> None:
    made = await api.post(
        "/tasks", json={"type": "keep", "headers": {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}}
    )
    assert (await api.get(f"/tasks/{made.json()['id']}")).json()["trace_url"] is None


@pytest.mark.parametrize("url", ["javascript:alert('{trace_id}')", "https://traces.test/", "{trace_id}"])
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="trace_url"):
        make_app("redis://localhost", trace_url=url)


async def test_a_schedule_says_how_it_was_made(api: httpx2.AsyncClient) -> None:
    made = {
        "name": "nightly",
        "type": "keep",
        "args": [1],
        "kwargs": {"data": {"$base64": "AAE="}},
        "cron": "0 3 * * *",
    }
    await api.post("/schedules", json=made | {"tz": "Asia/Tokyo", "catch_up": 7})
    found = (await api.get("/schedules/nightly")).json()
    assert {name: found[name] for name in ("cron", "tz", "every", "catch_up", "args", "kwargs")} == {
        "cron": "0 3 * * *",
        "tz": "Asia/Tokyo",
        "every": None,
        "catch_up": 7,
        "args": [1],
        "kwargs": {"data": {"$base64": "AAE="}},
    }
    await api.post("/schedules", json={"name": "often", "type": "keep", "every": 2.5})
    often = (await api.get("/schedules/often")).json()
    assert (often["cron"], often["tz"], often["every"]) == (None, None, 2.5)
