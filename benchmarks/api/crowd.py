"""Many connections at a time, half of them event streams and half of them sending requests: what the API process needs for
them, what it answers, and what they cost the workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median

from benchmarks.api.load import Found, Load, request
from benchmarks.api.measures import TASK, Row, submit_many
from benchmarks.api.service import Generator, Service
from benchmarks.child import ChildError

DRAINED = 100_000
"""Tasks that two workers drain at a time."""
DRAINS = 3
"""How often, before the crowd comes; with it as long as it is there."""
WORKERS = 2
MIB = 2**20


async def crowd(connections: int, seconds: float, pace: float, say: Callable[[str], None]) -> dict[str, Row]:
    """A service of its own, two workers that drain no-ops, without and with the crowd. Raises :class:`ChildError` for a
    5xx other than 503."""
    async with Service() as service:
        with service.working(WORKERS):
            await service.workers(WORKERS)
            await drain(service)  # the first has to warm up
            alone = [await drain(service) for _ in range(DRAINS)]
            before = service.memory()
            say(f"without: {', '.join(f'{rate:,.0f}' for rate in alone)} tasks a second")
            generator = await asyncio.to_thread(Generator, load_of(service, connections, seconds, pace))
            generator.begin()
            finding = asyncio.create_task(asyncio.to_thread(generator.found))
            beside, memory = [], [service.memory()]
            while not finding.done():
                beside.append(await drain(service))
                memory.append(service.memory())
                say(f"with: {beside[-1]:,.0f} tasks a second, {memory[-1] / MIB:.0f} MiB")
            found = await finding
            again = [await drain(service) for _ in range(DRAINS)]
            say(f"without, again: {', '.join(f'{rate:,.0f}' for rate in again)} tasks a second")
    check(found)
    whole = beside[:-1] or beside  # the last one may have ended after the crowd
    half = len(memory) // 2
    return {
        f"{connections:,} connections for {seconds:g} s": {
            "requests a second": found.rate,
            "p99 ms": found.percentile(0.99),
            "answered 503": found.statuses.get("503", 0) + found.stream_statuses.get("503", 0),
            "lost": found.lost,
            "streams unanswered": found.stream_statuses.get("0", 0),
            "streams' kB a second": found.stream_bytes / 1000 / seconds,
            "MiB before": before / MIB,
            "MiB after half": max(memory[: half + 1]) / MIB,
            "MiB at most": max(memory) / MIB,
            "drained a second": median(whole),
            "of the rate without": median(whole) / median([*alone, *again]),
        }
    }


def load_of(service: Service, connections: int, seconds: float, pace: float) -> Load:
    """Half of the connections listen, half send: reads mostly, and some submissions to a queue that nobody serves."""
    reads = ["/stats", "/queues", "/tasks?status=queued&limit=50", "/me", "/workers"]
    requests = [request("GET", f"/api/v1{path}", service.key) for path in reads]
    requests.append(request("POST", "/api/v1/tasks", service.key, {**TASK, "queue": "idle"}))
    stream = request("GET", "/api/v1/events?topic=stats&topic=queues", service.key)
    half = connections // 2
    return Load(
        service.port,
        requests,
        connections=connections - half,
        seconds=seconds,
        warm_up=2.0,
        pace=pace,
        streams=[stream] * half,
    )


def check(found: Found) -> None:
    """Raises :class:`ChildError` for a 5xx other than 503."""
    if wrong := {**found.other_than(200, 201, 503), **_other_streams(found)}:
        raise ChildError(f"the service answered with {wrong}")


def _other_streams(found: Found) -> dict[str, int]:
    return {
        status: count for status, count in found.stream_statuses.items() if status not in ("0", "200", "503")
    }


async def drain(service: Service) -> float:
    """Tasks a second that the workers drain of a queue that was paused until all were there."""
    inspector = await service.app.inspector()
    await inspector.pause("default")
    await submit_many(service.app.find("noop"), DRAINED)
    await asyncio.sleep(0.5)
    begun = time.perf_counter()
    await inspector.resume("default")
    await service.drained("default")
    return DRAINED / (time.perf_counter() - begun)
