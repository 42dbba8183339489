"""Hello: a function becomes a task, a worker runs it, the submitter gets the result."""

from __future__ import annotations

from jobbers import Jobbers, Status
from tests.conftest import StartWorker


async def test_a_worker_runs_what_was_submitted(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def greet(name: str) -> str:
        return f"hello, {name}"

    handle = await greet.submit("world")
    assert await handle.status() is Status.QUEUED

    async with worker(app):
        assert await handle == "hello, world"

    assert await handle.status() is Status.SUCCEEDED
