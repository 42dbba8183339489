"""How many may run at a time, or start in a time, and in which order keys take turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from jobbers import Breaker, Fair, Jobbers, Limit, Rate, Status, group
from jobbers.errors import InvalidInput, LimitReached, NotFound, QueueFull
from jobbers.testing.keyspace import fresh_namespace
from jobbers.worker import Worker
from tests.conftest import StartWorker


class Peak:
    """Counts who is inside, by key."""

    def __init__(self) -> None:
        self.inside: Counter[Any] = Counter()
        self.most: Counter[Any] = Counter()
        self.full = asyncio.Event()

    async def stay(self, key: Any = None, until: asyncio.Event | None = None) -> None:
        self.inside[key] += 1
        self.most[key] = max(self.most[key], self.inside[key])
        if self.inside.total() == 4:
            self.full.set()
        await (asyncio.sleep(0.02) if until is None else until.wait())
        self.inside[key] -= 1


@pytest.fixture
def peak() -> Peak:
    return Peak()


async def test_no_more_run_at_a_time_than_a_limit_allows(
    app: Jobbers, worker: StartWorker, peak: Peak
) -> None:
    @app.task(limits=[Limit(3)])
    async def work(number: int) -> int:
        await peak.stay()
        return number

    handles = await work.map(range(30))
    async with worker(app, concurrency=20):
        assert [await handle.result(20) for handle in handles] == [*range(30)]
    assert peak.most[None] == 3
    assert {(await handle.record()).attempt for handle in handles} == {1}


async def test_a_key_of_parameters_has_a_limit_of_its_own(
    app: Jobbers, worker: StartWorker, peak: Peak
) -> None:
    def host(arguments: Mapping[str, Any]) -> str:
        return str(arguments["url"]).partition("/")[0]

    @app.task(limits=[Limit(1, key=host), Limit(4)])
    async def fetch(url: str) -> None:
        await peak.stay(url.partition("/")[0])
        await peak.stay()

    handles = await fetch.map([f"host{number % 3}/{number}" for number in range(18)])
    async with worker(app, concurrency=20):
        for handle in handles:
            await handle.result(20)
    assert {key: most for key, most in peak.most.items() if key} == {"host0": 1, "host1": 1, "host2": 1}


async def test_limits_of_one_name_are_one_limit(app: Jobbers, worker: StartWorker, peak: Peak) -> None:
    database = Limit(2, name="database")

    @app.task(limits=[database])
    async def read() -> None:
        await peak.stay()

    @app.task(limits=[database], queue="writes")
    async def write() -> None:
        await peak.stay()

    handles = [await task.submit() for task in [read, write] * 8]
    async with worker(app, concurrency=20):
        for handle in handles:
            await handle.result(20)
    assert peak.most[None] == 2


async def test_a_queue_may_be_limited_whatever_the_type(
    app: Jobbers, worker: StartWorker, peak: Peak
) -> None:
    app.queue("narrow", limits=[Limit(2)])

    @app.task
    async def work() -> None:
        await peak.stay(1)

    @app.task(queue="narrow")
    async def other() -> None:
        await peak.stay(1)

    handles = [await work.options(queue="narrow").submit() for _ in range(6)] + [
        await other.submit() for _ in range(6)
    ]
    async with worker(app, concurrency=20, queues=["narrow"]):
        for handle in handles:
            await handle.result(20)
    assert peak.most[1] == 2


async def test_a_limit_per_worker_bounds_the_queues_of_its_type(
    app: Jobbers, worker: StartWorker, peak: Peak
) -> None:
    @app.task(queue="heavy", limits=[Limit(2, per="worker")])
    async def work() -> None:
        await peak.stay()

    handles = [await work.submit() for _ in range(10)]
    async with worker(app, concurrency=20, queues=["heavy", "default"]):
        for handle in handles:
            await handle.result(20)
    assert peak.most[None] == 2
    assert not await app.limits.list()


async def test_what_is_over_a_limit_may_be_refused(app: Jobbers, worker: StartWorker) -> None:
    @app.task(limits=[Limit(2, key="user", full="refuse")])
    async def export(user: str) -> str:
        return user

    first = await export.submit("ann")
    await export.submit("ann")
    with pytest.raises(LimitReached, match=r"limit 'export:user=ann' is full"):
        await export.submit("ann")
    with pytest.raises(LimitReached):
        await export.map(["bob", "bob", "bob"])
    assert (await (await app.inspector()).counts())["queued"] == 2
    await first.cancel()
    await export.submit("ann")


async def test_or_take_the_place_of_what_is_there(app: Jobbers, worker: StartWorker) -> None:
    started = asyncio.Event()

    @app.task(limits=[Limit(1, key="branch", full="cancel")])
    async def build(branch: str, commit: int) -> int:
        started.set()
        if commit == 1:
            await asyncio.sleep(60)
        return commit

    async with worker(app):
        first = await build.submit("main", 1)
        await started.wait()
        second = await build.submit("main", 2)
        assert await second.result(10) == 2
        assert await first.wait(10) is Status.CANCELLED


async def test_with_replace_there_is_no_delay(app: Jobbers) -> None:
    @app.task(limits=[Limit(1, full="replace")])
    async def build() -> None: ...

    with pytest.raises(InvalidInput, match="takes no delay"):
        await build.options(delay=5).submit()


async def test_a_rate_spreads_starts_over_time(app: Jobbers, worker: StartWorker) -> None:
    @app.task(rates=[Rate(5, per=0.4)])
    async def call(number: int) -> int:
        return number

    handles = await call.map(range(15))
    async with worker(app, concurrency=20):
        for handle in handles:
            await handle.result(20)
    starts = sorted(
        [(await handle.record()).started for handle in handles if (await handle.record()).started]
    )  # type: ignore[type-var]
    assert len(starts) == 15
    assert all((late - early).total_seconds() >= 0.4 for early, late in zip(starts, starts[5:], strict=False))  # type: ignore[operator]


async def test_keys_take_turns(app: Jobbers, worker: StartWorker) -> None:
    order: list[str] = []

    @app.task(fair_by="tenant")
    async def work(tenant: str) -> None:
        order.append(tenant)

    handles = await work.map(["big"] * 200 + ["small"] * 5)
    async with worker(app, concurrency=4):
        for handle in handles:
            await handle.result(20)
    assert max(place for place, tenant in enumerate(order) if tenant == "small") < 50


async def test_a_queue_may_be_fair_and_some_have_more_turns(app: Jobbers, worker: StartWorker) -> None:
    order: list[str] = []
    app.queue("shared", fair_by=Fair("tenant", {"gold": 3}))

    @app.task(queue="shared")
    async def work(tenant: str) -> None:
        order.append(tenant)

    # Every shard counts turns for itself: it has to hold enough of both for the first forty.
    handles = await work.map(["iron"] * 60 + ["gold"] * 90)
    async with worker(app, queues=["shared"], concurrency=1):
        for handle in handles:
            await handle.result(20)
    assert 25 <= order[:40].count("gold") <= 35


async def test_tasks_of_graphs_and_maps_have_limits_too(
    app: Jobbers, worker: StartWorker, peak: Peak
) -> None:
    @app.task(limits=[Limit(2)])
    async def work(number: int) -> int:
        await peak.stay()
        return number

    @app.task
    async def total(numbers: list[int]) -> int:
        return sum(numbers)

    dag = app.dag("mapped")
    dag.node(total, dag.map(work, list(range(10))))
    runs = [
        await dag.submit(),
        await group(*[work.s(number) for number in range(10)]).then(total.s()).submit(),
    ]
    async with worker(app, concurrency=20):
        assert [await run.result(20) for run in runs] == [45, 45]
    assert peak.most[None] == 2


async def test_limits_are_changed_while_workers_run(app: Jobbers, worker: StartWorker, peak: Peak) -> None:
    go_on = asyncio.Event()

    @app.task(limits=[Limit(1, key="user")])
    async def work(user: str) -> None:
        await peak.stay(user, go_on)

    async with worker(app, concurrency=20), asyncio.timeout(40):
        await app.limits.set("work:user", 2)
        handles = await work.map(["ann"] * 4 + ["bob"] * 2)
        await peak.full.wait()
        await asyncio.sleep(0.1)
        state = await app.limits.get("work:user")
        assert (state.amount, state.amount_in_code, state.per) == (2, 1, None)
        (use,) = await app.limits.uses("work:user")
        assert (use.key, use.used, use.waiting, len(use.held_by), len(use.first)) == ("ann", 2, 2, 2, 2)
        await app.limits.set("work:user", 4)
        while peak.most["ann"] < 4:  # noqa: ASYNC110 - whoever is inside tells nobody
            await asyncio.sleep(0.02)
        go_on.set()
        for handle in handles:
            await handle.result(20)
        assert peak.most["ann"] == 4
        await app.limits.reset("work:user")
        assert (await app.limits.get("work:user")).amount == 1
    with pytest.raises(NotFound, match="no limit or rate 'nothing'"):
        await app.limits.set("nothing", 1)
    with pytest.raises(InvalidInput, match="whole number from 1"):
        await app.limits.set("work:user", 0)


async def test_a_queue_tells_how_many_are_parked_and_may_refuse_for_them(app: Jobbers) -> None:
    app.queue("narrow", max_length=20)

    @app.task(queue="narrow", fair_by="tenant")
    async def work(tenant: str) -> None: ...

    async def submit_until_full() -> None:
        for _ in range(21):
            await work.submit("a")

    with pytest.raises(QueueFull):
        await submit_until_full()
    (queue,) = await (await app.inspector()).queues()
    assert queue.parked > 0
    assert queue.depth + queue.parked <= 20


async def test_a_queue_is_purged_with_all_that_is_parked(app: Jobbers) -> None:
    @app.task(queue="shared", fair_by="tenant")
    async def work(tenant: str) -> None: ...

    @app.task(queue="elsewhere", fair_by="tenant")
    async def other(tenant: str) -> None: ...

    handles = await work.map(["a"] * 300 + ["b"] * 3)
    kept = await other.map(["a"] * 3)
    assert await (await app.inspector()).purge("shared") == 303
    assert {await handle.status() for handle in handles} == {Status.CANCELLED}
    assert Status.CANCELLED not in {await handle.status() for handle in kept}


async def test_a_worker_that_ends_when_nothing_is_left_waits_for_what_is_parked(app: Jobbers) -> None:
    @app.task(rates=[Rate(2, per=0.3)])
    async def call(number: int) -> int:
        return number

    handles = await call.map(range(5))
    await Worker(app, burst=True).run()
    assert {await handle.status() for handle in handles} == {Status.SUCCEEDED}


async def test_what_the_code_says_is_written_when_an_app_opens(jobbers_server: str) -> None:
    app = Jobbers(jobbers_server, namespace=fresh_namespace())

    @app.task(limits=[Limit(3)], rates=[Rate(7, per="minute")], breaker=Breaker())
    async def work() -> None: ...

    async with app:
        assert {state.name: state.amount for state in await app.limits.list()} == {
            "work": 3,
            "work:minute": 7,
        }
        assert [state.name for state in await app.breakers.list()] == ["work"]

        @app.task(limits=[Limit(5)])
        async def later() -> None: ...

        assert (await app.limits.get("later")).amount == 5
