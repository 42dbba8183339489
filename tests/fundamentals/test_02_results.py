"""Results: wait for one, for many, and learn why there is none."""

from __future__ import annotations

import pytest

from jobbers import Jobbers, TaskFailed
from tests.conftest import StartWorker


async def test_many_tasks_in_one_call(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def double(number: int) -> int:
        return 2 * number

    handles = await double.map([1, 2, 3])
    async with worker(app):
        assert [await handle.result(10) for handle in handles] == [2, 4, 6]


async def test_a_failure_tells_its_error(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def divide(a: int, b: int) -> float:
        return a / b

    handle = await divide.submit(1, 0)
    async with worker(app):
        with pytest.raises(TaskFailed, match="ZeroDivisionError") as caught:
            await handle.result(10)
    assert "divide" in caught.value.error.traceback
