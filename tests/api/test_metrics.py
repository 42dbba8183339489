"""What Prometheus would read, and the trace that a request brings along."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.api.metrics_text import MOST_SERIES, render
from jobbers.core.tallies import Tallies
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo
from tests.api.support import Desk, call

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.e+-]+|NaN)")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def parsed(text: str) -> dict[tuple[str, str], float]:
    """The samples of an exposition. Fails for what the format does not allow."""
    found: dict[tuple[str, str], float] = {}
    typed: set[str] = set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name not in typed, "a metric comes in one piece"
            assert kind == ("histogram" if name == "http_server_request_duration_seconds" else "gauge")
            typed |= {name} if kind == "gauge" else {f"{name}_{part}" for part in ("bucket", "sum", "count")}
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            assert match[1] in typed
            key = match[1], match[2] or ""
            assert key not in found, "a series comes once"
            found[key] = float(match[3])
    return found


async def test_metrics(api: httpx2.AsyncClient, desk: Desk) -> None:
    for _ in range(3):
        await api.post("/tasks", json={"type": "keep"})
    await desk.succeed(await desk.claim(), None)
    await api.post("/queues/default/pause", json={})
    response = await api.get("/metrics")
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    found = parsed(response.text)
    assert found["jobbers_queue_depth", 'queue="default"'] == 2
    assert found["jobbers_queue_oldest_seconds", 'queue="default"'] >= 0
    assert found["jobbers_queue_paused", 'queue="default"'] == 1
    assert found["jobbers_tasks", 'status="queued"'] == 2
    assert found["jobbers_tasks_last_hour", 'queue="default",type="keep",outcome="succeeded"'] == 1
    assert found["jobbers_workers", ""] == 0
    assert found["jobbers_server_round_trip_seconds", ""] > 0
    assert found["jobbers_server_memory_bytes", ""] > 100_000
    assert found["jobbers_queue_arrival_rate", 'queue="default"'] > 0
    assert found["jobbers_queue_wanted_workers", 'queue="default"'] == 0, "it is paused"
    assert ("jobbers_queue_utilisation", 'queue="default"') not in found, "without a worker nobody knows"
    assert found["jobbers_run_seconds_last_hour", 'queue="default",quantile="0.5"'] > 0


async def test_they_are_where_collectors_look(app: Jobbers) -> None:
    async with call(create_app(app)) as client:
        response = await client.get("http://api.test/metrics")
    assert response.status_code == 200
    assert parsed(response.text)["jobbers_workers", ""] == 0


def test_names_cannot_overrun_a_collector_nor_break_out() -> None:
    many = [QueueInfo(f"q{number}", number, float(number), False, {}) for number in range(MOST_SERIES * 2)]
    facts = {"running": "3", "concurrency": "many", "lag_ms": "250", "memory_bytes": "7e3", "refused": "nan"}
    worker = WorkerInfo('w"1\\\n', datetime.now(UTC), 0.1, facts)
    counts = Tallies()
    counts.read([(b"q|t|succeeded", b"5")])
    found = parsed(render(many, {}, [worker], {100: counts, 101: counts, 102: Tallies()}))
    depths = {labels: value for (name, labels), value in found.items() if name == "jobbers_queue_depth"}
    assert len(depths) == MOST_SERIES
    assert sum(depths.values()) == sum(range(MOST_SERIES * 2))
    assert found["jobbers_queue_oldest_seconds", 'queue="other"'] == MOST_SERIES, (
        "the largest of those left out"
    )
    assert found["jobbers_worker_running", r'worker="w\"1\\\n"'] == 3
    assert found["jobbers_worker_loop_lag_seconds", r'worker="w\"1\\\n"'] == 0.25
    assert found["jobbers_worker_refused", r'worker="w\"1\\\n"'] == 0, "nan is no number"
    assert found["jobbers_worker_concurrency", r'worker="w\"1\\\n"'] == 0
    assert found["jobbers_tasks_last_minute", 'queue="q",type="t",outcome="succeeded"'] == 5
    assert found["jobbers_tasks_last_hour", 'queue="q",type="t",outcome="succeeded"'] == 10


async def test_the_trace_of_a_request_goes_on_in_its_tasks(api: httpx2.AsyncClient, app: Jobbers) -> None:
    trace = {"traceparent": PARENT, "tracestate": "vendor=1"}
    one = (await api.post("/tasks", json={"type": "keep"}, headers=trace)).json()["id"]
    assert (await (await app.inspector()).task(one)).headers == trace
    batch = {"tasks": [{"type": "keep", "headers": {"tenant": "t1"}}, {"type": "keep"}]}
    tasks = (await api.post("/tasks/batch", json=batch, headers={"traceparent": PARENT})).json()["tasks"]
    first, second = [(await (await app.inspector()).task(task["id"])).headers for task in tasks]
    assert first == {"traceparent": PARENT, "tenant": "t1"}
    assert second == {"traceparent": PARENT}
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}}, headers=trace)).json()["id"]
    nodes = (await api.get(f"/runs/{run}")).json()["nodes"]
    for node in nodes:
        assert (await (await app.inspector()).task(node["id"])).headers == {**trace, "jobbers-run": run}


async def test_headers_of_the_submission_win(api: httpx2.AsyncClient, app: Jobbers) -> None:
    own = PARENT.replace("0af7", "1111")
    body = {"type": "keep", "headers": {"traceparent": own}}
    task = (await api.post("/tasks", json=body, headers={"traceparent": PARENT})).json()["id"]
    assert (await (await app.inspector()).task(task)).headers == {"traceparent": own}


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        PARENT.upper(),
        PARENT[:-1],
        f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        PARENT + "-x",
    ],
)
async def test_what_is_no_trace_is_left_out(api: httpx2.AsyncClient, app: Jobbers, bad: str) -> None:
    task = (await api.post("/tasks", json={"type": "keep"}, headers={"traceparent": bad})).json()["id"]
    assert (await (await app.inspector()).task(task)).headers == {}


async def test_a_request_without_a_trace_is_not_in_that_of_the_one_before(
    api: httpx2.AsyncClient, app: Jobbers
) -> None:
    await api.post("/tasks", json={"type": "keep"}, headers={"traceparent": PARENT})
    task = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
    assert (await (await app.inspector()).task(task)).headers == {}
