"""What operators do: dead letters and pauses."""

from __future__ import annotations

from jobbers import Jobbers, Status
from tests.conftest import StartWorker


async def test_a_dead_letter_gets_a_new_life(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def parse(text: str) -> int:
        return int(text)

    handle = await parse.submit("seven")
    inspector = await app.inspector()
    async with worker(app):
        assert await handle.wait(10) is Status.FAILED
        (dead,) = (await inspector.tasks(Status.FAILED)).tasks
        assert dead.errors[-1].type == "ValueError"
        await inspector.requeue(handle.id, args=["7"])
        assert await handle.result(10) == 7


async def test_a_paused_queue_gives_nothing_out(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def noop() -> int:
        return 1

    inspector = await app.inspector()
    await inspector.pause("default")
    paused, other = await noop.submit(), await noop.options(queue="other").submit()
    async with worker(app, queues=["default", "other"]):
        assert await other.result(10) == 1
        assert await paused.status() is Status.QUEUED
        await inspector.resume("default")
        assert await paused.result(10) == 1
