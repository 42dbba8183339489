"""What is measured of one running API: submits, batches, and reads of a server that holds many tasks."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.api.load import Found, Load, request
from benchmarks.api.service import Service, bare, send
from benchmarks.child import Child, ChildError

TASK = {"type": "noop", "kwargs": {"number": 1}}
BATCH = 1_000
"""The most that one call may submit."""
BATCH_CONNECTIONS = 4
READ_CONNECTIONS = 16
CHUNK = 50_000

Row = dict[str, float]


def observe(load: Load, child: Child, units: int = 1) -> Row:
    """Send a load; answers a second and their latencies in ms, and the CPU time of the process that answers, in µs for each
    of ``units`` that an answer stands for. Raises :class:`ChildError` for an answer that is no 2xx."""
    before = child.cpu_seconds()
    found = send(load)
    after = child.cpu_seconds()
    check(found)
    row = {
        "a second": found.rate * units,
        "p50 ms": found.percentile(0.5),
        "p99 ms": found.percentile(0.99),
    }
    if before is not None and after is not None:
        # what was answered while warming up and while the last answers came has cost, too: as much a unit
        answered = found.rate * (load.warm_up + load.seconds) * units
        row["CPU µs"] = (after - before) / answered * 1e6
    return row


def check(found: Found) -> None:
    """Raises :class:`ChildError` unless all was answered well."""
    if wrong := found.other_than(200, 201):
        raise ChildError(f"the service answered with {wrong}")
    if found.lost:
        raise ChildError(f"the service closed {found.lost} connections")
    if not found.micros:
        raise ChildError("the service answered nothing")


def submits(service: Service, seconds: float) -> dict[str, Row]:
    """One by one at 64 connections; and the same body to the bare handler, and to one that answers without looking."""
    requests = [request("POST", "/api/v1/tasks", service.key, TASK)]
    rows = {}
    for name, words in {"generator alone": ["--raw"], "bare FastAPI": []}.items():
        with bare(service, *words) as (child, port):
            rows[name] = observe(Load(port, requests, seconds=seconds), child)
    api = rows["submit"] = observe(Load(service.port, requests, seconds=seconds), service.child)
    api["of bare"] = api["a second"] / rows["bare FastAPI"]["a second"]
    return rows


def batches(service: Service, seconds: float) -> dict[str, Row]:
    """Tasks a second by calls of a thousand at a few connections."""
    requests = [request("POST", "/api/v1/tasks/batch", service.key, {"tasks": [TASK] * BATCH})]
    load = Load(service.port, requests, connections=BATCH_CONNECTIONS, seconds=seconds)
    return {"tasks in batches of 1,000": observe(load, service.child, BATCH)}


async def fill(service: Service, count: int, say: Callable[[str], None]) -> list[str]:
    """Store that many tasks: a tenth have succeeded or failed, the others wait. Returns some of their ids."""
    noop, fail = service.app.find("noop"), service.app.find("fail")
    ended = count // 10
    await submit_many(noop, ended - ended // 10)
    await fail.starmap([(f"reason {number % 50}",) for number in range(ended // 10)])
    with service.working(1):
        await service.drained()
    say(f"{ended:,} tasks have ended")
    ids = await submit_many(noop, count - ended)
    say(f"{count - ended:,} tasks wait")
    return ids


async def submit_many(task_type: Any, count: int) -> list[str]:
    """Submit that many tasks. Returns some hundred of their ids."""
    ids: list[str] = []
    for begin in range(0, count, CHUNK):
        handles = await task_type.starmap([(number,) for number in range(begin, min(count, begin + CHUNK))])
        ids += [str(handle.id) for handle in handles[:: max(1, len(handles) // 20)]]
    return ids


def reads(service: Service, ids: list[str], seconds: float) -> dict[str, Row]:
    """What the page and programs ask for, one route after the other, at 16 connections."""
    lists = [
        "status=queued&limit=50",
        "status=queued&type=noop&queue=default&limit=50",
        "status=succeeded&limit=50",
    ]
    paths = {
        "health (asks the server nothing)": ["/health"],
        "get a task": [f"/tasks/{task_id}" for task_id in ids],
        "list tasks": [f"/tasks?{words}" for words in lists],
        "statistics": ["/stats"],
        "queues": ["/queues"],
    }
    rows = {}
    for name, some in paths.items():
        requests = [request("GET", f"/api/v1{path}", service.key) for path in some]
        load = Load(service.port, requests, connections=READ_CONNECTIONS, seconds=seconds)
        rows[name] = observe(load, service.child)
    return rows


def medians(rounds: list[dict[str, Row]]) -> dict[str, Row]:
    """The median of each figure."""
    first = rounds[0]
    return {
        name: {figure: median(found[name][figure] for found in rounds) for figure in row}
        for name, row in first.items()
    }
