"""Workers that share a name or a process id: neither acts for the other."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from jobbers.worker.identity import identify
from tests.scenarios.harness import PATIENCE, SUCCEEDED, Scene, born, until


async def test_a_second_worker_of_one_name_gets_a_suffix_and_leaves_the_first_alone(scene: Scene) -> None:
    first = await scene.worker("--name", "twin")
    task = await scene.submit("nap", 4.0)
    await scene.started(task)
    await scene.roll(1)
    second = await scene.worker("--name", "twin")
    assert "a worker named twin is running: this one is twin-2" in second.said()
    roll = await scene.roll(2)
    assert {info.facts["name"] for info in roll} == {"twin", "twin-2"}
    assert len({info.id for info in roll}) == 2
    assert await task.result(PATIENCE) == f"{task.id} 1 {first.pid}"


async def test_when_one_of_two_namesakes_dies_only_its_own_tasks_run_again(scene: Scene) -> None:
    first = await scene.worker("--name", "twin", "--concurrency", "5", lease=30)
    tasks = await scene.map("nap", [4.0] * 10)
    await until(lambda: scene.effects.count("start") == 5, "the first is full")
    second = await scene.worker("--name", "twin", "--concurrency", "5", lease=30)
    await until(lambda: scene.effects.count("start") == 10, "the second is full")
    first.kill()
    third = await scene.worker("--name", "twin", "--concurrency", "20", lease=30)
    assert await scene.final(tasks) == {SUCCEEDED: 10}
    again = [effect for effect in scene.effects.all("start") if effect.attempt == 2]
    assert len(again) == 5
    assert {effect.pid for effect in again} <= {second.pid, third.pid}
    assert scene.effects.count("start") == 15


async def test_a_process_id_that_was_given_out_again_is_not_the_old_worker(scene: Scene) -> None:
    """As for process 1 of a container: the roll holds an earlier life with the id of a process that lives."""
    store = (await scene.inspector()).store
    facts = identify("old").facts()
    task = await scene.submit("note")
    (claimed,) = await store.tasks.claim(0, "old-1/nonce", await store.inspect.lanes(), 1, 60_000, 60_000)
    assert claimed.id == task.id
    await store.control.announce("old-1", {**facts, "born": "1"}, 60_000)
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED  # and not the minute of its lease


async def test_a_worker_that_lives_is_never_taken_for_dead(scene: Scene) -> None:
    """It may be stopped, or have lost its connection: only its lease says when its tasks are free."""
    store = (await scene.inspector()).store
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    try:
        task = await scene.submit("note")
        begun = time.monotonic()
        await store.tasks.claim(0, "alive-1/nonce", await store.inspect.lanes(), 1, 4_000, 60_000)
        facts = {**identify("alive").facts(), "pid": str(other.pid), "born": born(other.pid)}
        await store.control.announce("alive-1", facts, 60_000)
        await scene.worker()
        assert await task.wait(PATIENCE) is SUCCEEDED
        assert time.monotonic() - begun > 3.9
    finally:
        other.kill()
        await other.wait()


def test_two_lives_of_one_worker_never_share_an_id() -> None:
    assert os.getpid() == identify("one").pid == identify("one").pid
    assert identify("one").id != identify("one").id
