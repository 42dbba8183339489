"""A worker is told to end, in every way that systems have."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.harness import FAILED, PATIENCE, SUCCEEDED, Scene, until
from tests.scenarios.proxy import Fate


async def test_what_runs_may_finish_within_the_grace(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("nap", 3.0)
    await scene.started(task)
    worker.terminate()
    await worker.says("waiting up to 20 seconds for 1 running tasks")
    later = await scene.submit("note", queue="default")
    assert await worker.ended() == 0
    assert await task.result(PATIENCE) == f"{task.id} 1 {worker.pid}"
    assert scene.effects.count("start", later) == 0
    await scene.worker()
    assert await later.wait(PATIENCE) is SUCCEEDED


@pytest.mark.scene(grace=0.3)
async def test_each_type_has_its_way_when_the_grace_is_over(scene: Scene) -> None:
    worker = await scene.worker()
    back = await scene.submit("nap", 4.0)
    failed = await scene.submit("nap_or_fail", 4.0)
    finished = await scene.submit("nap_to_the_end", 1.5)
    await scene.started(back, failed, finished)
    worker.terminate()
    assert await worker.ended() == 0
    assert str(await back.status()) == "queued"
    assert (await back.record()).attempt == 0
    assert await failed.status() is FAILED
    assert (await failed.record()).reason == "its worker was shut down"
    assert await finished.result(PATIENCE) == f"{finished.id} 1 {worker.pid}"
    other = await scene.worker()
    assert await back.result(PATIENCE) == f"{back.id} 1 {other.pid}"
    assert (await back.record()).crashes == 0


async def test_a_second_signal_ends_at_once_and_puts_everything_back(scene: Scene) -> None:
    worker = await scene.worker()
    tasks = [await scene.submit(kind, 120.0) for kind in ("nap", "nap_to_the_end", "thread_nap")]
    busy = await scene.submit("busy", 120.0)
    await scene.started(*tasks, busy)
    await worker.told_to_end()
    await asyncio.sleep(0.5)
    assert worker.code is None
    worker.terminate()
    assert await worker.ended() == 0
    for task in (*tasks, busy):
        assert str(await task.status()) == "queued"
        assert (await task.record()).attempt == 0
    await _cancel(*tasks, busy)


async def test_told_to_end_in_the_middle_of_a_claim(scene: Scene) -> None:
    """What the claim takes is put back at once: nothing of it has begun."""
    proxy = scene.proxy()
    worker = await scene.worker(url=proxy.url)
    await asyncio.sleep(0.3)
    rule = proxy.script("claim", Fate.HELD)
    tasks = await scene.map("note", range(10))
    await until(lambda: rule.hits, "it claims")
    await worker.told_to_end()
    await asyncio.sleep(0.5)
    rule.let_go.set()
    assert await worker.ended() == 0
    for task in tasks:
        assert str(await task.status()) == "queued"
        assert (await task.record()).attempt == 0
    assert scene.effects.count("start") == 0
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: 10}


async def test_killed_in_the_middle_of_its_shutdown(scene: Scene) -> None:
    worker = await scene.worker()
    tasks = await scene.map("nap", [2.0] * 10)
    await scene.started(*tasks)
    await worker.told_to_end()
    await asyncio.sleep(0.1)
    worker.kill()
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: 10}


@pytest.mark.scene(grace=0.2)
async def test_a_task_that_answers_its_end_with_an_error_uses_no_attempt(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("bad_loser")
    await scene.started(task)
    worker.terminate()
    assert await worker.ended() == 0
    assert str(await task.status()) == "queued"
    assert (await task.record()).attempt == 0
    await _cancel(task)


@pytest.mark.scene(grace=0.2)
async def test_a_thread_that_cannot_be_ended_does_not_keep_the_worker(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("thread_hang", 120.0)
    await scene.started(task)
    worker.terminate()
    assert await worker.ended() == 0
    assert str(await task.status()) == "queued"
    await _cancel(task)


@pytest.mark.scene(grace=0.2)
async def test_a_task_that_cannot_be_ended_does_not_keep_the_worker_for_ever(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("stubborn", 120.0)
    await scene.started(task)
    await worker.told_to_end()
    await asyncio.sleep(0.5)
    worker.terminate()
    await worker.ended()
    await scene.worker()
    await scene.started(task, times=2)
    await _cancel(task)


@pytest.mark.scene(server=["--appendfsync", "always"])
async def test_told_to_end_while_the_server_is_away(scene: Scene) -> None:
    """Completions that cannot be written are waited for; a second signal gives them up."""
    worker = await scene.worker()
    task = await scene.submit("nap", 0.5)
    await scene.started(task)
    scene.server.kill()
    await until(lambda: scene.effects.count("end"), "it is done")
    await worker.told_to_end()
    await asyncio.sleep(1.0)
    assert worker.code is None
    worker.terminate()
    assert await worker.ended() == 0
    scene.server.start()
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED


async def _cancel(*tasks: object) -> None:
    for task in tasks:
        await task.cancel()  # type: ignore[attr-defined]
