"""Options of task types are changed while workers run, by somebody else: they follow within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobbers import Jobbers, TaskFailed
from jobbers.core.live_policy import Live
from jobbers.core.status import Status
from jobbers.errors import InvalidInput, NotFound, StoreError
from tests.scenarios.harness import until

SOON = 40
runs: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran_yet() -> None:
    runs.clear()


def define(app: Jobbers) -> None:
    @app.task
    async def nap(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "woke"

    @app.task(retry=2, timeout=30)
    async def fall(name: str) -> None:
        runs.append(name)
        raise ValueError(name)


@pytest.fixture
async def operator(app: Jobbers) -> AsyncIterator[Jobbers]:
    """Somebody without the code, who shares nothing with the worker but the server."""
    async with Jobbers(settings=app.settings) as operator:
        yield operator


async def heard(app: Jobbers, kind: str, live: Live) -> None:
    await until(lambda: app.task_types[kind].live == live, f"{kind} is {live}", SOON)


@pytest.mark.parametrize("shards", [1], indirect=True)
async def test_a_worker_takes_another_timeout_and_other_attempts(
    app: Jobbers, operator: Jobbers, worker: Any
) -> None:
    define(app)
    nap, fall = app.task_types["nap"], app.task_types["fall"]
    async with worker(app):
        long = await nap.submit(60)
        await until(lambda: _running(app, long.id), "it runs", SOON)
        await operator.policies.set("nap", timeout=0.2)
        await heard(app, "nap", {"timeout": 0.2})
        with pytest.raises(TaskFailed, match=r"ran for more than 0\.2 s"):
            await (await nap.submit(60)).result(SOON)
        assert await long.status() == "running", "by the timeout with which it began"
        await operator.policies.set("fall", attempts=4, backoff="fixed", delay=0.01)
        await heard(app, "fall", {"attempts": 4, "backoff": "fixed", "delay": 0.01})
        with pytest.raises(TaskFailed):
            await (await fall.submit("four")).result(SOON)
        assert runs == ["four"] * 4
        await operator.policies.set("fall", attempts=1)
        await heard(app, "fall", {"attempts": 1})
        with pytest.raises(TaskFailed):
            await (await fall.submit("once")).result(SOON)
        assert runs.count("once") == 1
        await operator.policies.reset("nap")
        await heard(app, "nap", {})
        assert await (await nap.submit(0.4)).result(SOON) == "woke"
        await long.cancel()


async def _running(app: Jobbers, task_id: str) -> bool:
    return (await (await app.inspector()).task(task_id)).status == "running"


@pytest.mark.parametrize("shards", [1], indirect=True)
async def test_a_worker_that_starts_later_knows_it_from_the_first_task_on(
    app: Jobbers, operator: Jobbers, worker: Any
) -> None:
    define(app)
    await operator.policies.set("fall", attempts=1)
    handle = await app.task_types["fall"].submit("early")
    app.policies.follow({})  # as if this process had not heard of it
    async with worker(app):
        with pytest.raises(TaskFailed):
            await handle.result(SOON)
    assert runs == ["early"]


async def test_what_is_submitted_goes_by_it_unless_it_says_otherwise(app: Jobbers, operator: Jobbers) -> None:
    define(app)
    nap = app.task_types["nap"]
    await operator.policies.set("nap", priority=1, deadline=60)
    (await app.client()).store.queues._until = 0.0  # a second has passed
    one = await (await nap.submit(1)).record()
    (mapped,) = [await it.record() for it in await nap.map([1])]
    own = await (await nap.options(priority=5, deadline=5).submit(1)).record()
    for record in (one, mapped):
        assert record.priority == 1
        assert record.deadline is not None
        assert 59 < (record.deadline - record.created).total_seconds() < 61
    assert own.priority == 5, "that of the code, but chosen"
    assert own.deadline is not None
    assert (own.deadline - own.created).total_seconds() < 6


async def test_so_do_tasks_of_runs_and_of_schedules(app: Jobbers, operator: Jobbers, worker: Any) -> None:
    define(app)
    nap = app.task_types["nap"]
    graph = app.dag("one")
    graph.node(nap, 0)
    await app.schedules.create("often", nap.s(0), every=3600)
    await operator.policies.set("nap", priority=2)
    (await app.client()).store.queues._until = 0.0
    (node,) = await (await graph.submit()).nodes()
    assert (await app.handle(node.id).record()).priority == 2
    assert (await app.handle(await app.schedules.run("often")).record()).priority == 2
    await app.schedules.create("soon", nap.s(0), every=0.1)
    assert (await app.schedules.get("soon")).name == "soon"
    async with worker(app):
        await until(lambda: _ended(app, 3), "the schedule starts tasks", SOON)
        await app.schedules.delete("soon")
    inspector = await app.inspector()
    ended = (await inspector.tasks(Status.SUCCEEDED)).tasks
    assert {task.priority for task in ended if task.type == "nap"} == {2}


async def _ended(app: Jobbers, count: int) -> bool:
    return len((await (await app.inspector()).tasks(Status.SUCCEEDED)).tasks) >= count


async def test_records_stay_for_as_long_as_is_said(app: Jobbers, operator: Jobbers, worker: Any) -> None:
    define(app)
    await operator.policies.set("nap", retention=100)
    (await app.client()).store.queues._until = 0.0
    async with worker(app):
        handle = await app.task_types["nap"].submit(0)
        await handle.result(SOON)
    store = (await app.client()).store
    keys = store.shards[store.tasks.shard(handle.id)]
    assert 0 < await store.gateway.command("PTTL", keys.task(handle.id)) <= 100_000


async def test_what_makes_no_sense_is_refused_by_name(app: Jobbers) -> None:
    define(app)
    for options, said in (
        ({"timeout": -1}, "timeout must be zero or more seconds"),
        ({"heartbeat": 0}, "heartbeat must be more than zero"),
        ({"retention": None}, "retention must be"),
        ({"priority": 10}, "priority must be a whole number from 0"),
        ({"attempts": 0}, "attempts of 1 or more"),
        ({"backoff": "cubic"}, "backoff must be"),
        ({"delay": "soon"}, "the delay of Retry"),
        ({"jitter": 1}, "jitter must be true or false"),
        ({"queue": "other"}, "no option 'queue'"),
        ({}, "say what to change"),
    ):
        with pytest.raises(InvalidInput, match=said):
            await app.policies.set("nap", **options)
    with pytest.raises(NotFound, match="no task type 'nope'"):
        await app.policies.set("nope", timeout=1)
    with pytest.raises(NotFound, match="nothing was set live"):
        await app.policies.reset("nap")
    assert (await app.policies.get("nap")).live == {}


@pytest.mark.parametrize("shards", [1], indirect=True)
async def test_garbage_counts_as_nothing(app: Jobbers, caplog: pytest.LogCaptureFixture) -> None:
    define(app)
    store = (await app.client()).store
    for text in (b"\xff", b"[]", b'{"timeout": -1}', b"[" * 9_000):
        await store.gateway.command("HSET", store.keys.policies, "nap", text)
        await store.gateway.command("HSET", store.keys.policies, "fall", b'{"timeout":1}')
        assert await store.policies.look() == {"fall": {"timeout": 1}}
    assert "'nap' cannot be read" in caplog.text
    assert app.task_types["fall"].policy.timeout_ms == 1000
    await store.gateway.command("DEL", store.keys.policies)
    await store.gateway.command("SET", store.keys.policies, "no hash")
    assert await store.policies.look() == {}
    assert app.task_types["fall"].policy.timeout_ms == 30_000
    await store.queues.route("nap", "elsewhere")
    assert (await (await app.task_types["nap"].submit(0)).record()).queue == "elsewhere"
    with pytest.raises(StoreError, match="cannot be changed"):
        await app.policies.set("nap", timeout=1)
    await store.gateway.command("DEL", store.keys.policies)
