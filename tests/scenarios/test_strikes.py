"""Operators strike tasks while workers are at it."""

from __future__ import annotations

import asyncio
import time

from jobbers import new_id
from jobbers.core.strike import Strike
from tests.scenarios.harness import CANCELLED, PATIENCE, STALL, SUCCEEDED, Scene, until


async def test_a_strike_stops_a_backlog_within_a_second(scene: Scene) -> None:
    for _ in range(2):
        await scene.worker("--concurrency", "2")
    tasks = await scene.map("nap", [0.2] * 400)
    await until(lambda: scene.effects.count("start") >= 4, "work has begun")
    inspector = await scene.inspector()
    strike = await inspector.strike(Strike(new_id(), "nap", {"seconds": 0.2}, reason="enough"))
    struck_at = time.monotonic()
    other = await scene.submit("nap", 0.1)
    ended = await scene.final(tasks)
    last = max(effect.at for effect in scene.effects.all("start") if effect.task != other.id)
    assert last - struck_at < 1.0 + STALL  # without it they would go on for twenty seconds
    started = {effect.task for effect in scene.effects.all("start")}
    assert ended[SUCCEEDED] == len(started - {other.id})  # what ran was left alone, and nothing else has run
    assert ended[CANCELLED] == 400 - ended[SUCCEEDED] > 0
    assert await other.wait(PATIENCE) is SUCCEEDED
    cancelled = [task for task in tasks if task.id not in started]
    assert {(await task.record()).reason for task in cancelled[:5]} == {f"strike {strike.id}: enough"}
    await inspector.lift(strike.id)
    await asyncio.sleep(1.5)
    again = await scene.submit("nap", 0.2)
    assert await again.wait(PATIENCE) is SUCCEEDED


async def test_what_is_held_survives_its_worker(scene: Scene) -> None:
    inspector = await scene.inspector()
    strike = await inspector.strike(Strike(new_id(), "note", action="hold"))
    first = await scene.worker()
    tasks = await scene.map("note", range(20))
    await until(lambda: _all_scheduled(scene), "all are held")
    first.kill()
    await inspector.lift(strike.id)
    await scene.worker()
    assert await scene.final(tasks, 40) == {SUCCEEDED: 20}
    assert scene.effects.count("start") == 20
    assert {(await task.record()).attempt for task in tasks} == {1}


async def _all_scheduled(scene: Scene) -> bool:
    return (await (await scene.inspector()).counts())["scheduled"] == 20
