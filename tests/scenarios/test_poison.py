"""A task that takes its worker along, or tries to."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.harness import FAILED, PATIENCE, SUCCEEDED, Scene


@pytest.mark.scene(crash_budget=2)
async def test_poison_becomes_a_dead_letter_after_its_budget(scene: Scene) -> None:
    supervisor = scene.start_worker("--processes", "2", "--concurrency", "5")
    before = await scene.map("note", range(30))
    poison = await scene.submit("poison")
    after = await scene.map("note", range(30))
    assert await scene.final([*before, *after]) == {SUCCEEDED: 60}
    assert await poison.wait(PATIENCE) is FAILED
    record = await poison.record()
    assert record.reason is not None
    assert record.reason.startswith("poison: ")
    assert scene.effects.count("start", poison) == 3
    assert supervisor.code is None


@pytest.mark.scene(crash_budget=2)
async def test_poison_in_a_batch_takes_no_others_along_in_the_end(scene: Scene) -> None:
    """Those that were in its batch lose two workers with it, which they may; then each comes alone."""
    supervisor = scene.start_worker("--processes", "2", "--concurrency", "40")
    before = await scene.map("weigh", range(15))
    poison = await scene.submit("weigh", -1)
    after = await scene.map("weigh", range(15))
    assert await scene.final([*before, *after], 40) == {SUCCEEDED: 30}
    assert await poison.wait(PATIENCE) is FAILED
    record = await poison.record()
    assert record.reason is not None
    assert record.reason.startswith("poison: ")
    assert supervisor.code is None


@pytest.mark.parametrize("kind", ["leave", "leave_async", "leave_process"])
async def test_a_task_that_calls_exit_ends_only_itself(scene: Scene, kind: str) -> None:
    worker = await scene.worker()
    neighbour = await scene.submit("nap", 1.0)
    await scene.started(neighbour)
    queue = "heavy" if kind == "leave_process" else "default"
    task = await scene.submit(kind, queue=queue)
    assert await task.wait(PATIENCE) is FAILED
    (error,) = (await task.record()).errors
    assert error.type == "SystemExit"
    assert await neighbour.wait(PATIENCE) is SUCCEEDED
    await asyncio.sleep(0.2)
    assert worker.code is None
    assert scene.effects.count("start", task) == 1
