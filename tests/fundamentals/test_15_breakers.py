"""Tasks wait while most attempts fail."""

from __future__ import annotations

import asyncio
import time

import pytest

from jobbers import Breaker, Fail, Jobbers, Retry, Status, current_task
from jobbers.errors import InvalidInput, NotFound, TaskFailed
from jobbers.testing.keyspace import fresh_namespace
from tests.conftest import StartWorker
from tests.scenarios.harness import until


class Service:
    """Fails while it is down."""

    def __init__(self) -> None:
        self.down = True
        self.calls = 0

    def call(self) -> None:
        self.calls += 1
        if self.down:
            raise ConnectionError("down")


@pytest.fixture
def service() -> Service:
    return Service()


async def until_open(app: Jobbers, name: str) -> None:
    async def opened() -> bool:
        return (await app.breakers.get(name)).state != "closed"

    await until(opened, "the breaker has opened")


async def until_waiting(app: Jobbers, name: str, number: int) -> None:
    async def stand_in_line() -> bool:
        return (await app.breakers.get(name)).waiting == number

    await until(stand_in_line, f"{number} tasks wait")


async def test_tasks_wait_while_a_service_is_down_and_go_on_when_it_is_up(
    app: Jobbers, worker: StartWorker, service: Service
) -> None:
    @app.task(breaker=Breaker(of=4, open_for=0.3), retry=Retry(attempts=50, delay=0.01))
    async def send(number: int) -> int:
        service.call()
        return number

    handles = await send.map(range(30))
    async with worker(app, concurrency=2):
        await until_open(app, "send")
        begun, before = time.monotonic(), service.calls
        await asyncio.sleep(1.0)
        assert service.calls - before <= (time.monotonic() - begun) / 0.3 + 3, "what had begun, and probes"
        assert (await app.breakers.get("send")).state != "closed"
        service.down = False
        assert [await handle.result(20) for handle in handles] == [*range(30)]
    (state,) = await app.breakers.list()
    assert (state.name, state.key, state.state, state.waiting) == ("send", None, "closed", 0)
    assert state.ended >= 20
    assert state.failed == 0


async def test_each_key_has_its_own_and_other_types_go_on(
    app: Jobbers, worker: StartWorker, service: Service
) -> None:
    @app.task(breaker=Breaker(of=3, open_for=60, key="host"))
    async def fetch(host: str) -> str:
        if host == "bad/":
            service.call()
        return host

    @app.task
    async def other() -> str:
        return "other"

    async with worker(app, concurrency=1):
        for _ in range(3):
            with pytest.raises(TaskFailed):
                await (await fetch.submit("bad/")).result(20)
        waiting = await fetch.submit("bad/")
        assert await (await fetch.submit("good")).result(20) == "good"
        assert await (await other.submit()).result(20) == "other"
        assert await waiting.status() == Status.BLOCKED
        (state,) = await app.breakers.list()
        assert (state.name, state.key, state.state, state.waiting) == ("fetch:host", "bad/", "open", 1)
        assert (state.ended, state.failed) == (3, 3)
        assert state.half_opens_in == pytest.approx(60, abs=30)
        service.down = False
        await app.breakers.reset("fetch:host", "bad/")
        assert await waiting.result(20) == "bad/"


async def test_only_what_it_is_about_counts(app: Jobbers, worker: StartWorker) -> None:
    class NotThere(Exception):
        pass

    @app.task(breaker=Breaker(of=3, open_for=60, on=ConnectionError), retry=Retry(attempts=2, delay=0.01))
    async def fetch(how: str) -> None:
        raise {"absent": NotThere, "refused": ConnectionResetError, "fail": Fail}[how](how)

    async def end(how: str) -> None:
        with pytest.raises(TaskFailed):
            await (await fetch.submit(how)).result(20)

    async with worker(app, concurrency=1):
        for how in ("absent", "absent", "fail"):
            await end(how)
        state = await app.breakers.get("fetch")
        assert (state.state, state.ended, state.failed) == ("closed", 5, 0)
        for how in ("refused", "refused"):
            await end(how)
        state = await app.breakers.get("fetch")
        assert (state.ended, state.failed) == (9, 4)
        await fetch.submit("refused")
        await until_open(app, "fetch")


async def test_a_timeout_counts_whatever_it_is_about(app: Jobbers, worker: StartWorker) -> None:
    @app.task(breaker=Breaker(of=1, open_for=60, on=ConnectionError), timeout=0.05)
    async def hang() -> None:
        await asyncio.sleep(60)

    async with worker(app):
        await hang.submit()
        await until_open(app, "hang")


async def test_open_by_hand_and_closed_again(app: Jobbers, worker: StartWorker) -> None:
    @app.task(breaker=Breaker(name="api"))
    async def one() -> int:
        return 1

    @app.task(breaker=Breaker(name="api"))
    async def two() -> int:
        return 2

    async with worker(app, concurrency=2):
        await app.breakers.trip("api")
        state = await app.breakers.get("api")
        assert (state.state, state.half_opens_in) == ("open", None)
        handles = [await one.submit(), await two.submit()]
        await until_waiting(app, "api", 2)
        await app.breakers.reset("api")
        assert [await handle.result(20) for handle in handles] == [1, 2]
        await app.breakers.trip("api", open_for=0.2)
        assert await (await one.submit()).result(20) == 1
        with pytest.raises(NotFound, match="no breaker 'none'"):
            await app.breakers.trip("none")
        with pytest.raises(InvalidInput, match="has no key"):
            await app.breakers.reset("api", "key")


async def test_retries_over_a_budget_wait_and_none_is_lost(jobbers_server: str, worker: StartWorker) -> None:
    app = Jobbers(
        jobbers_server, namespace=fresh_namespace(), poll_interval=0.5, retry_budget=0.1, retry_budget_least=4
    )
    starts: list[float] = []

    @app.task(retry=Retry(attempts=2, delay=0.0))
    async def stumble(number: int) -> int:
        if current_task().attempt == 1:
            raise ConnectionError
        starts.append(time.monotonic())
        return current_task().attempt

    async with app, worker(app, concurrency=20):
        begun = time.monotonic()
        handles = await stumble.map(range(12))
        assert {await handle.result(30) for handle in handles} == {2}
        state = await app.breakers.retry_budget()
    assert (state.attempts, state.share, state.least) == (12, 0.1, 4.0)
    assert state.retries <= 1
    # 1 within the share, the others one by one, a quarter of a second apart
    assert max(starts) - begun > 10 * 0.25 - 0.1


async def test_tasks_of_runs_wait_as_well(app: Jobbers, worker: StartWorker) -> None:
    @app.task(breaker=Breaker())
    async def add(one: int, two: int) -> int:
        return one + two

    dag = app.dag("sums")
    first = dag.node(add, 1, 2)
    dag.node(add, first, 3)
    async with worker(app, concurrency=2):
        await app.breakers.trip("add")
        run = await dag.submit()
        await until_waiting(app, "add", 1)
        await app.breakers.reset("add")
        assert await run.result(20) == 6
