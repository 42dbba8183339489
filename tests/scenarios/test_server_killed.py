"""The server is killed and comes back with its data.

It writes out every command before it answers: with ``appendfsync everysec`` Redis puts that off for up to two seconds while
the disk is busy, and what was answered meanwhile would be lost with it.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from jobbers import JobbersError, TaskHandle, new_id
from tests.scenarios.harness import PATIENCE, STALL, SUCCEEDED, Scene, until
from tests.scenarios.proxy import Fate

pytestmark = pytest.mark.scene(server=["--appendfsync", "always"])


async def test_workers_go_on_by_themselves_when_it_is_back(scene: Scene) -> None:
    fleet = [await scene.worker(), await scene.worker()]
    before = await scene.map("note", range(20))
    await scene.final(before)
    scene.server.kill()
    await asyncio.sleep(2.5)
    scene.server.start()
    back = time.monotonic()
    after = await scene.map("note", range(20))
    assert await scene.final(after) == {SUCCEEDED: 20}
    first = min(
        effect.at for effect in scene.effects.all("start") if effect.task in {task.id for task in after}
    )
    assert first - back < 5.0 + STALL
    assert [worker.code for worker in fleet] == [None, None]


@pytest.mark.scene(lease=10.0)
async def test_tasks_that_run_meanwhile_are_not_disturbed(scene: Scene) -> None:
    await scene.worker("--concurrency", "50")
    ends_meanwhile = await scene.map("nap", [1.0] * 20)
    ends_later = await scene.map("nap", [4.0] * 20)
    await scene.started(*ends_meanwhile, *ends_later)
    scene.server.kill()
    await asyncio.sleep(2.0)
    scene.server.start()
    assert await scene.final([*ends_meanwhile, *ends_later]) == {SUCCEEDED: 40}
    assert scene.effects.count("start") == 40


@pytest.mark.scene(lease=1.0)
async def test_away_for_longer_than_the_lease(scene: Scene) -> None:
    """A worker that cannot renew ends its tasks by its own clock: when the server is back, they run again."""
    worker = await scene.worker()
    task = await scene.submit("nap", 6.0)
    await scene.started(task)
    scene.server.kill()
    await until(lambda: scene.effects.count("cancelled"), "the worker has fenced itself")
    scene.server.start()
    assert await task.result(PATIENCE) == f"{task.id} 2 {worker.pid}"
    assert [effect.kind for effect in scene.effects.all()] == ["start", "cancelled", "start", "end"]


async def test_what_was_acknowledged_is_done(scene: Scene) -> None:
    """Submitters know of every task whether it was accepted; those that do not, submit it again under its id."""
    fleet = [await scene.worker("--concurrency", "20") for _ in range(2)]
    stop = asyncio.Event()
    resubmitted = 0

    async def submitter() -> None:
        nonlocal resubmitted
        while not stop.is_set():
            task_id = new_id()
            while True:
                try:
                    handle: TaskHandle[object] = await scene.submit("nap", 0.01, id=task_id)
                    assert handle.id == task_id
                    break
                except JobbersError:
                    resubmitted += 1
            await asyncio.sleep(0.005)

    submitters = [asyncio.create_task(submitter()) for _ in range(8)]
    for _ in range(3):
        await asyncio.sleep(0.7)
        scene.server.kill()
        await asyncio.sleep(0.4)
        scene.server.start()
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*submitters)
    assert len(scene.ids) > 300
    await until(scene.quiet, "all are done")
    assert [worker.code for worker in fleet] == [None, None]


async def test_a_server_that_still_loads_its_data_is_waited_for(scene: Scene) -> None:
    """It answers some commands and not others then: nobody may take that for the truth."""
    proxy = scene.proxy()
    worker = await scene.worker(url=proxy.url)
    task = await scene.submit("nap", 2.0)
    await scene.started(task)
    loading = "-LOADING server is loading the dataset in memory\r\n"
    answers = [
        proxy.command(word, fate=Fate.ANSWERED, times=2, text=loading)
        for word in ("ZRANGE", "HGETALL", "SCAN", "EVALSHA", "EXISTS", "XREADGROUP")
    ]
    await until(
        lambda: all(rule.hits for rule in answers if rule.words[0] != b"EXISTS"), "it has met the answers"
    )
    async with scene.app_by(proxy.url) as app:
        rule = proxy.command("HMGET", fate=Fate.ANSWERED, times=3, text=loading)
        assert await app.handle(task.id).result(PATIENCE) == f"{task.id} 1 {worker.pid}"
        assert rule.hits
    assert worker.code is None
