"""Two hundred workers start at once, and lose the server at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from jobbers.testing import running_worker
from jobbers.worker import Worker
from tests.scenarios.harness import SUCCEEDED, Scene, until

WORKERS = 200


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.scene(lease=10.0)
async def test_they_start_and_come_back_without_missing_a_lease(scene: Scene) -> None:
    """In one process, so that 200 fit on a small machine: each has its own connections, keeper thread and leases."""
    stack = [running_worker(scene.app, concurrency=2) for _ in range(WORKERS)]
    begun = time.monotonic()
    workers: list[Worker] = list(await asyncio.gather(*[context.__aenter__() for context in stack]))
    try:
        await scene.roll(WORKERS)
        tasks = [await scene.submit("nap", 12.0) for _ in range(100)]
        await until(lambda: _stand(scene, "running", 100), "all run")
        scene.server.write_out()
        scene.server.kill()
        await asyncio.sleep(1.5)
        scene.server.start(scripts_loaded=False)
        more = await scene.map("nap", [0.01] * 400)
        assert await scene.final([*tasks, *more], 40) == {SUCCEEDED: 500}
        records = await (await scene.inspector()).store.inspect.records([task.id for task in tasks])
        assert {record.attempt for record in records if record} == {1}
        assert all(worker.ready.is_set() for worker in workers)
        await scene.roll(WORKERS)
    finally:
        await asyncio.gather(*[context.__aexit__(None, None, None) for context in stack])
    assert time.monotonic() - begun < 120


async def _stand(scene: Scene, status: str, number: int) -> bool:
    return (await (await scene.inspector()).counts())[status] == number
