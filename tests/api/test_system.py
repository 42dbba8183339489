"""Queues, task types, workers, health, and the description of it all."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx2
import pytest

import jobbers
from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.api.errors import ANSWERS
from jobbers.errors import JobbersError
from tests.api.support import Desk, call, error_of, make_app


async def test_queues(api: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/queues")).json()["queues"] == []
    for priority in (0, 5, 5):
        await api.post("/tasks", json={"type": "keep", "priority": priority})
    await api.post("/tasks", json={"type": "keep", "delay": 60})
    (queue,) = (await api.get("/queues")).json()["queues"]
    assert queue.pop("oldest_seconds") >= 0
    assert queue == {
        "name": "default",
        "depth": 3,
        "paused": False,
        "parked": 0,
        "by_priority": {"0": 1, "5": 2},
        "draining": False,
        "max_length": None,
        "when_full": None,
    }


async def test_pause_and_resume(api: httpx2.AsyncClient, desk: Desk) -> None:
    await api.post("/tasks", json={"type": "keep"})
    response = await api.post("/queues/default/pause", json={})
    assert (response.status_code, response.json()) == (200, {"name": "default", "paused": True})
    assert (await api.get("/queues")).json()["queues"][0]["paused"]
    with pytest.raises(ValueError, match="not enough values"):
        await desk.claim()
    response = await api.post("/queues/default/resume", headers={"content-type": "application/json"})
    assert response.json() == {"name": "default", "paused": False}
    await desk.claim()
    error_of(await api.post("/queues/a%20b/pause", json={}), 422, "invalid_name")


async def test_task_types(api: httpx2.AsyncClient) -> None:
    types = {entry["name"]: entry for entry in (await api.get("/task-types")).json()["task_types"]}
    assert types.keys() == {"add", "deliver", "keep", "remind"}
    assert types["add"]["description"] == "Add two numbers."
    assert types["add"]["parameters"]["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer"}}
    assert types["add"]["parameters"]["required"] == ["a"]
    policy = types["add"]["policy"]
    assert (policy["queue"], policy["priority"], policy["timeout"], policy["deadline"]) == (
        "sums",
        7,
        30,
        None,
    )
    assert policy["retry"] == {
        "attempts": 4,
        "backoff": "exponential",
        "delay": 2,
        "cap": 600,
        "jitter": True,
    }
    assert policy["execution"] == "async"
    assert types["remind"]["parameters"]["properties"]["when"]["format"] == "date-time"


async def test_a_type_whose_annotations_cannot_be_resolved(api: httpx2.AsyncClient, app: Jobbers) -> None:
    @app.task
    async def lost(value: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821 - that is the point
        pass

    types = {entry["name"]: entry for entry in (await api.get("/task-types")).json()["task_types"]}
    assert types["lost"]["parameters"] is None
    assert types["add"]["parameters"] is not None


async def test_workers(api: httpx2.AsyncClient, app: Jobbers) -> None:
    assert (await api.get("/workers")).json()["workers"] == []
    await (await app.client()).store.control.announce("w1", {"host": "here", "pid": 1}, 60_000)
    (worker,) = (await api.get("/workers")).json()["workers"]
    assert (worker["id"], worker["facts"]) == ("w1", {"host": "here", "pid": "1"})


async def test_stats(api: httpx2.AsyncClient, desk: Desk) -> None:
    empty = (await api.get("/stats?minutes=3")).json()
    assert empty["counts"] == {"queued": 0, "scheduled": 0, "running": 0, "dead": 0}
    assert [minute["outcomes"] for minute in empty["minutes"]] == [{}, {}, {}]
    assert empty["types"] == []
    for number in range(3):
        await api.post("/tasks", json={"type": "add", "args": [number]})
    await desk.succeed(await desk.claim("sums"), 1)
    await desk.fail(await desk.claim("sums"), ValueError("no"))
    stats = (await api.get("/stats?minutes=3")).json()
    assert stats["counts"] == {"queued": 1, "scheduled": 0, "running": 0, "dead": 1}
    assert stats["types"] == [{"type": "add", "queue": "sums", "outcomes": {"failed": 1, "succeeded": 1}}]
    starts = [datetime.fromisoformat(minute["start"]) for minute in stats["minutes"]]
    assert [later - earlier for earlier, later in pairwise(starts)] == [timedelta(minutes=1)] * 2
    assert starts[-1] <= datetime.fromisoformat(stats["now"])
    assert sum(sum(minute["outcomes"].values()) for minute in stats["minutes"]) == 2
    for wrong in ("0", "181", "x"):
        error_of(await api.get(f"/stats?minutes={wrong}"), 422, "invalid_input")


async def test_health_and_readiness(api: httpx2.AsyncClient) -> None:
    assert (await api.get("/health")).json() == {"status": "ok"}
    assert (await api.get("/ready")).json() == {"status": "ok"}


async def test_without_a_server(tmp_path: Path) -> None:
    app = make_app(f"unix://{tmp_path}/nothing.sock", patience=0.2)
    async with call(create_app(app)) as api:
        assert (await api.get("/health")).status_code == 200
        error_of(await api.get("/ready"), 503, "not_ready")
        response = await api.post("/tasks", json={"type": "keep"})
        error_of(response, 503, "server_unavailable")
        assert response.headers["retry-after"] == "1"
        assert "nothing.sock" not in response.text
    await app.close()


async def test_readiness_takes_a_second_at_most() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts, and nobody answers
        app = make_app(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        async with call(create_app(app)) as api:
            begun = time.monotonic()
            error_of(await api.get("/ready"), 503, "not_ready")
            assert time.monotonic() - begun < 8  # the patience of the app is 10
        await app.close()


async def test_the_description_is_complete(app: Jobbers) -> None:
    async with call(create_app(app)) as api:
        description = (await api.get("/openapi.json")).json()
    assert description["info"]["version"] == jobbers.__version__
    operations = {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }
    assert operations.keys() == {
        "POST /tasks",
        "POST /tasks/batch",
        "POST /tasks/bulk",
        "GET /tasks",
        "GET /tasks/{task_id}",
        "GET /tasks/{task_id}/logs",
        "GET /tasks/{task_id}/why",
        "GET /tasks/{task_id}/result",
        "POST /tasks/{task_id}/cancel",
        "POST /tasks/{task_id}/requeue",
        "POST /tasks/{task_id}/again",
        "GET /queues/{name}",
        "GET /task-types/{kind}",
        "PUT /task-types/{kind}/live",
        "DELETE /task-types/{kind}/live",
        "GET /settings",
        "GET /doctor",
        "POST /doctor/repair",
        "GET /dags",
        "GET /dags/{name}",
        "GET /dags/{name}/text",
        "GET /dags/{name}/drawing",
        "GET /runs/{task_id}/drawing",
        "POST /dags/{name}/runs",
        "GET /runs",
        "GET /runs/{task_id}",
        "POST /runs/{task_id}/pause",
        "POST /runs/{task_id}/resume",
        "POST /runs/{task_id}/retry",
        "GET /limits",
        "GET /limits/{name}",
        "PUT /limits/{name}",
        "DELETE /limits/{name}",
        "GET /breakers",
        "GET /breakers/retries",
        "DELETE /breakers/retries",
        "POST /breakers/{name}/trip",
        "POST /breakers/{name}/reset",
        "GET /schedules",
        "POST /schedules",
        "GET /schedules/{name}",
        "DELETE /schedules/{name}",
        "GET /schedules/{name}/times",
        "POST /schedules/{name}/pause",
        "POST /schedules/{name}/resume",
        "POST /schedules/{name}/run",
        "GET /queues",
        "POST /queues/{name}/pause",
        "POST /queues/{name}/resume",
        "POST /queues/{name}/drain",
        "POST /queues/{name}/purge",
        "PUT /queues/{name}/limit",
        "DELETE /queues/{name}/limit",
        "GET /routes",
        "PUT /routes/{kind}",
        "DELETE /routes/{kind}",
        "GET /roles",
        "PUT /roles/{role}",
        "DELETE /roles/{role}",
        "GET /dead-letters",
        "GET /dead-letters/groups",
        "POST /dead-letters/requeue",
        "POST /dead-letters/drop",
        "DELETE /dead-letters/{task_id}",
        "GET /strikes",
        "POST /strikes",
        "DELETE /strikes/{task_id}",
        "GET /task-types",
        "GET /telemetry",
        "PUT /telemetry",
        "DELETE /telemetry",
        "GET /stats",
        "GET /stats/queues",
        "GET /stats/workers",
        "GET /advice",
        "GET /scale/{name}",
        "GET /workers",
        "GET /workers/{worker}",
        "POST /workers/{worker}/pause",
        "POST /workers/{worker}/resume",
        "POST /workers/{worker}/drain",
        "GET /metrics",
        "GET /events",
        "GET /keys",
        "POST /keys",
        "DELETE /keys/{name}",
        "GET /audit",
        "GET /me",
        "POST /login",
        "POST /logout",
        "GET /health",
        "GET /ready",
    }
    known = {tag["name"] for tag in description["tags"]}
    for name, operation in operations.items():
        assert len(operation["tags"]) == 1, name
        assert set(operation["tags"]) <= known, name
        assert operation["description"], name
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
        assert "500" in refusals, name
        assert ("415" in refusals) == name.startswith(("POST", "PUT")), name
        for status, answer in refusals.items():
            schema = answer["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)
    assert "HTTPValidationError" not in description["components"]["schemas"]


def kinds(base: type[JobbersError]) -> set[type[JobbersError]]:
    return {base}.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_every_error_has_a_status() -> None:
    assert {
        kind.code for kind in kinds(JobbersError) if kind.__module__ == "jobbers.errors"
    } == ANSWERS.keys()
