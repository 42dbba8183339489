"""The testing kit as its users use it, with a server and without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from jobbers import Jobbers, Limit, Rate, Retry, TaskFailed
from jobbers.core.lanes import Lane
from jobbers.testing import Harness, in_process, on_server


@pytest.fixture
def mail() -> Jobbers:
    return Jobbers("redis://localhost:1", namespace="mail")


@pytest.fixture(params=["in_process", "on_server"])
async def harness(request: pytest.FixtureRequest, mail: Jobbers) -> AsyncIterator[Harness]:
    if request.param == "in_process":
        async with in_process(mail) as harness:
            yield harness
    else:
        async with on_server(mail, request.getfixturevalue("jobbers_server")) as harness:
            yield harness


async def test_what_was_submitted_runs_when_it_is_drained(mail: Jobbers, harness: Harness) -> None:
    @mail.task
    async def welcome(user: int) -> str:
        return f"welcome, {user}"

    handle = await welcome.submit(42)
    assert harness.assert_submitted(welcome, 42).kwargs == {}
    with pytest.raises(AssertionError, match="was not submitted"):
        harness.assert_submitted(welcome, 43)
    assert await harness.drain() == 1
    assert await handle.result() == "welcome, 42"
    assert await harness.audit() == []


async def test_the_clock_moves_instead_of_the_test_waiting(mail: Jobbers, harness: Harness) -> None:
    @mail.task(retry=Retry(2, delay=60, jitter=False))
    async def flaky() -> None:
        raise ConnectionError

    handle = await flaky.options(delay=3600).submit()
    assert await harness.drain() == 0
    await harness.advance(3600)
    assert await harness.drain() == 1
    await harness.advance(60)
    assert await harness.drain() == 1
    with pytest.raises(TaskFailed, match="attempt 2 of 2"):
        await handle.result()


async def test_limits_and_rates_hold(mail: Jobbers, harness: Harness) -> None:
    inside = most = 0

    @mail.task(limits=[Limit(3)], rates=[Rate(5, per="hour")])
    async def send(number: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1

    await send.map(range(8))
    assert (await harness.drain(), most) == (5, 3)
    assert await harness.drain() == 0
    await harness.advance(3600)
    assert await harness.drain() == 3
    assert await harness.audit() == []


async def test_errors_can_be_raised_where_the_test_sees_them(mail: Jobbers, harness: Harness) -> None:
    @mail.task
    async def broken() -> None:
        raise ValueError("broken")

    await broken.submit()
    with pytest.raises(ExceptionGroup, match="1 of the tasks failed") as caught:
        await harness.drain(raise_errors=True)
    assert caught.group_contains(ValueError, match="broken")


async def test_nothing_submitted(mail: Jobbers, harness: Harness) -> None:
    @mail.task
    async def noop() -> None: ...

    harness.assert_nothing_submitted()
    await noop.submit()
    with pytest.raises(AssertionError, match="nothing should have been submitted"):
        harness.assert_nothing_submitted(noop)


async def test_the_audit_finds_planted_violations(mail: Jobbers, harness: Harness) -> None:
    @mail.task
    async def noop() -> None: ...

    handle = await noop.submit()
    keys, gateway = harness.store.shards[0], harness.store.gateway
    for plant, undo in [
        (("DEL", keys.lane(Lane("default", 5))), None),
        (
            ("HSET", keys.task(handle.id), "status", "succeeded"),
            ("HSET", keys.task(handle.id), "status", "queued"),
        ),
        (("ZADD", keys.due, 1, handle.id), ("ZREM", keys.due, handle.id)),
        (("ZADD", keys.leases, 1, handle.id), ("ZREM", keys.leases, handle.id)),
    ]:
        await gateway.command(*plant)
        assert await harness.audit() != [], plant
        if undo is not None:
            await gateway.command(*undo)
