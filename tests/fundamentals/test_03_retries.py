"""Retries: by a policy, by the task's own word, and never."""

from __future__ import annotations

import pytest

from jobbers import Fail, Jobbers, Retry, Snooze, TaskFailed, current_task
from tests.conftest import StartWorker


async def test_a_task_that_fails_is_tried_again(app: Jobbers, worker: StartWorker) -> None:
    @app.task(retry=Retry(attempts=3, delay=0.01))
    async def flaky() -> int:
        if current_task().attempt < 3:
            raise ConnectionError
        return current_task().attempt

    handle = await flaky.submit()
    async with worker(app):
        assert await handle.result(10) == 3
    assert [error.type for error in (await handle.record()).errors] == ["ConnectionError"] * 2


async def test_a_task_can_give_up(app: Jobbers, worker: StartWorker) -> None:
    @app.task(retry=5)
    async def charge() -> None:
        raise Fail("the card has expired")

    handle = await charge.submit()
    async with worker(app):
        with pytest.raises(TaskFailed, match="the card has expired"):
            await handle.result(10)


async def test_a_task_can_wait_without_using_an_attempt(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def patient() -> int:
        if current_task().snoozes < 2:
            raise Snooze(0.01)
        return current_task().attempt

    handle = await patient.submit()
    async with worker(app):
        assert await handle.result(10) == 1
