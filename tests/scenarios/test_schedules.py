"""Schedules while workers die."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.scenarios.harness import SUCCEEDED, Scene, until

EVERY_MS = 200


async def starts(scene: Scene, name: str) -> int:
    return (await scene.app.schedules.get(name)).started


async def settle(scene: Scene, name: str) -> list[str]:
    """Pause it, let everything end, and return what it has started, all of it, in the order of the slots."""
    await scene.app.schedules.pause(name)
    inspector = await scene.inspector()
    stored = await inspector.store.schedules.get(name)
    assert stored.last_slot is not None
    schedule = stored.schedule
    await until(scene.quiet, "all has ended")
    ran = {effect.task for effect in scene.effects.all("start")}
    ids = [schedule.id_of(stored.last_slot - number * EVERY_MS) for number in range(stored.started)][::-1]
    assert ran == set(ids), "a slot was left out, or something else was started"
    scene.note(*[scene.app.handle(task_id) for task_id in ids])
    return ids


async def create(scene: Scene, **options: Any) -> None:
    task: Any = scene.app.task_types["note"]
    await scene.app.schedules.create(
        "often", task.s(7), every=EVERY_MS / 1000, overlap="allow", missed="all", catch_up=1_000, **options
    )


@pytest.mark.scene(crash_budget=1_000)
async def test_every_slot_fires_once_whoever_is_killed(scene: Scene) -> None:
    await create(scene)
    workers = [await scene.worker(), await scene.worker()]
    for _ in range(4):
        before = await starts(scene, "often")
        await until(lambda before=before: _more(scene, before + 3), "it goes on")
        workers.pop(0).kill()
        workers.append(await scene.worker())
    ids = await settle(scene, "often")
    assert len(ids) > 12
    assert await scene.final([scene.app.handle(task_id) for task_id in ids]) == {SUCCEEDED: len(ids)}


async def _more(scene: Scene, count: int) -> bool:
    return await starts(scene, "often") >= count


async def test_slots_that_nobody_was_there_for_are_made_good_for(scene: Scene) -> None:
    await create(scene)
    await asyncio.sleep(2)
    await scene.worker()
    await until(lambda: _more(scene, 9), "what was missed is started")
    await settle(scene, "often")


async def test_two_workers_that_both_believe_to_be_the_one(scene: Scene) -> None:
    """One is stopped in the middle, the other takes over, and the first one goes on as if nothing had been."""
    await create(scene)
    workers = [await scene.worker(), await scene.worker()]
    for worker in workers * 2:
        worker.stop()
        before = await starts(scene, "often")
        await until(lambda before=before: _more(scene, before + 3), "the other one goes on")
        worker.cont()
    await settle(scene, "often")
