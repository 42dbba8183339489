"""Tasks that one call of their function takes together, each of them by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest

from jobbers import (
    Batch,
    Call,
    CurrentBatch,
    Fail,
    Jobbers,
    JobbersError,
    Retry,
    Skip,
    Snooze,
    Status,
    TaskCancelled,
    TaskFailed,
    TaskHandle,
    TaskSkipped,
    current_batch,
    current_task,
)
from jobbers.core.events import AttemptEnded, AttemptStarted
from jobbers.errors import ConfigError, InvalidArgument
from tests.conftest import StartWorker


@dataclass
class Event:
    kind: str
    number: int


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the server tells of it."""
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110 - what is waited for happens on the server
            await asyncio.sleep(0.01)


async def all_run(handles: list[TaskHandle[Any]]) -> bool:
    return all([await handle.status() is Status.RUNNING for handle in handles])


async def is_halfway(handle: TaskHandle[Any]) -> bool:
    record = await handle.record()
    return (record.step, record.progress) == ("halfway", 0.5)


async def test_one_call_takes_many_tasks(app: Jobbers, worker: StartWorker) -> None:
    calls: list[list[int]] = []

    @app.task(batch=Batch(size=10, linger="100ms"))
    async def square(numbers: list[int]) -> list[int]:
        calls.append(numbers)
        return [number * number for number in numbers]

    handles = await square.map(range(100))
    async with worker(app, concurrency=100):
        assert [await handle.result(20) for handle in handles] == [number**2 for number in range(100)]
    assert sorted(number for call in calls for number in call) == list(range(100))
    assert max(map(len, calls)) == 10
    assert len(calls) < 50


async def test_a_batch_that_is_not_full_waits_no_longer_than_its_linger(
    app: Jobbers, worker: StartWorker
) -> None:
    sizes: list[int] = []

    @app.task(batch=Batch(size=100, linger=0.05))
    async def count(texts: list[str]) -> None:
        sizes.append(len(texts))

    async with worker(app):
        first = await count.submit("alone")
        assert await first.result(20) is None
        assert sizes == [1]
        for handle in await count.map(["a", "b", "c"]):
            await handle.result(20)
    assert sum(sizes) == 4


async def test_a_batch_is_no_larger_than_the_worker(app: Jobbers, worker: StartWorker) -> None:
    """Without an end of the linger in sight: all places are taken, so nothing more can come."""

    @app.task(batch=Batch(size=100, linger=3600))
    async def count(texts: list[str]) -> list[int]:
        return [len(texts)] * len(texts)

    handles = await count.map(["x"] * 12)
    async with worker(app, concurrency=4):
        sizes = [await handle.result(20) for handle in handles]
    assert sizes == [4] * 12


async def test_each_item_succeeds_or_fails_by_itself(app: Jobbers, worker: StartWorker) -> None:
    seen: list[tuple[int, int]] = []

    @app.task(batch=Batch(size=10), retry=Retry(3, delay=0.01))
    async def pick(numbers: list[int]) -> list[int | Exception]:
        outcomes: list[int | Exception] = []
        for number, task in zip(numbers, current_batch().tasks, strict=True):
            seen.append((number, task.attempt))
            match number:
                case 1 if task.attempt < 3:
                    outcomes.append(ConnectionError("not yet"))
                case 2:
                    outcomes.append(Fail("two is no good"))
                case 3:
                    outcomes.append(Skip("three is not needed"))
                case 4 if not task.snoozes:
                    outcomes.append(Snooze(0.01))
                case _:
                    outcomes.append(number * 10)
        return outcomes

    handles = await pick.map(range(5))
    async with worker(app):
        assert [await handles[number].result(20) for number in (0, 1, 4)] == [0, 10, 40]
        with pytest.raises(TaskFailed, match="two is no good"):
            await handles[2].result(20)
        with pytest.raises(TaskSkipped):
            await handles[3].result(20)
    assert sorted(seen) == [(0, 1), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (4, 1), (4, 1)]


@pytest.mark.parametrize("returned", [[1], [1, 2, 3], "xy", 7, {1: 1, 2: 2}])
async def test_what_is_no_list_of_one_result_an_item_fails_all(
    app: Jobbers, worker: StartWorker, returned: Any
) -> None:
    @app.task(batch=Batch(size=2, linger=10), retry=5)
    async def wrong(numbers: list[int]) -> Any:
        return returned

    shards_apart = await wrong.map([0, 1] * 4)
    async with worker(app, concurrency=2):
        for handle in shards_apart:
            with pytest.raises(TaskFailed, match="batch"):
                await handle.result(20)
            assert len((await handle.record()).errors) == 1


