"""Progress while a task runs, and ending it early."""

from __future__ import annotations

import asyncio

import pytest

from jobbers import Jobbers, Status, TaskCancelled, current_task
from tests.conftest import StartWorker


async def test_progress_can_be_followed(app: Jobbers, worker: StartWorker) -> None:
    seen = asyncio.Event()

    @app.task
    async def work() -> None:
        current_task().heartbeat("half way", progress=0.5)
        await seen.wait()

    handle = await work.submit()
    steps = []
    async with worker(app), asyncio.timeout(20):
        async for progress in handle:
            steps.append((progress.step, progress.progress))
            if progress.step == "half way":
                seen.set()
    assert ("half way", 0.5) in steps
    assert await handle.status() is Status.SUCCEEDED


async def test_a_running_task_can_be_cancelled(app: Jobbers, worker: StartWorker) -> None:
    ended = asyncio.Event()

    @app.task
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    handle = await endless.submit()
    async with worker(app), asyncio.timeout(20):
        async for progress in handle:
            if progress.status is Status.RUNNING:
                assert await handle.cancel()
        await ended.wait()
    with pytest.raises(TaskCancelled):
        await handle.result(20)
