"""A task is cancelled while it runs, also when nobody hears it being said."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.scenarios.harness import CANCELLED, PATIENCE, STALL, SUCCEEDED, Scene, lives, until

HEARD_SECONDS = 2.0 + STALL


@pytest.mark.scene(lease=60.0)  # whoever hears of it by its lease hears of it in twenty seconds
@pytest.mark.parametrize("kind", ["nap", "thread_nap", "busy"])
async def test_a_running_task_ends_at_once(scene: Scene, kind: str) -> None:
    worker = await scene.worker()
    task = await scene.submit(kind, 120.0)
    neighbour = await scene.submit(kind, 0.8)
    await scene.started(task, neighbour)
    assert await task.cancel() is True
    assert await task.status() is CANCELLED
    (started,) = scene.effects.all("start", task)

    def ended() -> bool:
        return not lives(started.pid) if kind == "busy" else bool(scene.effects.count("cancelled", task))

    await until(ended, "its function has been ended", STALL)
    assert await neighbour.wait(PATIENCE) is SUCCEEDED
    assert not scene.effects.all("end", task)
    assert worker.code is None


@pytest.mark.scene(lease=60.0)
async def test_it_is_heard_within_two_seconds_without_pubsub(scene: Scene) -> None:
    await scene.worker()
    with scene.server.client() as client:
        deaf = True

        async def kill_subscriptions() -> None:
            while deaf:
                client.client_kill_filter(_type="pubsub")
                await asyncio.sleep(0.01)

        killer = asyncio.create_task(kill_subscriptions())
        try:
            await asyncio.sleep(1.0)
            for wait in (0.0, 0.3, 0.9):
                tasks = [await scene.submit("nap", 120.0) for _ in range(4)]
                await scene.started(*tasks)
                await asyncio.sleep(wait)
                cancelled = time.monotonic()
                for task in tasks:
                    await task.cancel()
                await scene.noted("cancelled", *tasks)
                heard = max(effect.at for task in tasks for effect in scene.effects.all("cancelled", task))
                assert heard - cancelled < HEARD_SECONDS
        finally:
            deaf = False
            await killer


async def test_a_cancelled_task_is_never_started(scene: Scene) -> None:
    queued = await scene.map("note", range(5))
    scheduled = await scene.map("note", range(5), delay=1.0)
    for task in (*queued, *scheduled):
        assert await task.cancel() is True
        assert await task.cancel() is False
    await scene.worker()
    last = await scene.submit("note", delay=1.0)
    assert await last.wait(PATIENCE) is SUCCEEDED
    assert scene.effects.count("start") == 1


async def test_a_result_that_comes_after_the_cancellation_is_refused(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("stubborn", 1.0)
    await scene.started(task)
    assert await task.cancel() is True
    await until(lambda: scene.effects.count("end", task), "it has ended all the same")
    await asyncio.sleep(0.3)
    assert await task.status() is CANCELLED
    assert worker.code is None