async def test_what_the_function_raises_counts_for_all(app: Jobbers, worker: StartWorker) -> None:
    attempts: dict[int, int] = {}

    @app.task(batch=Batch(size=8, linger=0.1), retry=Retry(2, delay=0.01))
    async def flaky(numbers: list[int]) -> None:
        for number in numbers:
            attempts[number] = attempts.get(number, 0) + 1
        if any(attempts[number] == 1 for number in numbers):
            raise ConnectionError("the database is away")

    handles = await flaky.map(range(8))
    async with worker(app):
        states = []
        for handle in handles:
            try:
                states.append(await handle.result(20))
            except TaskFailed as failed:
                states.append(str(failed))
    assert set(attempts.values()) == {2}
    assert len(states) == 8


async def test_a_result_that_cannot_be_stored_fails_only_its_item(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(size=3))
    async def odd(numbers: list[int]) -> list[Any]:
        return [object() if number == 1 else number for number in numbers]

    handles = await odd.map(range(3))
    async with worker(app):
        assert [await handles[0].result(20), await handles[2].result(20)] == [0, 2]
        with pytest.raises(TaskFailed, match="cannot be stored"):
            await handles[1].result(20)


async def test_large_results_go_to_the_blob_store(app: Jobbers, worker: StartWorker) -> None:
    app.settings = app.settings.model_copy(update={"offload_above": 1000})

    @app.task(batch=Batch(size=4))
    async def repeat(counts: list[int]) -> list[str]:
        return ["x" * count for count in counts]

    handles = await repeat.map([1, 5000, 2, 9000])
    async with worker(app):
        assert [len(await handle.result(20)) for handle in handles] == [1, 5000, 2, 9000]


@pytest.mark.parametrize("by", ["kind", lambda event: event.kind])
async def test_only_items_with_the_same_key_go_together(app: Jobbers, worker: StartWorker, by: Any) -> None:
    calls: list[list[Event]] = []

    @app.task(batch=Batch(size=100, linger=0.05, by=by))
    async def store(events: list[Event]) -> None:
        calls.append(events)

    handles = await store.map([Event("abc"[number % 3], number) for number in range(30)])
    async with worker(app):
        for handle in handles:
            await handle.result(20)
    assert all(len({event.kind for event in call}) == 1 for call in calls)
    assert len(calls) < 25
    assert sum(map(len, calls)) == 30


async def test_an_item_without_a_key_fails_alone(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(by="kind"))
    async def store(events: list[dict[str, Any]]) -> None: ...

    handles = await store.map([{"kind": "a"}, {}, {"kind": []}])
    async with worker(app):
        await handles[0].result(20)
        for handle in handles[1:]:
            with pytest.raises(TaskFailed):
                await handle.result(20)
        assert "no 'kind'" in (await handles[1].record()).errors[0].message


async def test_plain_functions_take_batches_in_threads(app: Jobbers, worker: StartWorker) -> None:
    threads: set[str] = set()

    @app.task(batch=Batch(size=5))
    def lengths(texts: list[str]) -> list[int]:
        threads.add(threading.current_thread().name)
        assert current_batch().tasks[0].type == "lengths"
        return [len(text) for text in texts]

    handles = await lengths.map(["a", "bb", "ccc"])
    async with worker(app):
        assert [await handle.result(20) for handle in handles] == [1, 2, 3]
    assert threading.main_thread().name not in threads


async def test_a_cancelled_item_leaves_the_others_alone(app: Jobbers, worker: StartWorker) -> None:
    begun = asyncio.Event()

    @app.task(batch=Batch(size=3, linger=3600))
    async def wait(numbers: list[int]) -> list[int]:
        begun.set()
        tasks = current_batch().tasks

        async def heard() -> bool:
            return any(task.over for task in tasks)

        await until(heard)
        assert [task.over for task in tasks] == [number == 1 for number in numbers]
        return numbers

    handles = await wait.map(range(3))
    async with worker(app, concurrency=3), asyncio.timeout(20):
        await begun.wait()
        await handles[1].cancel()
        with pytest.raises(TaskCancelled):
            await handles[1].result(20)
        assert [await handles[0].result(20), await handles[2].result(20)] == [0, 2]
    assert await handles[1].status() is Status.CANCELLED


async def test_when_all_items_are_cancelled_the_call_is(app: Jobbers, worker: StartWorker) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @app.task(batch=Batch(size=2, linger=10))
    async def wait(numbers: list[int]) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    handles = await wait.map(range(2))
    async with worker(app, concurrency=2), asyncio.timeout(20):
        await begun.wait()
        for handle in handles:
            await handle.cancel()
        await ended.wait()


