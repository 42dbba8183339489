"""The server forgets its scripts."""

from __future__ import annotations

import asyncio

from tests.scenarios.harness import SUCCEEDED, Scene


async def test_work_goes_on_while_scripts_are_flushed(scene: Scene) -> None:
    await scene.worker("--concurrency", "20")
    flushing = True

    async def flush() -> None:
        with scene.server.client() as client:
            while flushing:
                client.script_flush()
                await asyncio.sleep(0.01)

    flusher = asyncio.create_task(flush())
    try:
        quick = [await scene.submit("note", number) for number in range(200)]
        many = await scene.map("nap", [0.05] * 200)
        failing = await scene.map("flaky", [2] * 20)
        later = await scene.map("note", range(20), delay=0.3)
        slow = await scene.map("nap", [3.0] * 3)
        done = await scene.final([*quick, *many, *failing, *later, *slow], 30)
    finally:
        flushing = False
        await flusher
    assert done == {SUCCEEDED: 443}
    assert scene.effects.count("start") == 200 + 200 + 3 * 20 + 20 + 3
