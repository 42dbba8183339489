"""Heartbeats: where a task is, whether it is well, and what they cost."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime

import pytest

from jobbers.store import scripts
from jobbers.store.tasks import MAX_BATCH
from tests.scenarios.harness import FAILED, PATIENCE, STALL, SUCCEEDED, Scene, until


@pytest.mark.scene(lease=2.0)
async def test_the_record_says_where_a_task_was_last_and_when(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("walk", 60, 0.1)
    await until(lambda: _step(scene, task.id), "a step is shown")
    record = await task.record()
    assert record.step is not None
    assert record.step.startswith("step ")
    assert record.progress is not None
    assert record.heartbeat is not None
    assert abs((datetime.now(UTC) - record.heartbeat).total_seconds()) < STALL
    assert record.worker is not None
    worker.kill()

    async def lease_has_ended() -> bool:
        return (await task.record()).liveness == "stalled"

    await until(lease_has_ended, "the task is shown as stalled")
    stalled = await task.record()
    assert stalled.step is not None
    assert stalled.heartbeat is not None
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED


@pytest.mark.parametrize("kind", ["thread_nap"])
async def test_plain_functions_are_shown_too(scene: Scene, kind: str) -> None:
    await scene.worker()
    task = await scene.submit(kind, 2.0)
    await until(lambda: _step(scene, task.id), "a step is shown")
    assert (await task.record()).step == "napping"
    assert await task.wait(PATIENCE) is SUCCEEDED


async def test_functions_in_processes_are_shown_too(scene: Scene) -> None:
    await scene.worker()
    task = await scene.submit("busy_walk", 2.0)
    await until(lambda: _step(scene, task.id), "a step is shown")
    assert (await task.record()).step == "busy"
    assert await task.wait(PATIENCE) is SUCCEEDED


@pytest.mark.scene(lease=2.0)
async def test_running_slow_and_stalled_are_told_apart(scene: Scene) -> None:
    """``slow_walk`` counts as slow after 0.8 seconds and promises a heartbeat every 2.5."""
    worker = await scene.worker(heartbeat_interval=0.2)
    task = await scene.submit("slow_walk", 60, 0.1)

    async def is_(liveness: str) -> bool:
        return (await task.record()).liveness == liveness

    await until(lambda: is_("running"), "it runs")
    await until(lambda: is_("slow"), "it is slow")
    worker.stop()
    await until(lambda: is_("stalled"), "it is stalled")
    worker.cont()
    await until(lambda: is_("slow"), "it goes on")
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert (await task.record()).liveness is None


@pytest.mark.scene(heartbeat_interval=0.2)
async def test_a_missed_heartbeat_ends_the_attempt_and_retries_it(scene: Scene) -> None:
    await scene.worker()
    task = await scene.submit("silent_first")
    assert await task.result(PATIENCE) == "heard"
    assert [effect.attempt for effect in scene.effects.all("start")] == [1, 2]
    (error,) = (await task.record()).errors
    assert error.type == "HeartbeatMissed"
    assert "no heartbeat for more than 3 seconds" in error.message
    assert scene.effects.count("end") == 1


@pytest.mark.scene(heartbeat_interval=0.2)
async def test_a_task_that_stays_silent_fails_in_the_end(scene: Scene) -> None:
    await scene.worker()
    task = await scene.submit("silent", 30.0)
    assert await task.wait(PATIENCE) is FAILED
    assert [error.type for error in (await task.record()).errors] == ["HeartbeatMissed"] * 3


@pytest.mark.scene(heartbeat_interval=0.2)
async def test_a_new_attempt_does_not_start_as_stalled(scene: Scene) -> None:
    """What the attempt before it promised does not count against it."""
    await scene.worker(heartbeat_interval=0.2)
    task = await scene.submit("silent_first")
    await scene.started(task, times=2)
    assert (await task.record()).liveness == "running"
    assert await task.wait(PATIENCE) is SUCCEEDED


@pytest.mark.scene(lease=6.0)
async def test_thousands_of_tasks_that_beat_cost_a_call_per_batch(scene: Scene) -> None:
    number, seconds = 2_000, 3.0
    await scene.worker("--concurrency", str(number))
    tasks = await scene.map("walk_long", [6.0] * number)
    await until(lambda: scene.effects.count("start") == number, "all run")
    await asyncio.sleep(0.5)
    calls = await _count_calls(scene, seconds)
    intervals = math.ceil(seconds / (scene.app.settings.heartbeat_interval * 0.7)) + 1
    batches = math.ceil(number / MAX_BATCH)
    assert 0 < calls["beat"] <= intervals * batches
    assert 0 < calls["renew"] <= math.ceil(seconds / (scene.settings["lease"] / 3 * 0.8) + 1) * batches
    assert await scene.final(tasks) == {SUCCEEDED: number}


async def _count_calls(scene: Scene, seconds: float) -> dict[str, int]:
    """How often each script was called in these seconds, as the server saw it."""
    names = {sha.decode(): name for sha, name in scripts.names_by_sha().items()}
    counts = dict.fromkeys(scripts.NAMES, 0)
    end = asyncio.get_running_loop().time() + seconds

    def watch() -> None:
        with scene.server.client() as client, client.monitor() as monitor:
            monitor.connection._sock.settimeout(seconds)
            while asyncio_time() < end:
                try:
                    command = monitor.next_command()["command"].split()
                except Exception:
                    return
                if command[0].upper() == "EVALSHA" and command[1] in names:
                    counts[names[command[1]]] += 1

    asyncio_time = asyncio.get_running_loop().time
    await asyncio.to_thread(watch)
    return counts


async def _step(scene: Scene, task_id: str) -> bool:
    return bool((await scene.app.handle(task_id).record()).step)