async def test_an_item_that_is_cancelled_while_it_waits_is_not_run(
    app: Jobbers, worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[list[int]] = []

    async def heard() -> bool:
        return f"task {handles[0].id} is not this worker's any more" in caplog.text

    @app.task(batch=Batch(size=3, linger=3600))
    async def store(numbers: list[int]) -> None:
        calls.append(sorted(numbers))

    handles = await store.map(range(2))
    async with worker(app), asyncio.timeout(20):
        await until(lambda: all_run(handles))
        await handles[0].cancel()
        await until(heard)
        for handle in await store.map([2, 3]):  # now it is full
            await handle.result()
    assert calls == [[1, 2, 3]]


async def test_the_timeout_is_of_the_call(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(size=2), timeout=0.1)
    async def slow(numbers: list[int]) -> None:
        await asyncio.sleep(60)

    handles = await slow.map(range(2))
    async with worker(app):
        for handle in handles:
            with pytest.raises(TaskFailed):
                await handle.result(20)
            assert (await handle.record()).errors[0].type == "TimedOut"


async def test_heartbeats_of_a_batch_are_those_of_its_items(app: Jobbers, worker: StartWorker) -> None:
    shown, go_on = asyncio.Event(), asyncio.Event()

    @app.task(batch=Batch(size=2, linger=0.2), heartbeat=30)
    async def convert(numbers: list[int]) -> None:
        await current_batch().heartbeat("halfway", progress=0.5)
        if 0 in numbers:
            shown.set()
        await go_on.wait()

    handles = await convert.map(range(2))
    async with worker(app), asyncio.timeout(20):
        await shown.wait()
        for handle in handles:
            await until(lambda handle=handle: is_halfway(handle))
        go_on.set()
        await handles[0].result(20)


async def test_a_silent_batch_is_ended(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(size=2, linger=0.01), heartbeat=0.1)
    async def silent(numbers: list[int]) -> None:
        await asyncio.sleep(60)

    handles = await silent.map(range(2))
    async with worker(app):
        for handle in handles:
            with pytest.raises(TaskFailed):
                await handle.result(20)
            assert (await handle.record()).errors[0].type == "HeartbeatMissed"


async def test_a_shutdown_puts_back_what_waits_and_what_runs(app: Jobbers, worker: StartWorker) -> None:
    app.settings = app.settings.model_copy(update={"grace": 0.05})
    begun = asyncio.Event()

    @app.task(batch=Batch(size=5, linger=3600))
    async def wait(numbers: list[int]) -> list[int]:
        begun.set()
        if first:
            await asyncio.sleep(60)
        return numbers

    first = True
    handles = await wait.map(range(8))
    async with worker(app, concurrency=100), asyncio.timeout(20):
        await begun.wait()
        await until(lambda: all_run(handles))
    records = [await handle.record() for handle in handles]
    assert {(record.status, record.attempt) for record in records} == {(Status.QUEUED, 0)}
    first = False
    async with worker(app, concurrency=4):
        assert [await handle.result(20) for handle in handles] == list(range(8))


async def test_nodes_and_maps_of_a_batched_type(app: Jobbers, worker: StartWorker) -> None:
    sizes: list[int] = []

    @app.task
    async def numbers(count: int) -> list[int]:
        return list(range(count))

    @app.task(batch=Batch(size=50, linger=0.05))
    async def square(values: list[int]) -> list[int]:
        sizes.append(len(values))
        return [value * value for value in values]

    @app.task(batch=Batch(size=50, linger=0.01))
    async def total(lists: list[list[int]]) -> list[int]:
        return [sum(one) for one in lists]

    dag = app.dag("squares")
    dag.node(square, dag.node(total, dag.map(square, dag.node(numbers, dag.param("count")))).named("total"))
    run = await dag.submit(count=400)
    async with worker(app):
        assert await run.result(30) == sum(number * number for number in range(400)) ** 2
    assert len(sizes) < 200


async def test_a_node_that_is_skipped_by_its_condition(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(size=2, linger=0.01))
    async def double(values: list[int]) -> list[int]:
        return [2 * value for value in values]

    dag = app.dag("maybe")
    first = dag.node(double, 4)
    dag.node(double, first).named("more").only_if(first, equals=100)
    dag.node(double, first).named("less").only_if(first, equals=8)
    run = await dag.submit()
    async with worker(app):
        await run.wait(20)
        states = {node.name: node.status for node in await run.nodes()}
    assert states == {"double": "succeeded", "more": "skipped", "less": "succeeded"}


async def test_events_tell_of_each_item(app: Jobbers, worker: StartWorker) -> None:
    begun: list[AttemptStarted] = []
    over: list[AttemptEnded] = []
    app.events.subscribe(begun.append, AttemptStarted)
    app.events.subscribe(over.append, AttemptEnded)

    @app.task(batch=Batch(size=3))
    async def pick(numbers: list[int]) -> list[int | Exception]:
        return [ValueError() if number == 1 else number for number in numbers]

    handles = await pick.map(range(3))
    async with worker(app):
        for handle in handles:
            await handle.wait(20)
    assert [event.id for event in begun] != []
    assert {event.id for event in begun} == {handle.id for handle in handles}
    outcomes = {event.id: event.outcome.value for event in over}
    assert [outcomes[handle.id] for handle in handles] == ["succeeded", "failed", "succeeded"]


async def test_what_a_listener_attaches_to_an_item_is_for_that_item_only(
    app: Jobbers, worker: StartWorker
) -> None:
    """As spans are: begun when an attempt starts, and found again when it ends."""
    attached: ContextVar[str | None] = ContextVar("attached", default=None)
    found: dict[str, str | None] = {}
    inside: list[str | None] = []
    app.events.subscribe(lambda event: void(attached.set(event.id)), AttemptStarted)
    app.events.subscribe(lambda event: found.update({event.id: attached.get()}), AttemptEnded)

    @app.task(batch=Batch(size=3, linger=0.2))
    async def store(numbers: list[int]) -> None:
        inside.append(attached.get())

    handles = await store.map(range(3))
    async with worker(app):
        for handle in handles:
            await handle.wait(20)
    assert found == {handle.id: handle.id for handle in handles}
    assert set(inside) == {None}


def void(_: object) -> None:
    """For lambdas that return nothing."""


async def test_middleware_is_around_the_call_of_a_batch(app: Jobbers, worker: StartWorker) -> None:
    seen: list[tuple[int, list[Any]]] = []

    class Watch:
        def wrap(self, task_type: Any, call: Call) -> Call:
            async def watched(task: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
                assert isinstance(task, CurrentBatch)
                seen.append((len(task), args[0]))
                return await call(task, args, kwargs)

            return watched

    app.middleware.append(Watch())

    @app.task(batch=Batch(size=2, linger=0.2))
    async def store(numbers: list[int]) -> None: ...

    handles = await store.map(range(2))
    async with worker(app):
        for handle in handles:
            await handle.result(20)
    assert sorted(number for count, items in seen for number in items if count == len(items)) == [0, 1]


async def test_current_task_and_current_batch_say_which_is_meant(app: Jobbers, worker: StartWorker) -> None:
    @app.task(batch=Batch(size=1))
    async def many(numbers: list[int]) -> list[str]:
        with pytest.raises(JobbersError, match=r"current_batch\(\)\.tasks"):
            current_task()
        return current_batch().ids

    @app.task
    async def one() -> None:
        with pytest.raises(JobbersError, match="batch="):
            current_batch()

    handle, other = await many.submit(1), await one.submit()
    async with worker(app):
        assert await handle.result(20) == handle.id
        await other.result(20)


async def test_one_item_is_checked_when_it_is_submitted(app: Jobbers) -> None:
    @app.task(batch=Batch())
    async def store(events: list[Event]) -> None: ...

    for wrong in ([Event("a", 1)], "a", None):
        with pytest.raises(InvalidArgument, match="events"):
            await store.submit(wrong)  # type: ignore[arg-type]
    assert store.signature.json_schema()["properties"]["events"]["title"] == "Event"


async def test_what_is_no_function_of_one_list_is_refused(app: Jobbers) -> None:
    batch = Batch()
    with pytest.raises(ConfigError, match="exactly one parameter"):

        @app.task(batch=batch)
        async def two(first: list[int], second: list[int]) -> None: ...

    with pytest.raises(ConfigError, match="process=True"):

        @app.task(batch=batch, process=True)  # type: ignore[call-overload]
        def heavy(numbers: list[int]) -> None: ...

    with pytest.raises(ConfigError, match="heartbeat"):

        @app.task(batch=Batch(linger=5), heartbeat=2)
        async def quiet(numbers: list[int]) -> None: ...

    @app.task(batch=batch)  # type: ignore[arg-type]
    async def single(number: int) -> None: ...

    with pytest.raises(ConfigError, match="is annotated <class 'int'>"):
        single.signature.check([1], {})
