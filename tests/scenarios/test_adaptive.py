"""A worker that finds its concurrency by itself: tasks that wait let it grow, tasks that block its loop make it shrink."""

from __future__ import annotations

from tests.scenarios.harness import SUCCEEDED, Scene, until


async def test_waiting_lets_it_grow_and_blocking_makes_it_shrink(scene: Scene) -> None:
    await scene.worker("--concurrency", "auto:2-60")
    inspector = await scene.inspector()
    seen: list[int] = []

    async def places() -> int:
        (worker,) = await inspector.workers()
        assert worker.facts["adaptive"] == "auto:2-60"
        seen.append(int(worker.facts["concurrency"]))
        return seen[-1]

    async def grown() -> bool:
        return await places() >= 40

    async def shrunk() -> bool:
        return await places() <= 12

    naps = await scene.map("nap", [0.5] * 300)
    await until(grown, "the worker takes on more", 40)
    assert await scene.final(naps, 50) == {SUCCEEDED: 300}
    blocks = await scene.map("block", [0.02] * 400)
    await until(shrunk, "the worker takes on less", 40)
    assert await scene.final(blocks, 50) == {SUCCEEDED: 400}
    assert max(seen) <= 60
    assert min(seen) >= 2
