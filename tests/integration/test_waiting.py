"""Waiting for results: short waits, long waits, and what ends them."""

from __future__ import annotations

import asyncio

import pytest

from jobbers import Jobbers, Status, WaitTimeout, new_id
from jobbers.errors import InvalidInput, NotFound
from tests.conftest import StartWorker


async def test_a_wait_of_zero_looks_once(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def noop() -> int:
        return 7

    handle = await noop.submit()
    with pytest.raises(WaitTimeout):
        await handle.result(timeout=0)
    async with worker(app):
        assert await handle.wait(timeout=10) is Status.SUCCEEDED
    assert await handle.result(timeout=0) == 7


async def test_many_waits_at_once_all_end(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def double(number: int) -> int:
        return 2 * number

    handles = await double.map(range(300))
    async with worker(app):
        assert await asyncio.gather(*(handle.result(10) for handle in handles)) == [2 * n for n in range(300)]


async def test_no_such_task(app: Jobbers) -> None:
    with pytest.raises(NotFound, match="never was"):
        await app.handle(new_id()).wait(1)


async def test_a_negative_wait_is_refused(app: Jobbers) -> None:
    with pytest.raises(InvalidInput, match="timeout"):
        await app.handle(new_id()).wait(-1)


async def test_many_submissions_at_once_share_one_connection(app: Jobbers) -> None:
    @app.task
    async def noop() -> None: ...

    await app.close()
    handles = await asyncio.gather(*(noop.submit() for _ in range(500)))
    assert len({handle.id for handle in handles}) == 500
    clients = await (await app.client()).store.gateway.command("CLIENT", "LIST")
    assert clients.decode().count("name=jobbers ") <= 2  # this app's, and at most one of the fixtures'
