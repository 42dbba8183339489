"""Code that blocks a worker's event loop: its leases are kept from a thread, up to a limit."""

from __future__ import annotations

import pytest

from tests.scenarios.harness import SUCCEEDED, Scene


@pytest.mark.scene(lease=1.0)
async def test_a_blocked_loop_keeps_its_leases(scene: Scene) -> None:
    worker = await scene.worker()
    neighbour = await scene.submit("nap", 0.5)
    await scene.started(neighbour)
    task = await scene.submit("block", 4.0)
    await scene.started(task)
    await scene.worker()
    assert await scene.final([task, neighbour]) == {SUCCEEDED: 2}
    assert scene.effects.count("start") == 2
    assert "the event loop has been blocked for" in worker.said()
    assert f"by task {task.id} (block)" in worker.said()
    assert "in block\n" in worker.said()


@pytest.mark.scene(lease=1.0, max_block=1.0)
async def test_a_loop_blocked_for_too_long_gives_its_leases_up(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("block", 5.5)
    neighbour = await scene.submit("nap", 0.3)
    await scene.started(task)
    other = await scene.worker()
    await scene.started(task, times=2)
    assert await scene.final([task, neighbour]) == {SUCCEEDED: 2}
    assert [effect.pid for effect in scene.effects.all("start", task)][:2] == [worker.pid, other.pid]
    assert "its leases are given up" in worker.said()
    assert worker.code is None
