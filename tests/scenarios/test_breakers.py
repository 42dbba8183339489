"""A breaker over several worker processes: what is down is left alone by all of them, whatever dies, and nobody waits for
ever."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.scenarios.harness import SUCCEEDED, Scene, until

OPEN_FOR = 1.0


async def is_open(scene: Scene) -> bool:
    return (await scene.app.breakers.get("guarded")).state != "closed"


async def nothing_runs(scene: Scene) -> bool:
    return not (await (await scene.inspector()).counts())["running"]


@pytest.mark.scene(lease=1.0, crash_budget=10)
@pytest.mark.timeout(120)
async def test_four_workers_of_which_one_dies_leave_alone_what_is_down(scene: Scene, tmp_path: Path) -> None:
    service = tmp_path / "service"
    workers = [await scene.worker("--concurrency", "5") for _ in range(4)]
    tasks = await scene.map("guarded", [str(service)] * 60)
    await until(lambda: is_open(scene), "the breaker has opened")
    await until(lambda: nothing_runs(scene), "what had begun has ended")
    since, before = time.monotonic(), scene.effects.count("start")
    workers[0].kill()
    await asyncio.sleep(4)
    probes = scene.effects.count("start") - before
    # The first may have been under way already; after each the breaker is open for its time.
    assert probes <= (time.monotonic() - since) / OPEN_FOR + 2
    assert probes, "it asks whether the service is up again"
    assert await is_open(scene)

    service.touch()

    assert await scene.final(tasks, 40) == {SUCCEEDED: 60}
    state = await scene.app.breakers.get("guarded")
    assert (state.state, state.waiting) == ("closed", 0)


@pytest.mark.scene(lease=1.0, crash_budget=10)
@pytest.mark.timeout(120)
async def test_a_probe_whose_worker_dies_is_not_waited_for(scene: Scene, tmp_path: Path) -> None:
    service, slow = tmp_path / "service", tmp_path / "service.slow"
    frail = await scene.worker("--concurrency", "5")
    tasks = await scene.map("guarded", [str(service)] * 10)
    await until(lambda: is_open(scene), "the breaker has opened")
    slow.touch()
    service.touch()
    await asyncio.sleep(0.5)
    before = scene.effects.count("start")
    await until(lambda: scene.effects.count("start") > before, "a probe hangs")
    frail.kill()
    slow.unlink()
    await scene.worker("--concurrency", "5")
    assert await scene.final(tasks, 40) == {SUCCEEDED: 10}
    assert not await is_open(scene)
