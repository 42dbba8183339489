"""A worker meets a task whose type it does not know, as in the middle of a deployment."""

from __future__ import annotations

import time

from tests.scenarios.harness import PATIENCE, SUCCEEDED, Scene, until


async def test_it_is_put_back_for_a_worker_that_knows_it(scene: Scene) -> None:
    old = await scene.worker()
    begun = time.monotonic()
    task = await scene.submit("newer", 1)

    async def put_back(times: int) -> bool:
        return (await task.record()).snoozes >= times

    await until(lambda: put_back(1), "it has been put back")
    known = await scene.map("note", range(20))
    await until(lambda: put_back(2), "it has been put back again")
    await until(lambda: put_back(3), "it has been put back once more")
    assert time.monotonic() - begun > 1.0 + 2.0  # each wait is longer: no hot loop
    assert await scene.final(known) == {SUCCEEDED: 20}
    record = await task.record()
    assert record.attempt == 0
    assert record.reason is not None
    assert "does not know task type 'newer'" in record.reason
    old.terminate()
    await old.ended()
    await scene.worker(env={"SCENE_KNOWS_MORE": "1"})
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert scene.effects.count("start", task) == 1
