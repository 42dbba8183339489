"""Why a task or a run does not run, asked of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from jobbers import Breaker, Fair, Jobbers, Limit, Rate, Retry, Status, chain
from jobbers.core.signals import Snooze
from jobbers.core.strike import Strike
from jobbers.core.why_facts import Why
from jobbers.errors import NotFound
from jobbers.store import why as store_why
from jobbers.testing.keyspace import fresh_namespace
from tests.conftest import StartWorker


async def told(app: Jobbers, task_id: str, until: Callable[[Why], bool]) -> Why:
    """What is told of a task once that is as it should be; what workers say of themselves comes a little late."""
    inspector = await app.inspector()
    for _ in range(150):
        why = await inspector.why(task_id)
        if until(why):
            break
        await asyncio.sleep(0.1)
    assert until(why), why
    return why


def codes(why: Why) -> list[str]:
    return [why.primary.code, *(reason.code for reason in why.others)]


async def test_no_worker_then_a_pause_then_ended(app: Jobbers, worker: StartWorker) -> None:
    @app.task(queue="mail")
    async def send() -> None: ...

    @app.task
    async def other() -> None: ...

    inspector = await app.inspector()
    handle = await send.submit()
    why = await inspector.why(handle.id)
    assert codes(why) == ["no_worker", "in_lane"]
    assert "no worker is alive at all" in why.primary.text
    await inspector.pause("mail")
    assert codes(await inspector.why(handle.id)) == ["paused", "no_worker", "in_lane"]
    await inspector.drain("mail")
    async with worker(app, queues=["default"]):
        why = await told(app, handle.id, lambda why: "1 worker is alive" in why.others[0].text)
        assert "and serves default" in why.others[0].text
        assert codes(why) == ["paused", "no_worker", "in_lane", "draining"]
    await inspector.resume("mail")
    async with worker(app, queues=["mail"]):
        await handle.result(20)
    why = await inspector.why(handle.id)
    assert (codes(why), why.waits, why.status) == (["ended"], False, Status.SUCCEEDED)
    with pytest.raises(NotFound):
        await inspector.why("01" + "0" * 24)


async def test_a_role_without_a_worker_is_named(app: Jobbers) -> None:
    @app.task(queue="mail")
    async def send() -> None: ...

    await (await app.live_roles()).set("post", ["mail"], force=True)
    why = await (await app.inspector()).why((await send.submit()).id)
    assert "role post has it, without a worker" in why.primary.text
    assert why.primary.facts["roles"] == ["post"]


async def test_busy_workers_and_the_place_in_the_lane(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()

    @app.task
    async def hold(number: int) -> None:
        await gate.wait()

    @app.task(queue="narrow", limits=[Limit(1, per="worker")])
    async def one(number: int) -> None:
        await gate.wait()

    async with worker(app, concurrency=2, queues=["default", "narrow"]):
        running = await hold.map(range(2))
        why = await told(app, running[0].id, lambda why: why.primary.code == "running")
        assert "on worker" in why.primary.text
        waiting = [await hold.submit(number) for number in range(4)]
        urgent = await hold.options(priority=9).submit(5)
        why = await told(app, waiting[0].id, lambda why: why.primary.code == "busy")
        assert why.primary.text.startswith("all 2 slots of worker")
        place = why.others[0].facts
        assert place["exact"]
        assert place["ahead"] < 4
        narrow = [await one.submit(number) for number in range(2)]
        why = await told(app, narrow[1].id, lambda why: why.primary.code in ("busy", "running"))
        other = await told(app, narrow[0].id, lambda why: why.primary.code in ("busy", "running"))
        busy = why if why.primary.code == "busy" else other
        assert busy.primary.text.startswith("all 1 slots of worker")
        gate.set()
        for handle in [*running, *waiting, urgent, *narrow]:
            await handle.result(20)


async def test_the_place_in_the_lane(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    @app.task
    async def work(number: int) -> None: ...

    handles = [await work.submit(number) for number in range(60)]
    low = await work.options(priority=1).submit(0)
    inspector = await app.inspector()
    shards = len(inspector.store.shards)
    facts = [(await inspector.why(handle.id)).others[0].facts for handle in handles]
    assert all(one["exact"] for one in facts)
    if shards == 1:
        assert [one["ahead"] for one in facts] == [*range(60)]
        assert (await inspector.why(low.id)).others[0].facts["higher_priority"] == 60
    monkeypatch.setattr(store_why, "LOOKED_AT", 5)
    guesses = [(await inspector.why(handle.id)).others[0].facts for handle in handles]
    for exact, guess in zip(facts, guesses, strict=True):
        depth = exact["depth"]
        near_an_end = exact["ahead"] <= 5 or depth - 1 - exact["ahead"] <= 5
        assert guess["exact"] == near_an_end
        assert guess["ahead"] == exact["ahead"] if near_an_end else 5 < guess["ahead"] <= depth - 5
    if shards == 1:
        assert "about" in (await inspector.why(handles[30].id)).others[0].text


async def test_limits_rates_and_turns(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()

    @app.task(limits=[Limit(1, key="user")])
    async def send(user: str) -> None:
        await gate.wait()

    @app.task(rates=[Rate(1, per="minute")])
    async def rated() -> None: ...

    @app.task(queue="fair", fair_by=Fair("tenant"))
    async def fair(tenant: str) -> None: ...

    turns = [await fair.submit("acme") for _ in range(3)]
    by_shard = [await (await app.inspector()).why(handle.id) for handle in turns]
    waiting = [why for why in by_shard if why.primary.code == "turn"]
    assert all(why.primary.facts["key"] == "acme" for why in waiting)
    assert waiting or app.settings.shards > 1
    async with worker(app, queues=["default"]):
        first = await send.submit("ann lee")
        await told(app, first.id, lambda why: why.primary.code == "running")
        second, third = await send.submit("ann lee"), await send.submit("ann lee")
        why = await told(app, third.id, lambda why: why.primary.code == "limit")
        assert why.primary.facts == {
            "limit": "send:user", "key": "ann lee", "allows": 1, "used": 1, "needs": 1,
            "held_by": [first.id], "waiting": 2, "place": 2,
        }  # fmt: skip
        assert "limit send:user for ann lee is full: 1 of 1 taken, by " in why.primary.text
        await (await rated.submit()).result(20)
        late = await rated.submit()
        why = await told(app, late.id, lambda why: why.primary.code == "rate")
        assert why.primary.facts["exact"]
        assert 1 <= why.primary.facts["seconds"] <= 60
        await app.limits.set("rated:minute", 5)
        await late.result(20)
        gate.set()
        for handle in (first, second, third):
            await handle.result(20)
    # What is in its lane still hears of the limit that would hold it up next.
    async with worker(app, queues=["fair"]):
        for handle in turns:
            await handle.result(20)


async def test_a_full_limit_is_told_to_what_is_still_in_its_lane(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()

    @app.task(limits=[Limit(1)])
    async def send() -> None:
        await gate.wait()

    async with worker(app):
        first = await send.submit()
        await told(app, first.id, lambda why: why.primary.code == "running")
        await (await app.inspector()).pause("default")
        second = await send.submit()
        why = await told(app, second.id, lambda why: "in_lane" in codes(why))
        assert codes(why) == ["paused", "in_lane", "limit"]
        await (await app.inspector()).resume("default")
        gate.set()
        await second.result(20)


async def test_a_breaker(app: Jobbers, worker: StartWorker) -> None:
    @app.task(breaker=Breaker(key="host"))
    async def call(host: str) -> None: ...

    async with worker(app):
        await (await call.submit("a.test")).result(20)
        await app.breakers.trip("call:host", "a.test", open_for=600)
        first, second = await call.submit("a.test"), await call.submit("a.test")
        why = await told(app, second.id, lambda why: why.status is Status.BLOCKED)
        assert why.primary.code == "breaker"
        assert why.primary.text.startswith("breaker call:host for a.test is open")
        assert 500_000 < why.primary.facts["open_ms"] <= 600_000
        await app.breakers.reset("call:host", "a.test")
        await app.breakers.trip("call:host", "a.test")
        third = await call.submit("a.test")
        why = await told(app, third.id, lambda why: why.status is Status.BLOCKED)
        assert "opened by hand" in why.primary.text
        await app.breakers.reset("call:host", "a.test")
        for handle in (first, second, third):
            await handle.result(20)


async def test_due_after_a_delay_a_failure_and_a_snooze(app: Jobbers, worker: StartWorker) -> None:
    @app.task(retry=Retry(3, delay=600))
    async def fall() -> None:
        raise ValueError("no such thing\nat all")

    @app.task
    async def put_back() -> None:
        raise Snooze(600, "the office is closed")

    @app.task
    async def work() -> None: ...

    delayed = await work.options(delay=600).submit()
    why = await (await app.inspector()).why(delayed.id)
    assert codes(why) == ["delayed", "no_worker"]
    assert 500 < why.primary.facts["seconds"] <= 600
    fallen, snoozed = await fall.submit(), await put_back.submit()
    async with worker(app):
        why = await told(app, fallen.id, lambda why: why.status is Status.SCHEDULED)
        assert why.primary.code == "retry"
        assert why.primary.text.startswith(
            "attempt 1 of 3 failed with ValueError: no such thing; it is due in "
        )
        why = await told(app, snoozed.id, lambda why: why.status is Status.SCHEDULED)
        assert why.primary.code == "snoozed"
        assert "it was put back (the office is closed)" in why.primary.text


async def test_runs_and_their_nodes(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()

    @app.task
    async def hold() -> int:
        await gate.wait()
        return 1

    @app.task
    async def add(number: int) -> int:
        return number + 1

    dag = app.dag("two")
    dag.node(add, dag.node(hold).named("first")).named("second")
    run = await dag.submit()
    inspector = await app.inspector()
    first, second = (node.id for node in await run.nodes())
    why = await inspector.why(second)
    assert codes(why) == ["parents", "no_worker"]
    assert why.primary.text == "it waits for 1 node before it in its run: first (queued)"
    why = await inspector.why(run.id)
    assert (
        why.primary.text
        == "it waits for its nodes: 2 have not ended: first (queued) and 1 that waits for others"
    )
    assert [(reason.code, reason.task) for reason in why.others] == [("no_worker", first)]
    await run.pause()
    assert codes(await inspector.why(run.id)) == ["run_paused", "nodes", "run_paused"]
    assert codes(await inspector.why(first)) == ["run_paused", "no_worker"]
    await run.resume()
    gate.set()
    async with worker(app):
        assert await run.result(20) == 2
    assert codes(await inspector.why(run.id)) == ["ended"]


async def test_maps_and_what_runs_in_ones_place(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()

    @app.task
    async def hold(number: int) -> int:
        await gate.wait()
        return number

    @app.task
    async def launch() -> object:
        return chain(hold.s(7))

    dag = app.dag("many")
    dag.map(hold, [1, 2, 3]).at_a_time(2).named("each")
    run = await dag.submit()
    launched = await launch.submit()
    async with worker(app):
        (each,) = await run.nodes()
        why = await told(app, each.id, lambda why: why.primary.code == "items")
        assert why.primary.text == (
            "it waits for its items: 0 of 3 are done, 2 under way, 1 not begun (at most 2 at a time)"
        )
        why = await told(app, launched.id, lambda why: why.primary.code == "started")
        assert "which it has started in its place (blocked)" in why.primary.text
        gate.set()
        assert await run.result(20) == [1, 2, 3]
        assert await launched.result(20) == 7


async def test_strikes(app: Jobbers) -> None:
    @app.task
    async def send(user: int, text: str = "") -> None: ...

    inspector = await app.inspector()
    handle, other = await send.submit(4), await send.submit(5)
    strike = await inspector.strike(Strike("01" + "A" * 24, "send", {"user": 4}, "hold", "broken"))
    why = await inspector.why(handle.id)
    assert why.primary.code == "strike"
    assert f"strike {strike.id}: broken is on such tasks" in why.primary.text
    assert (await inspector.why(other.id)).primary.code == "no_worker"


async def test_only_what_may_be_seen_is_named(app: Jobbers, worker: StartWorker) -> None:
    gate = asyncio.Event()
    shared = [Limit(1, name="db")]

    @app.task(queue="mail", limits=shared)
    async def send() -> None: ...

    @app.task(queue="secret", limits=shared)
    async def hide() -> None:
        await gate.wait()

    async with worker(app, queues=["secret"]):
        holder = await hide.submit()
        await told(app, holder.id, lambda why: why.primary.code == "running")
        async with worker(app, queues=["mail"]):
            handle = await send.submit()
            await told(app, handle.id, lambda why: why.primary.code == "limit")
        inspector = await app.inspector()
        assert (await inspector.why(handle.id)).primary.facts["held_by"] == [holder.id]
        why = await inspector.why(handle.id, {"mail"})
        assert why.primary.facts["held_by"] == []
        assert why.primary.facts["used"] == 1
        assert "secret" not in str(why)
        await inspector.cancel([handle.id])
        gate.set()
        await holder.result(20)


def test_from_plain_code(jobbers_server: str) -> None:
    app = Jobbers(jobbers_server, namespace=fresh_namespace())

    @app.task
    def work() -> None: ...

    handle = app.sync.submit(work)
    assert app.sync.why(handle.id).primary.code == "no_worker"
    app.sync.close()
