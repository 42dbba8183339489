"""Runs of several tasks, while workers and the server die, connections break, and zombies come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from jobbers import RunHandle, Status, chain, group
from tests.scenarios.harness import CANCELLED, SUCCEEDED, Scene, until
from tests.scenarios.proxy import Fate


async def diamond(scene: Scene, seconds: float = 0.05) -> RunHandle:
    """One, three beside each other, and one that joins them."""
    nap, note = scene.app.task_types["nap"], scene.app.task_types["note"]
    dag = scene.app.dag(f"diamond-{len(scene.app.dags)}")
    first = dag.node(nap, seconds)
    middle = [dag.node(nap, seconds).after(first) for _ in range(3)]
    dag.node(note, middle).named("join")
    run = await dag.submit()
    scene.note(run)
    return run


async def nodes(run: RunHandle) -> dict[str, Any]:
    return {node.name: node for node in await run.nodes()}


def starts(scene: Scene, task_id: str) -> list[int]:
    """The attempts in which a task was started."""
    return [effect.attempt for effect in scene.effects.all("start", task_id)]


@pytest.mark.scene(lease=1.0, crash_budget=50)
async def test_every_join_is_made_once_whoever_dies(scene: Scene) -> None:
    fleet = [await scene.worker("--concurrency", "10") for _ in range(3)]
    runs = [await diamond(scene) for _ in range(60)]
    for _ in range(4):
        fleet.pop(0).kill()
        fleet.append(await scene.worker("--concurrency", "10"))
        await asyncio.sleep(0.3)
    assert await scene.final(runs, 40) == {SUCCEEDED: 60}
    for run in runs:
        found = await nodes(run)
        assert Counter(node.status for node in found.values()) == {Status.SUCCEEDED: 5}
        ends = scene.effects.all("end")
        begun = min(effect.at for effect in scene.effects.all("start", found["join"].id))
        parts = {node.id for name, node in found.items() if name != "join"}
        first_ends = {}
        for effect in ends:
            if effect.task in parts:
                first_ends.setdefault(effect.task, effect.at)
        assert len(first_ends) == 4
        assert max(first_ends.values()) <= begun


@pytest.mark.scene(lease=1.0, crash_budget=50)
async def test_every_item_of_a_map_counts_once_whoever_dies(scene: Scene) -> None:
    fleet = [await scene.worker("--concurrency", "10") for _ in range(3)]
    nap, note = scene.app.task_types["nap"], scene.app.task_types["note"]
    dag = scene.app.dag("map")
    naps = dag.map(nap, [0.02 + number % 5 / 50 for number in range(400)]).at_a_time(50)
    dag.node(note, "join").after(naps).named("join")
    run = await dag.submit()
    scene.note(run)
    for _ in range(4):
        await asyncio.sleep(0.4)
        fleet.pop(0).kill()
        fleet.append(await scene.worker("--concurrency", "10"))
    assert await scene.final([run], 40) == {SUCCEEDED: 1}
    found = await nodes(run)
    assert found["nap"].items == (400, 400, 0)
    assert starts(scene, found["join"].id)
    begun = min(effect.at for effect in scene.effects.all("start", found["join"].id))
    ended: dict[str, float] = {}
    for effect in scene.effects.all("end"):
        ended.setdefault(effect.task, effect.at)
    assert len(ended) == 400
    assert max(ended.values()) <= begun


@pytest.mark.scene(lease=1.0, crash_budget=50)
async def test_what_follows_in_place_is_run_by_another_when_its_worker_dies(scene: Scene) -> None:
    fleet = [await scene.worker("--concurrency", "10") for _ in range(2)]
    nap = scene.app.task_types["nap"]
    dag = scene.app.dag("line")
    node = dag.node(nap, 0.05)
    for _ in range(9):
        node = dag.node(nap, 0.05).after(node).inline()
    runs = [await dag.submit() for _ in range(20)]
    scene.note(*runs)
    for _ in range(3):
        await asyncio.sleep(0.3)
        fleet.pop(0).kill()
        fleet.append(await scene.worker("--concurrency", "10"))
    assert await scene.final(runs, 40) == {SUCCEEDED: 20}
    for run in runs:
        found = await run.nodes()
        assert {node.status for node in found} == {Status.SUCCEEDED}
        begun = [min(effect.at for effect in scene.effects.all("start", node.id)) for node in found]
        assert begun == sorted(begun)


async def test_a_zombie_does_not_move_its_run_on_again(scene: Scene) -> None:
    first = await scene.worker(lease=1.0)
    run = await diamond(scene, 1.5)
    root = (await nodes(run))["nap"]
    await scene.started(scene.app.handle(root.id))
    first.stop()
    await scene.worker(lease=1.0)
    await until(lambda: len(starts(scene, root.id)) == 2, "another has begun it")
    await until(lambda: scene.effects.count("end", root.id), "and ended it")
    first.cont()
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert starts(scene, (await nodes(run))["join"].id) == [1]


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNANSWERED])
async def test_a_completion_whose_answer_is_lost_counts_once(scene: Scene, fate: Fate) -> None:
    proxy = scene.proxy()
    rule = proxy.script("succeed", fate, times=4)
    await scene.worker(url=proxy.url)
    run = await diamond(scene)
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert rule.hits >= 3
    for node in await run.nodes():
        assert starts(scene, node.id) == [1], node.name


async def test_cancelled_nothing_starts_and_what_runs_is_told(scene: Scene) -> None:
    worker = await scene.worker()
    run = await diamond(scene, 120.0)
    root = (await nodes(run))["nap"]
    await scene.started(scene.app.handle(root.id))
    assert await run.cancel()
    await until(lambda: scene.effects.count("cancelled", root.id), "the running one is told")
    assert await scene.final([run]) == {CANCELLED: 1}
    assert {node.status for node in await run.nodes()} == {Status.CANCELLED}
    await asyncio.sleep(0.5)
    assert scene.effects.count("start") == 1
    assert worker.code is None


@pytest.mark.scene(server=["--appendfsync", "always"])
async def test_the_server_dies_in_the_middle(scene: Scene) -> None:
    await scene.worker("--concurrency", "20")
    runs = [await diamond(scene, 0.2) for _ in range(20)]
    await asyncio.sleep(0.3)
    scene.server.kill()
    await asyncio.sleep(0.5)
    scene.server.start()
    assert await scene.final(runs) == {SUCCEEDED: 20}


async def test_a_long_chain_and_a_wide_group(scene: Scene) -> None:
    note = scene.app.task_types["note"]
    await scene.worker()
    await scene.worker()
    long = await chain(*[note.s() if place else note.s("begin") for place in range(100)]).submit()
    wide = await group(*[note.s(place) for place in range(300)]).then(note.s()).submit()
    scene.note(long, wide)
    assert await scene.final([long, wide]) == {SUCCEEDED: 2}
    assert scene.effects.count("start") == 401
