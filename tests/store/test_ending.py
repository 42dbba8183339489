"""Waiting for a result when the end that was heard of is gone by the time that it is read."""

from __future__ import annotations

import pytest

from jobbers import Jobbers, Status
from jobbers.client import Client
from jobbers.testing import in_process


async def test_a_task_that_got_a_new_life_is_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Jobbers()

    @app.task
    async def answer() -> int:
        return 42

    heard = 0
    real = Client.wait

    async def wait(client: Client, task_id: str, timeout: float | None) -> Status:
        nonlocal heard
        heard += 1
        if heard == 1:
            return Status.SUCCEEDED  # and then the server lost it
        await harness.drain()
        return await real(client, task_id, timeout)

    async with in_process(app) as harness:
        task = await answer.submit()
        monkeypatch.setattr(Client, "wait", wait)
        assert await task.result(timeout=5) == 42
    assert heard == 2
