"""Limits hold over several worker processes, whatever dies: none is exceeded, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.scenarios.harness import CANCELLED, STALL, SUCCEEDED, Effect, Scene, WorkerProcess

LIMIT = 4


def most_at_once(effects: list[Effect], killed: dict[int, float]) -> int:
    """How many executions there were at a time; one that did not end did so with its worker."""
    ends = {(effect.task, effect.pid): effect.at for effect in effects if effect.kind in ("end", "cancelled")}
    changes: list[tuple[float, int]] = []
    for effect in effects:
        if effect.kind == "start":
            end = ends.get((effect.task, effect.pid), killed.get(effect.pid, time.monotonic()))
            changes += [(effect.at, 1), (end, -1)]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


@pytest.mark.scene(lease=1.0, crash_budget=10)
@pytest.mark.timeout(120)
async def test_a_limit_holds_over_four_workers_of_which_some_are_killed(scene: Scene) -> None:
    workers = [await scene.worker("--concurrency", "10") for _ in range(4)]
    tasks = await scene.map("narrow", [0.1] * 60)
    killed: dict[int, float] = {}
    for victim in workers[:2]:
        await asyncio.sleep(0.5)
        killed[victim.pid] = victim.kill()
    assert await scene.final(tasks, 60) == {SUCCEEDED: 60}
    assert most_at_once(scene.effects.all(), killed) == LIMIT
    assert await scene.app.limits.uses("narrow")
    assert {(use.used, use.waiting) for use in await scene.app.limits.uses("narrow")} == {(0, 0)}


@pytest.mark.scene(lease=1.0, crash_budget=10)
@pytest.mark.timeout(120)
async def test_a_worker_that_stands_still_loses_its_permits_with_its_leases(scene: Scene) -> None:
    frozen = await scene.worker("--concurrency", "10")
    tasks = await scene.map("narrow", [30.0] * LIMIT)
    await scene.started(*tasks)
    frozen.stop()
    await scene.worker("--concurrency", "10")
    late = await scene.map("narrow", [0.01] * 3)
    try:
        await scene.started(*tasks, times=2)
        await (await scene.app.client()).cancel([task.id for task in tasks])
        assert await scene.final(late) == {SUCCEEDED: 3}
    finally:
        frozen.cont()


@pytest.mark.scene(lease=1.0, crash_budget=10)
@pytest.mark.timeout(120)
async def test_a_rate_holds_over_four_workers_of_which_one_is_killed(scene: Scene) -> None:
    workers: list[WorkerProcess] = [await scene.worker("--concurrency", "10") for _ in range(4)]
    tasks = await scene.map("paced", range(60))
    await asyncio.sleep(0.6)
    workers[0].kill()
    assert await scene.final(tasks, 60) == {SUCCEEDED: 60}
    # The rate is one of starts by the server's clock: functions are called later, many at once if a worker stood still.
    records = [await task.record() for task in tasks]
    starts = sorted(record.started.timestamp() for record in records if record.started is not None)
    windows = [sum(begin <= start < begin + 0.49 for start in starts) for begin in starts]
    assert len(starts) == 60
    assert max(windows) <= 10
    assert starts[-1] - starts[0] > 0.5 * (60 / 10 - 1) - 0.25


async def test_a_limit_that_is_raised_lets_idle_workers_go_on_within_a_second(scene: Scene) -> None:
    await scene.worker("--concurrency", "20")
    await scene.app.limits.set("narrow", 1)
    tasks = await scene.map("narrow", [60.0] * 6)
    await scene.started(tasks[0])
    await asyncio.sleep(0.3)
    assert scene.effects.count("start") == 1
    raised = time.monotonic()
    await scene.app.limits.set("narrow", 6)
    await scene.started(*tasks)
    assert max(effect.at for effect in scene.effects.all("start")) - raised < 1.0 + STALL
    await (await scene.app.client()).cancel([task.id for task in tasks])
    assert await scene.final(tasks) == {CANCELLED: 6}
