"""What operators strike does not run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jobbers import Jobbers, Status, chain, new_id
from jobbers.core.strike import MAX_STRIKES, Strike
from jobbers.errors import InvalidInput, NotFound, TaskStruck
from jobbers.store.store import Store
from tests.conftest import StartWorker


@dataclass
class User:
    name: str
    age: int


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def strike(app: Jobbers, task_type: str, **more: Any) -> Strike:
    return await (await app.inspector()).strike(Strike(new_id(), task_type, by="me", **more))


async def test_what_waits_is_cancelled_before_it_runs(app: Jobbers, worker: StartWorker) -> None:
    ran: list[int] = []

    @app.task
    async def charge(customer: int, amount: float = 1.0) -> int:
        ran.append(customer)
        return customer

    handles = await charge.map([1, 2, 3])
    added = await strike(app, "charge", where={"customer": 2}, reason="chargeback")
    assert (added.by, added.at > 0) == ("me", True)
    async with worker(app):
        assert await handles[0].result(10) == 1
        assert await handles[1].wait(10) is Status.CANCELLED
        assert await handles[2].result(10) == 3
    record = await handles[1].record()
    assert record.reason == f"strike {added.id}: chargeback"
    assert sorted(ran) == [1, 3]


async def test_workers_hear_of_it_while_they_work(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def charge(customer: int) -> int:
        return customer

    async with worker(app):
        assert await (await charge.submit(2)).result(10) == 2
        added = await strike(app, "charge")
        await asyncio.sleep(1.0)
        with pytest.raises(TaskStruck):
            await charge.submit(2)
        strikes = (await app.client()).store.strikes
        strikes.known, strikes._looked = {}, time.monotonic() + 60  # as if it had been submitted a moment ago
        assert await (await charge.submit(2)).wait(10) is Status.CANCELLED
        await (await app.inspector()).lift(added.id)
        await asyncio.sleep(1.0)
        assert await (await charge.submit(2)).result(10) == 2


async def test_submissions_of_what_is_struck_are_refused(app: Jobbers) -> None:
    @app.task
    async def charge(customer: int, tags: list[str] | None = None) -> None: ...

    added = await strike(app, "charge", where={"customer": 2, "tags": ["a"]}, reason="no more")
    with pytest.raises(
        TaskStruck, match=rf"'charge' like this one are not taken \(strike {added.id}: no more\)"
    ) as caught:
        await charge.submit(2, tags=["a"])
    assert (caught.value.strike, caught.value.reason, caught.value.code) == (added.id, "no more", "struck")
    with pytest.raises(TaskStruck):
        await charge.starmap([(1,), (2, ["a"])])
    inspector = await app.inspector()
    assert (await inspector.counts())["queued"] == 0
    await charge.submit(2, tags=["b"])
    await charge.submit(2)
    await inspector.lift(added.id)
    await charge.submit(2, tags=["a"])
    assert (await inspector.counts())["queued"] == 3


async def test_what_is_held_goes_on_when_it_is_lifted(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def charge() -> int:
        return 1

    added = await strike(app, "charge", action="hold", reason="the bank is away")
    await asyncio.sleep(0.7)
    handle = await charge.submit()  # is taken
    async with worker(app):
        await until(lambda: stands(handle, Status.SCHEDULED))
        record = await handle.record()
        assert record.reason == f"held by strike {added.id}: the bank is away"
        await (await app.inspector()).lift(added.id)
        assert await handle.result(20) == 1
    record = await handle.record()
    assert (record.attempt, record.crashes) == (1, 0)


async def reached(found: set[int], size: int) -> bool:
    return len(found) == size


async def stands(handle: Any, status: Status) -> bool:
    return (await handle.status()) is status


async def test_what_runs_is_left_alone_unless_it_is_asked_for(app: Jobbers, worker: StartWorker) -> None:
    started: set[int] = set()
    ended: set[int] = set()
    go = asyncio.Event()

    @app.task
    async def work(number: int) -> int:
        started.add(number)
        try:
            await go.wait()
        finally:
            ended.add(number)
        return number

    first, second = await work.map([1, 2])
    async with worker(app):
        await until(lambda: reached(started, 2))
        await strike(app, "work", where={"number": 1})
        await asyncio.sleep(1.5)
        assert ended == set()
        await strike(app, "work", where={"number": 2}, running=True, reason="stop")
        assert await second.wait(10) is Status.CANCELLED
        assert "stop" in ((await second.record()).reason or "")
        go.set()
        assert await first.result(10) == 1


async def test_the_nodes_of_a_run_are_struck_with_what_they_get(app: Jobbers, worker: StartWorker) -> None:
    ran: list[int] = []

    @app.task
    async def add(a: int, b: int = 1) -> int:
        ran.append(a)
        return a + b

    run = await chain(add.s(1), add.s()).submit()
    await strike(app, "add", where={"a": 2})
    async with worker(app):
        assert await run.wait(10) is Status.FAILED
    assert ran == [1]


async def test_plain_functions_and_models(app: Jobbers, worker: StartWorker) -> None:
    ran: list[str] = []

    @app.task
    def greet(user: User) -> None:
        ran.append(user.name)

    handles = await greet.map([User("Ada", 36), User("Bob", 36)])
    await strike(app, "greet", where={"user": {"age": 36.0, "name": "Ada"}})
    async with worker(app):
        assert [await handle.wait(10) for handle in handles] == [Status.CANCELLED, Status.SUCCEEDED]
    assert ran == ["Bob"]


async def test_list_and_lift(app: Jobbers, store: Store) -> None:
    inspector = await app.inspector()
    assert await inspector.strikes() == []
    one = await strike(app, "a")
    await asyncio.sleep(0.01)  # those of one millisecond come in any order
    two = await strike(app, "b", where={"x": [1, None]}, action="hold")
    assert await inspector.strikes() == [one, two]
    await store.gateway.command("HSET", store.keys.strikes, "x", b"\xff garbage")
    assert await inspector.strikes() == [one, two]
    assert await inspector.lift(one.id) == one
    with pytest.raises(NotFound, match="there is no strike"):
        await inspector.lift(one.id)
    with pytest.raises(NotFound):
        await store.strikes.lift("version")
    assert await inspector.strikes() == [two]


async def test_their_number_is_bounded(app: Jobbers, store: Store) -> None:
    text = Strike(new_id(), "a").dump()
    pairs = [word for _ in range(MAX_STRIKES) for word in (new_id(), text)]
    await store.gateway.command("HSET", store.keys.strikes, "version", 1, *pairs)
    with pytest.raises(InvalidInput, match="there are 1,000 strikes already"):
        await strike(app, "b")


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"type": "a b"}, "not a legal name"),
        ({"action": "burn"}, "one of cancel, hold"),
        ({"reason": "x" * 501}, "up to 500 characters"),
        ({"reason": "two\nlines"}, "one line"),
        ({"where": {"a": object()}}, "must be JSON"),
        ({"where": {"a": "x" * 9000}}, "up to 8,192 bytes"),
        ({"action": "hold", "running": True}, "can be cancelled and not held"),
    ],
)
async def test_what_makes_no_sense(app: Jobbers, more: dict[str, Any], what: str) -> None:
    inspector = await app.inspector()
    with pytest.raises(InvalidInput, match=what):
        await inspector.strike(Strike(new_id(), **{"type": "a", **more}))
    assert await inspector.strikes() == []


async def test_garbage_in_the_place_of_strikes_stops_nobody(
    app: Jobbers, store: Store, worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task
    async def work() -> int:
        return 1

    await store.gateway.command("SET", store.keys.strikes, "garbage")
    async with worker(app):
        await asyncio.sleep(1.0)
        assert await (await work.submit()).result(10) == 1
    assert "cannot look for strikes" in caplog.text
    await store.gateway.command("DEL", store.keys.strikes)
