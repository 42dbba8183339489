"""A worker is killed, at every point of a task's way through it."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.harness import PATIENCE, RECOVERY_SECONDS, SUCCEEDED, Scene, until
from tests.scenarios.proxy import Fate


@pytest.mark.scene(lease=2.0)
async def test_its_task_runs_again_elsewhere_and_completes_once(scene: Scene) -> None:
    fleet = [await scene.worker(), await scene.worker()]
    task = await scene.submit("nap", 4.0)
    await scene.started(task)
    (begun,) = scene.effects.all("start", task)
    first, other = fleet if begun.pid == fleet[0].pid else fleet[::-1]
    killed = first.kill()
    assert await scene.final([task]) == {SUCCEEDED: 1}

    one, two = scene.effects.all("start", task)
    assert (one.attempt, one.pid) == (1, first.pid)
    assert (two.attempt, two.pid) == (2, other.pid)
    assert two.at - killed < RECOVERY_SECONDS
    assert await task.result() == f"{task.id} 2 {other.pid}"
    assert (await task.record()).crashes == 1


async def test_a_worker_started_on_the_same_machine_takes_its_tasks_at_once(scene: Scene) -> None:
    first = await scene.worker("--concurrency", "20", lease=60)
    tasks = await scene.map("nap", [2.0] * 20)
    await scene.started(*tasks)
    first.kill()
    second = await scene.worker("--concurrency", "20", lease=60)
    assert await scene.final(tasks) == {SUCCEEDED: 20}  # and not the minute of their lease
    again = [effect for effect in scene.effects.all("start") if effect.pid == second.pid]
    assert len(again) == 20


async def test_a_living_worker_keeps_its_tasks_when_another_starts(scene: Scene) -> None:
    first = await scene.worker()
    task = await scene.submit("nap", 4.0)
    await scene.started(task)
    await scene.worker()
    assert await task.result(PATIENCE) == f"{task.id} 1 {first.pid}"
    assert scene.effects.count("start") == 1


async def test_killed_while_the_answer_to_its_claim_is_under_way(scene: Scene) -> None:
    proxy = scene.proxy()
    first = await scene.worker(url=proxy.url)
    await asyncio.sleep(0.3)  # it found nothing and waits now
    proxy.script("claim", Fate.MUTE)
    task = await scene.submit("note")
    await until(lambda: scene.stands(task, "running"), "the claim is applied")
    first.kill()
    other = await scene.worker()
    assert await task.result(PATIENCE) == f"{task.id} 2 {other.pid}"
    assert scene.effects.count("start") == 1


async def test_killed_after_the_effect_and_before_the_completion(scene: Scene) -> None:
    proxy = scene.proxy()
    rule = proxy.script("succeed", Fate.SWALLOWED)
    first = await scene.worker(url=proxy.url)
    task = await scene.submit("note")
    await until(lambda: rule.hits, "the completion is sent")
    first.kill()
    other = await scene.worker()
    assert await task.result(PATIENCE) == f"{task.id} 2 {other.pid}"
    assert [effect.attempt for effect in scene.effects.all("start")] == [1, 2]


@pytest.mark.scene(lease=2.0)
async def test_killed_after_the_completion_was_applied(scene: Scene) -> None:
    proxy = scene.proxy()
    proxy.script("succeed", Fate.MUTE)
    first = await scene.worker(url=proxy.url)
    task = await scene.submit("note")
    assert await task.result(PATIENCE) == f"{task.id} 1 {first.pid}"
    first.kill()
    await scene.worker()
    await asyncio.sleep(scene.settings["lease"] + 1.5)
    assert scene.effects.count("start") == 1


async def test_killed_before_its_retry_is_due(scene: Scene) -> None:
    first = await scene.worker()
    task = await scene.submit("flaky", 1)
    await until(lambda: scene.stands(task, "scheduled", "queued", "succeeded"), "the first attempt failed")
    first.kill()
    await scene.worker()
    assert await task.result(PATIENCE) == "at last"
    assert scene.effects.count("start") <= 3


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.scene(lease=1.0, crash_budget=50)
async def test_workers_killed_again_and_again_under_load(scene: Scene) -> None:
    fleet = [await scene.worker("--concurrency", "10") for _ in range(3)]
    tasks = await scene.map("nap", [0.02 + 0.002 * (number % 50) for number in range(1500)])
    for done in range(100, 1300, 300):
        await until(lambda done=done: scene.effects.count("end") >= done, f"{done} are done")
        fleet.pop(0).kill()
        fleet.append(await scene.worker("--concurrency", "10"))
    assert await scene.final(tasks) == {SUCCEEDED: 1500}
    assert scene.effects.count("end") >= 1500
