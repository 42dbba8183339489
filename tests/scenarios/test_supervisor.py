"""``--processes N``: several workers, restarted when they die, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from tests.scenarios.harness import SUCCEEDED, Scene, WorkerProcess, until


async def _started(scene: Scene, *arguments: str) -> tuple[WorkerProcess, set[int]]:
    supervisor = scene.start_worker("--processes", "2", *arguments)
    return supervisor, {int(info.facts["pid"]) for info in await scene.roll(2)}


async def _roll(scene: Scene) -> set[int]:
    return {int(info.facts["pid"]) for info in await (await scene.inspector()).workers()}


async def test_a_child_that_dies_is_restarted(scene: Scene) -> None:
    supervisor, before = await _started(scene, "--concurrency", "5")
    tasks = await scene.map("nap", [1.0] * 10)
    await scene.started(*tasks)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)

    async def replaced() -> bool:
        return len(await _roll(scene) - before) == 1

    await until(replaced, "another has taken its place")
    assert await scene.final(tasks) == {SUCCEEDED: 10}
    assert f"a worker process ended with -{signal.SIGKILL:d}: restarting it" in supervisor.said()
    assert supervisor.code is None
    assert victim not in await _roll(scene)


async def test_a_signal_ends_all_of_them_gracefully(scene: Scene) -> None:
    supervisor, pids = await _started(scene, "--concurrency", "5")
    tasks = await scene.map("nap", [1.0] * 10)
    await scene.started(*tasks)
    supervisor.terminate()
    assert await supervisor.ended() == 0
    assert await scene.final(tasks) == {SUCCEEDED: 10}
    assert scene.effects.count("start") == 10
    assert {effect.pid for effect in scene.effects.all()} == pids
    assert await _roll(scene) == set()


async def test_a_second_signal_ends_all_of_them_at_once(scene: Scene) -> None:
    supervisor, _ = await _started(scene, "--concurrency", "5")
    tasks = await scene.map("nap", [120.0] * 10)
    await scene.started(*tasks)
    supervisor.terminate()
    await until(lambda: supervisor.said().count("waiting up to") == 2, "both have heard")
    supervisor.terminate()
    assert await supervisor.ended() == 0
    assert {str(await task.status()) for task in tasks} == {"queued"}
    for task in tasks:
        await task.cancel()


async def test_a_signal_while_they_start_leaves_none_behind(scene: Scene) -> None:
    for pause in (0.4, 0.7, 1.0):
        supervisor = scene.start_worker("--processes", "4")
        await asyncio.sleep(pause)
        supervisor.terminate()
        await supervisor.ended()
        assert not _group(supervisor.pid)


def _group(group: int) -> list[str]:
    """The processes that live in a group."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] not in ("Z", "X"):
                found.append(process.name)
    return found
