"""What the API counts of its own requests, whether telemetry is on or not."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.core.access import Scope
from jobbers.keyring import Access
from tests.api.support import call, make_app
from tests.api.test_metrics import parsed
from tests.scenarios.harness import until

COUNT = "http_server_request_duration_seconds_count"
ID = "01JGZ3Y9W5V8Q2M4T6R8K0N1PD"


async def counted(api: httpx2.AsyncClient) -> dict[tuple[str, str], float]:
    return parsed((await api.get("http://api.test/metrics")).text)


def of(method: str, route: str, status: int) -> tuple[str, str]:
    failed = f',error_type="{status}"' if status >= 500 else ""
    where = f',http_route="{route}"' if route else ""
    return (
        COUNT,
        f'http_request_method="{method}",url_scheme="http"{where},http_response_status_code="{status}"{failed}',
    )


async def test_requests_are_counted_by_their_template(api: httpx2.AsyncClient) -> None:
    before = await counted(api)
    for _ in range(2):
        assert (await api.post("/tasks", json={"type": "keep", "args": ["hush-hush"]})).status_code == 201
    await api.post("/tasks", json={"type": "keep", "nonsense": 1})
    await api.get(f"/tasks/{ID}")
    await api.request("HEAD", f"/tasks/{ID}")
    await api.delete("/tasks")
    await api.get("http://api.test/nowhere/hush-hush?a=hush-hush")
    await api.request("BREW", "/tasks")
    await api.get("http://api.test/admin/hush-hush.js")
    text = (await api.get("http://api.test/metrics")).text
    found = parsed(text)
    for key, number in {
        of("POST", "/api/v1/tasks", 201): 2,
        of("POST", "/api/v1/tasks", 422): 1,
        of("GET", "/api/v1/tasks/{task_id}", 404): 1,
        of("HEAD", "/api/v1/tasks/{task_id}", 404): 1,
        of("DELETE", "/api/v1/tasks", 405): 1,
        of("GET", "", 404): 1,
        of("_OTHER", "/api/v1/tasks", 405): 1,
        of("GET", "/admin/{name:path}", 404): 1,
        of("GET", "/metrics", 200): 1,
    }.items():
        assert found[key] - before.get(key, 0) == number, key
    assert "hush-hush" not in text
    assert ID not in text


async def test_what_the_guard_refuses_and_what_fails_is_counted(app: Jobbers) -> None:
    gone = make_app("redis://127.0.0.1:1/0")
    for serving, method, route, status in (
        (create_app(app, hosts=["elsewhere"]), "GET", "", 421),
        (create_app(gone), "GET", "/api/v1/tasks/{task_id}", 503),
    ):
        gate = serving.state.jobbers_gate
        async with call(serving, raises=False) as api:
            assert (await api.request(method, f"/tasks/{ID}")).status_code == status
        (family,) = gate.traffic.metrics.families()
        ((labels, histogram),) = family.series
        assert histogram.count == 1
        assert dict(labels).get("http.route", "") == route
        assert dict(labels)["http.response.status_code"] == str(status)
        assert ("error.type" in dict(labels)) is (status >= 500)
    await gone.close()


async def test_streams_are_counted_while_they_are_open_and_as_requests_at_once(
    api: httpx2.AsyncClient, app: Jobbers
) -> None:
    serving = create_app(app)
    stopping = serving.state.jobbers_stopping = asyncio.Event()

    async def open_streams() -> tuple[float, float]:
        async with call(serving) as client:
            found = await counted(client)
        return found.get(("jobbers_api_event_streams", ""), -1), found.get(
            of("GET", "/api/v1/events", 200), 0
        )

    assert (await open_streams())[0] == -1, "there was none"
    async with call(serving) as client:
        listening = asyncio.ensure_future(client.get("/events", params={"topic": "queues"}))

        async def there() -> bool:
            return await open_streams() == (1, 1)

        await until(there, "it is open, and counted")
        stopping.set()
        assert (await listening).status_code == 200
    assert await open_streams() == (0, 1)


@pytest.mark.parametrize("via", ["key", "login"])
async def test_credentials_that_nobody_knows_are_counted(
    app: Jobbers, via: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobbers.api.slowdown.FIRST", 0)
    keys = Access((await app.client()).store)
    key = (await keys.create("reader", Scope.READ)).text
    async with call(create_app(app)) as api:
        if via == "key":
            answer = await api.get("/queues", headers={"X-API-Key": "jbk.wrong.wrong"})
        else:
            answer = await api.post(
                "/login", json={"key": "jbk.wrong.wrong"}, headers={"Sec-Fetch-Site": "same-origin"}
            )
        assert answer.status_code == 401
        await api.get("/queues")  # without a key: nothing was tried
        text = (await api.get("/metrics", headers={"X-API-Key": key})).text
    assert f'jobbers_api_credentials_refused_total{{jobbers_api_via="{via}"}} 1' in text
