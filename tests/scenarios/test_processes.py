"""Functions that run in processes of their own: killed when they must end, replaced when they die."""

from __future__ import annotations

import os

import pytest

from tests.scenarios.harness import CANCELLED, FAILED, PATIENCE, SUCCEEDED, Scene, lives, until


async def test_a_timeout_kills_the_process(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("busy_timed", 120.0)
    assert await task.wait(PATIENCE) is FAILED
    (error,) = (await task.record()).errors
    assert error.type == "TimedOut"
    (started,) = scene.effects.all("start")
    assert started.pid != worker.pid
    await until(lambda: not lives(started.pid), "the process is gone")
    last = await scene.submit("busy", 0.1)
    assert await last.wait(PATIENCE) is SUCCEEDED


async def test_a_cancellation_kills_the_process(scene: Scene) -> None:
    await scene.worker()
    task = await scene.submit("busy", 120.0)
    await scene.started(task)
    (started,) = scene.effects.all("start")
    await task.cancel()
    await until(lambda: not lives(started.pid), "the process is gone")
    assert await task.status() is CANCELLED
    last = await scene.submit("busy", 0.1)
    assert await last.wait(PATIENCE) is SUCCEEDED


async def test_the_pool_survives_the_crash_of_a_process(scene: Scene) -> None:
    worker = await scene.worker("--cpu-processes", "3")
    before = [await scene.submit("busy", 1.0) for _ in range(2)]
    await scene.started(*before)
    crashes = [await scene.submit("crash") for _ in range(3)]
    after = [await scene.submit("busy", 0.1) for _ in range(6)]
    assert await scene.final([*before, *crashes, *after]) == {SUCCEEDED: 11}
    assert worker.code is None
    for task in crashes:
        record = await task.record()
        assert [error.type for error in record.errors] == ["ProcessDied"]
        assert (record.attempt, record.crashes) == (2, 0)  # an attempt, for the worker lives
    assert {scene.effects.count("start", task) for task in (*before, *after)} == {1}


async def test_no_more_processes_than_asked_for(scene: Scene) -> None:
    await scene.worker("--cpu-processes", "2")
    tasks = [await scene.submit("busy", 0.4) for _ in range(6)]
    assert await scene.final(tasks) == {SUCCEEDED: 6}
    assert len({effect.pid for effect in scene.effects.all()}) == 2
    running = highest = 0
    for effect in scene.effects.all():
        running += 1 if effect.kind == "start" else -1
        highest = max(highest, running)
    assert highest == 2


async def test_signals_to_the_whole_group_do_not_end_them(scene: Scene) -> None:
    """As Ctrl-C and systemd do it: the worker decides what ends, and what is within its grace may finish."""
    worker = await scene.worker()
    task = await scene.submit("busy", 1.5)
    await scene.started(task)
    os.killpg(worker.pid, 15)
    assert await worker.ended() == 0
    assert await task.result(PATIENCE) != str(worker.pid)
    assert scene.effects.count("start") == 1


@pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux ends processes with their parent")
async def test_they_end_with_a_worker_that_is_killed(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("busy", 4.0)
    await scene.started(task)
    (started,) = scene.effects.all("start")
    worker.kill()
    await until(lambda: not lives(started.pid), "the process is gone")
    assert not scene.effects.count("end"), "it went on to its end"
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert scene.effects.count("end") == 1
