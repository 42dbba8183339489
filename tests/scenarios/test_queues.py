"""What a worker takes: in which order, how much, and nothing from a paused queue."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.harness import STALL, SUCCEEDED, Scene, until


async def test_a_queue_is_paused_and_resumed_live(scene: Scene) -> None:
    await scene.worker("--concurrency", "4")
    inspector = await scene.inspector()
    before = await scene.map("nap", [0.3] * 4)
    await scene.started(*before)
    await inspector.pause("default")
    halted = await scene.map("note", range(10))
    other = await scene.submit("note", queue="heavy")
    assert await scene.final([*before, other]) == {SUCCEEDED: 5}  # what runs goes on, and so do other queues
    await asyncio.sleep(1.0)
    assert {str(await task.status()) for task in halted} == {"queued"}
    await inspector.resume("default")
    await until(lambda: scene.effects.count("start", halted[-1]), "it goes on", STALL * 2)
    assert await scene.final(halted) == {SUCCEEDED: 10}


async def test_a_paused_queue_costs_no_busy_loop(scene: Scene) -> None:
    await scene.worker("--concurrency", "4")
    await (await scene.inspector()).pause("default")
    await scene.map("note", range(50))
    await asyncio.sleep(0.5)
    with scene.server.client() as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await asyncio.sleep(3.0)
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert calls < 30  # upkeep's own among them
    await (await scene.inspector()).resume("default")
    await until(scene.quiet, "all are done")


async def test_higher_priorities_come_first_and_none_starves(scene: Scene) -> None:
    await (await scene.inspector()).pause("default")
    low = await scene.map("note", ["low"] * 40, priority=0)
    middle = await scene.map("note", ["middle"] * 40)
    high = await scene.map("note", ["high"] * 40, priority=9)
    await scene.worker("--concurrency", "1")
    await asyncio.sleep(0.3)
    await (await scene.inspector()).resume("default")
    assert await scene.final([*low, *middle, *high]) == {SUCCEEDED: 120}
    order = [effect.note for effect in scene.effects.all("start")]
    first_forty = order[:44]
    assert first_forty.count("high") >= 38
    assert 3 <= first_forty.count("low") <= 6  # one claim in ten begins at the lowest
    assert first_forty.count("middle") <= 2
    assert [effect.task for effect in scene.effects.all("start") if effect.note == "high"] == [
        t.id for t in high
    ]


async def test_first_in_first_out_within_a_lane(scene: Scene) -> None:
    tasks = [await scene.submit("note", number) for number in range(100)]
    await scene.worker("--concurrency", "1")
    assert await scene.final(tasks) == {SUCCEEDED: 100}
    assert [effect.note for effect in scene.effects.all("start")] == list(range(100))


@pytest.mark.parametrize("concurrency", [1, 3, 10])
async def test_a_worker_never_holds_more_than_it_can_run(scene: Scene, concurrency: int) -> None:
    tasks = await scene.map("nap", [0.15] * concurrency * 8)
    await scene.worker("--concurrency", str(concurrency))
    highest = 0
    with scene.server.client() as client:
        while not await scene.quiet():
            highest = max(highest, int(client.zcard(f"{scene.prefix}:leases")))
            await asyncio.sleep(0.003)
    assert await scene.final(tasks) == {SUCCEEDED: concurrency * 8}
    assert 0 < highest <= concurrency
    running = most = 0
    for effect in scene.effects.all():
        running += 1 if effect.kind == "start" else -1
        most = max(most, running)
    assert most == concurrency
