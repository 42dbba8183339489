"""A worker stands still for longer than its lease and then goes on as if nothing had been."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.harness import PATIENCE, SUCCEEDED, Scene, until


@pytest.mark.scene(lease=2.0)
async def test_a_zombie_ends_its_task_at_the_first_refusal(scene: Scene) -> None:
    zombie = await scene.worker()
    task = await scene.submit("nap", 120.0)
    quick = await scene.submit("nap", 4.0)
    await scene.started(task, quick)
    zombie.stop()
    other = await scene.worker()
    await scene.started(task, quick, times=2)
    zombie.cont()
    assert await quick.result(PATIENCE) == f"{quick.id} 2 {other.pid}"

    def gave_up() -> bool:
        return any(effect.pid == zombie.pid for effect in scene.effects.all("cancelled", task))

    await until(gave_up, "the zombie has cancelled its task")
    assert not any(effect.pid == other.pid for effect in scene.effects.all("cancelled", task))
    await task.cancel()
    await until(lambda: scene.effects.count("cancelled", task) == 2, "the owner has cancelled it too")


@pytest.mark.scene(lease=2.0)
async def test_a_late_completion_is_refused(scene: Scene) -> None:
    zombie = await scene.worker()
    task = await scene.submit("nap", 2.0)
    await scene.started(task)
    zombie.stop()
    other = await scene.worker()
    assert await task.result(PATIENCE) == f"{task.id} 2 {other.pid}"
    zombie.cont()
    last = await scene.submit("note", queue="heavy")
    await last.wait(PATIENCE)
    await asyncio.sleep(1.0)
    assert await task.result(PATIENCE) == f"{task.id} 2 {other.pid}"
    assert zombie.code is None


@pytest.mark.scene(lease=2.0)
async def test_a_zombie_goes_on_serving(scene: Scene) -> None:
    zombie = await scene.worker()
    lost = await scene.submit("nap", 2.0)
    await scene.started(lost)
    zombie.stop()
    other = await scene.worker()
    await lost.wait(PATIENCE)
    zombie.cont()
    other.terminate()
    await other.ended()
    tasks = await scene.map("note", range(50))
    assert await scene.final(tasks) == {SUCCEEDED: 50}
    assert {effect.pid for effect in scene.effects.all("start") if effect.task != lost.id} == {zombie.pid}


@pytest.mark.scene(lease=1.0)
async def test_a_worker_alone_that_stood_still(scene: Scene) -> None:
    """Nobody took its tasks meanwhile: it keeps them, or takes them back from itself, whichever it does first."""
    worker = await scene.worker()
    tasks = await scene.map("nap", [3.5] * 5)
    await scene.started(*tasks)
    worker.stop()
    await asyncio.sleep(2.0)
    worker.cont()
    assert await scene.final(tasks) == {SUCCEEDED: 5}
    assert scene.effects.count("start") <= 10


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.scene(lease=0.5, crash_budget=1000)
async def test_workers_stopped_and_continued_again_and_again(scene: Scene) -> None:
    fleet = [await scene.worker("--concurrency", "10") for _ in range(3)]
    tasks = await scene.map("nap", [0.1 + 0.01 * (number % 50) for number in range(300)])
    for number in range(16):
        sleeper = fleet[number % 3]
        sleeper.stop()
        await asyncio.sleep(0.75)
        sleeper.cont()
    assert await scene.final(tasks, 40) == {SUCCEEDED: 300}
    results = [await task.result() for task in tasks]
    ended = {(effect.task, effect.attempt, effect.pid) for effect in scene.effects.all("end")}
    assert {tuple(result.split()) for result in results} <= {
        (task, str(attempt), str(pid)) for task, attempt, pid in ended
    }


@pytest.mark.scene(lease=10.0)
@pytest.mark.parametrize(("kind", "arguments"), [("walk", (40, 0.1)), ("nap", (4.0,))])
async def test_two_executions_of_one_task_in_one_worker_are_told_apart(
    scene: Scene, kind: str, arguments: tuple[float, ...]
) -> None:
    """Somebody takes tasks back from a worker that lives, and it claims them again: it ends the old executions only."""
    await scene.worker()
    tasks = [await scene.submit(kind, *arguments) for _ in range(5)]
    await scene.started(*tasks)
    store = (await scene.inspector()).store
    (info,) = await scene.roll(1)
    for _ in range(2):
        await asyncio.sleep(0.9)
        assert len(await store.upkeep.reclaim_owner(0, info.id, 9, 60_000, crashed=False)) == 5
    await scene.started(*tasks, times=3)
    assert await scene.final(tasks) == {SUCCEEDED: 5}
    assert scene.effects.count("start") == 15
    assert scene.effects.count("end") == 5
