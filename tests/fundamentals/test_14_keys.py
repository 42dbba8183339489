"""Tasks of which those with the same key come to one: unique, singleton, debounced, throttled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from jobbers import Debounce, Jobbers, Throttle, Unique, new_id
from jobbers.core.ids import unique_tail
from jobbers.errors import ConfigError, InvalidId, InvalidInput
from tests.conftest import StartWorker


async def queued(app: Jobbers) -> int:
    return sum((await (await app.inspector()).counts()).values())


async def test_a_debounced_task_runs_once_with_the_last_arguments(app: Jobbers, worker: StartWorker) -> None:
    ran: list[tuple[int, str]] = []

    @app.task(debounce=Debounce(1.5, key="user"))
    async def index(user: int, text: str) -> str:
        ran.append((user, text))
        return text

    async with worker(app):
        handles = []
        for text in ("a", "ab", "abc"):
            handles.append(await index.submit(7, text))
            other = await index.submit(user=8, text=text)
        assert len({handle.id for handle in handles}) == 1
        assert [handle.attached for handle in handles] == [False, True, True]
        assert other != handles[0]
        assert {await handle.result(20) for handle in handles} == {"abc"}
        assert await other.result(20) == "abc"
    assert sorted(ran) == [(7, "abc"), (8, "abc")]


async def test_a_steady_stream_cannot_put_it_off_for_ever(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def index(number: int) -> int:
        return number

    debounced = index.options(debounce=Debounce(2.0, max_wait=3.0))
    handle = await debounced.submit(0)
    async with worker(app):
        for number in range(1, 100):
            if not (await debounced.submit(number)).attached:
                break  # the first one runs, although it was never quiet
            await asyncio.sleep(0.1)
        else:
            pytest.fail("it was put off for 10 seconds")
        assert 0 < await handle.result(10) < number


async def test_a_throttled_task_is_taken_once_in_a_period(app: Jobbers, worker: StartWorker) -> None:
    @app.task(throttle=Throttle(300, key=lambda arguments: arguments["user"] % 10))
    async def remind(user: int) -> int:
        return user

    handles = await remind.map([1, 11, 2, 21])
    assert [handle.attached for handle in handles] == [False, True, False, True]
    async with worker(app):
        assert [await handle.result(10) for handle in handles] == [1, 1, 2, 1]
    assert (await remind.submit(31)).id == handles[0].id
    assert await (await remind.submit(31)).result() == 1


async def test_the_last_one_of_a_period_may_run_at_its_end(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def draw(number: int) -> int:
        return number

    throttled = draw.options(throttle=Throttle(2.0, trailing=True))
    handles = [await throttled.submit(number) for number in range(5)]
    assert len({handle.id for handle in handles}) == 2
    async with worker(app):
        assert [await handle.result(20) for handle in handles] == [0, 4, 4, 4, 4]


async def test_a_unique_key_by_a_parameter(app: Jobbers, worker: StartWorker) -> None:
    @app.task(unique=Unique(key="user"))
    async def sync(user: int, full: bool = False) -> tuple[int, bool]:
        return user, full

    first, second = await sync.submit(1), await sync.submit(1, full=True)
    third = await sync.submit(2)
    assert (first, first.attached, second.attached, third.attached) == (second, False, True, False)
    mapped = await sync.map([1, 2, 3, 3])
    assert [handle.attached for handle in mapped] == [True, True, False, True]
    assert mapped[:2] == [first, third]
    assert app.sync.wrap(mapped[0]).attached
    assert (await first.record()).unique_key == "sync:1"
    own = await sync.options(unique="sync:1").submit(1)  # the same key, written out
    assert own == first
    async with worker(app):
        assert await second.result(10) == (1, False)
        await asyncio.gather(*(handle.result(10) for handle in mapped))
    assert not (await sync.submit(1)).attached


async def test_a_singleton(app: Jobbers, worker: StartWorker) -> None:
    running = asyncio.Event()
    go = asyncio.Event()

    @app.task(singleton=True)
    async def rebuild() -> None:
        running.set()
        await go.wait()

    first = await rebuild.submit()
    async with worker(app):
        await asyncio.wait_for(running.wait(), 10)
        again = await asyncio.gather(*(rebuild.submit() for _ in range(20)))  # while it runs
        assert {handle.id for handle in again} == {first.id}
        assert all(handle.attached for handle in again)
        go.set()
        await first.result(10)
        assert not (await rebuild.submit()).attached


async def test_an_id_of_ones_own_lives_where_its_key_does(app: Jobbers) -> None:
    @app.task(debounce=Debounce(60, key="user"))
    async def index(user: int) -> None: ...

    own = new_id(unique="index:7")
    assert (await index.options(id=own).submit(7)).id == own
    second = new_id(unique="index:7")
    for _ in range(2):
        assert (await index.options(id=second).submit(7)).id == own
    elsewhere = next(str(number) for number in range(9) if unique_tail(str(number)) != unique_tail("index:7"))
    with pytest.raises(InvalidId, match=r"make ids .* with jobbers.new_id\(unique='index:7'\)"):
        await index.options(id=new_id(unique=elsewhere)).submit(7)
    await app.handle(own).cancel()


async def test_what_is_refused_leaves_nothing(app: Jobbers) -> None:
    def broken(arguments: Mapping[str, Any]) -> Any:
        raise LookupError("no tenant")

    @app.task
    async def work(user: int = 0) -> None: ...

    for options in (
        {"debounce": Debounce(5, key=broken)},
        {"throttle": Throttle(5, key=broken)},
        {"unique": Unique(broken)},
    ):
        with pytest.raises(
            InvalidInput, match=r"key function .* raised LookupError: no tenant; nothing was submitted"
        ):
            await work.options(**options).submit(1)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="key function"):
            await work.options(**options).map([1, 2])  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no parameter 'usr'"):
        await work.options(throttle=Throttle(5, key="usr")).submit(1)
    with pytest.raises(InvalidInput, match="Debounce says when the task runs"):
        work.options(debounce=Debounce(5), delay=1)
    with pytest.raises(InvalidInput, match="give one"):
        work.options(debounce=Debounce(5), unique="a")
    with pytest.raises(ConfigError, match="no parameter 'usr'"):
        app.task(singleton=False, unique=Unique("usr"))(work.function)
    with pytest.raises(InvalidInput, match="give one"):
        app.task(singleton=True, debounce=Debounce(5))(work.function)
    assert await queued(app) == 0
