"""Which events client and worker tell in the life of a task."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from jobbers import Batch, Fail, Jobbers, Limit, Retry, Skip, Snooze, chain, current_task
from jobbers.core.events import (
    AttemptEnded,
    AttemptStarted,
    BatchStarted,
    Event,
    FinishRefused,
    LeaseLost,
    LimitMeasured,
    LoopBlocked,
    Outcome,
    QueueMeasured,
    RunSubmitted,
    ScheduleFired,
    ScriptCalled,
    TaskReclaimed,
    TasksClaimed,
    TasksCounted,
    TaskSubmitted,
    WorkerPulse,
    WorkerStarted,
    WorkerStopped,
)
from jobbers.worker.engine import Engine
from tests.conftest import StartWorker
from tests.scenarios.harness import until


class Heard(list[Event]):
    """What was told, by its kind."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]


async def test_the_life_of_a_task(app: Jobbers, worker: StartWorker) -> None:
    @app.task(queue="mail", retry=Retry(attempts=2, delay=0.01))
    async def flaky(secret: str) -> int:
        if current_task().attempt == 1:
            raise ConnectionError("no")
        return 7

    heard = Heard()
    app.events.subscribe(heard.append)
    handle = await flaky.options(headers={"tenant": "t1"}, priority=7).submit("hush-hush")
    async with worker(app):
        await handle.result(10)
    assert heard.of(TaskSubmitted) == [TaskSubmitted(handle.id, "flaky", "mail", 7, delayed=False)]
    first, second = heard.of(AttemptStarted)
    assert (first.id, first.type, first.queue, first.attempt, second.attempt) == (
        handle.id,
        "flaky",
        "mail",
        1,
        2,
    )
    assert first.headers["tenant"] == "t1"
    failed, ended = heard.of(AttemptEnded)
    assert (failed.outcome, ended.outcome) == (Outcome.RETRIED, Outcome.SUCCEEDED)
    assert isinstance(failed.error, ConnectionError)
    assert ended.error is None
    assert 0 <= ended.seconds < 10
    assert heard.of(WorkerStarted)[0].queues == ("default", "mail")
    assert len(heard.of(WorkerStopped)) == 1
    assert "hush-hush" not in repr(heard), "events hold no arguments"


async def test_outcomes_have_their_names(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def work(how: str) -> None:
        if how == "fail":
            raise Fail("no")
        if how == "skip":
            raise Skip("no need")
        if how == "snooze" and current_task().snoozes == 0:
            raise Snooze(0.01)

    heard = Heard()
    app.events.subscribe(heard.append)
    handles = await work.map(["fail", "skip", "snooze"])
    async with worker(app):
        for handle in handles:
            await handle.wait(10)
    outcomes = {
        handle.id: [event.outcome for event in heard.of(AttemptEnded) if event.id == handle.id]
        for handle in handles
    }
    assert list(outcomes.values()) == [["failed"], ["skipped"], ["snoozed", "succeeded"]]


async def test_runs_are_told_of_and_their_tasks_run(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def one(number: int) -> int:
        return number + 1

    heard = Heard()
    app.events.subscribe(heard.append)
    run = await chain(one.s(1), one.s()).submit()
    async with worker(app):
        assert await run.result(10) == 3
    assert heard.of(RunSubmitted) == [RunSubmitted(run.id, "flow", 2)]
    assert [event.outcome for event in heard.of(AttemptEnded)] == ["succeeded", "succeeded"]


async def test_what_has_a_unique_key_already_is_not_told_of(app: Jobbers) -> None:
    @app.task
    async def once() -> None: ...

    heard = Heard()
    app.events.subscribe(heard.append)
    first = await once.options(unique="k").submit()
    second = await once.options(unique="k").submit()
    assert first.id == second.id
    assert [event.id for event in heard.of(TaskSubmitted)] == [first.id]
    await first.cancel()


async def test_a_cancelled_execution_is_lost(app: Jobbers, worker: StartWorker) -> None:
    began = asyncio.Event()

    @app.task
    async def long() -> None:
        began.set()
        await asyncio.sleep(60)

    heard = Heard()
    app.events.subscribe(heard.append)
    async with worker(app):
        handle = await long.submit()
        await asyncio.wait_for(began.wait(), 10)
        await handle.cancel()
        await until(lambda: heard.of(AttemptEnded), "the execution has ended")
    assert heard.of(LeaseLost)[0].id == handle.id
    assert heard.of(AttemptEnded)[0].outcome is Outcome.LOST


async def test_a_dead_workers_task_and_a_refused_finish(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def work() -> int:
        return 1

    heard = Heard()
    app.events.subscribe(heard.append)
    handle = await work.submit()
    store = (await app.client()).store
    shard = store.tasks.shard(handle.id)
    lanes = await store.inspect.lanes()
    (claimed,) = await store.tasks.claim(shard, "dead/0001", lanes, 1, 1, app.settings.failed_retention_ms)
    async with worker(app):
        assert await handle.result(15) == 1
    (reclaimed,) = heard.of(TaskReclaimed)
    assert reclaimed[:3] == TaskReclaimed(handle.id, "dead", poison=False)[:3]
    assert (reclaimed.type, reclaimed.queue, reclaimed.attempt) == ("work", "default", 1)
    assert reclaimed.started_ms == 0 or abs(reclaimed.started_ms / 1000 - time.time()) < 60
    assert claimed.id == handle.id
    assert heard.of(FinishRefused) == []


async def test_a_zombies_finish_is_told_of(
    app: Jobbers, worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Engine, "_lose", lambda *_: None
    )  # a worker that does not hear that it has lost a task
    began, may_end = asyncio.Event(), asyncio.Event()

    @app.task
    async def work() -> None:
        began.set()
        await may_end.wait()

    heard = Heard()
    app.events.subscribe(heard.append)
    handle = await work.submit()
    async with worker(app):
        await asyncio.wait_for(began.wait(), 10)
        await handle.cancel()
        may_end.set()
        await until(lambda: heard.of(FinishRefused), "its result has been refused")
    assert heard.of(FinishRefused) == [FinishRefused(handle.id, "succeed")]


async def test_one_that_raises_does_not_touch_a_task(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def work() -> int:
        return 1

    def broken(event: Event) -> None:
        raise ValueError("no")

    app.events.subscribe(broken)
    handle = await work.submit()
    async with worker(app):
        assert await handle.result(10) == 1


def hog(seconds: float) -> None:
    """Block the thread."""
    time.sleep(seconds)


async def test_what_blocks_the_loop_is_named(
    app: Jobbers, worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task
    async def greedy() -> None:
        hog(1.0)

    app.settings = app.settings.model_copy(update={"block_warning": 0.1})
    heard = Heard()
    app.events.subscribe(heard.append, LoopBlocked)
    async with worker(app):
        handle = await greedy.submit()
        await handle.result(20)
        await until(lambda: any(event.over for event in heard.of(LoopBlocked)), "the end is told")
    mine = [event for event in heard.of(LoopBlocked) if event.id == handle.id]
    assert [event.over for event in mine] == [False, True]
    first, last = mine
    assert first.type == "greedy"
    assert "in hog" in first.stack
    assert "in greedy" in first.stack
    assert "runner.py" not in first.stack, "what is around every task is left out"
    assert 0.1 < first.seconds < last.seconds
    assert last.seconds >= 0.9
    assert f"by task {handle.id} (greedy)" in caplog.text


async def test_queues_and_slots_are_measured(app: Jobbers, worker: StartWorker) -> None:
    @app.task(queue="quiet")
    async def work() -> None: ...

    heard = Heard()
    app.events.subscribe(heard.append)
    await work.submit()
    await (await app.inspector()).pause("quiet")
    async with worker(app, concurrency=3):
        await until(lambda: heard.of(WorkerPulse) and heard.of(QueueMeasured), "both are told")
    (measured,) = [event for event in heard.of(QueueMeasured) if event.queue == "quiet"][:1]
    assert (measured.depth, measured.paused) == (1, True)
    pulse = heard.of(WorkerPulse)[0]
    assert (pulse.busy, pulse.slots) == (0, 3)
    assert pulse.lag_seconds >= 0
    assert 0 < pulse.cpu_seconds < 3600
    assert pulse.memory_bytes == 0 or pulse.memory_bytes > 1_000_000


async def test_calls_claims_and_batches_are_told_of_once_for_many_tasks(
    app: Jobbers, worker: StartWorker
) -> None:
    @app.task(batch=Batch(size=10, linger=0.5))
    async def together(numbers: list[int]) -> None: ...

    heard = Heard()
    app.events.subscribe(heard.append)
    handles = await together.map(range(30))
    async with worker(app, concurrency=50):
        for handle in handles:
            await handle.result(10)
    assert sum(event.tasks for event in heard.of(TasksClaimed)) == 30
    batches = heard.of(BatchStarted)
    assert [(event.type, event.tasks) for event in batches] == [("together", 10)] * 3
    calls = [event.name for event in heard.of(ScriptCalled)]
    assert {"submit", "claim", "succeed"} <= set(calls)
    assert calls.count("succeed") < 30, "no round trip for a task alone"
    assert all(0 < event.seconds < 30 for event in heard.of(ScriptCalled))


async def test_limits_statuses_and_schedules_are_measured(app: Jobbers, worker: StartWorker) -> None:
    go_on = asyncio.Event()

    @app.task(limits=[Limit(1, name="one")])
    async def narrow() -> None:
        await go_on.wait()

    @app.task
    async def tick() -> None: ...

    heard = Heard()
    app.events.subscribe(heard.append)
    await narrow.starmap([()] * 3)
    await app.schedules.create("often", tick.s(), every=0.5)

    def seen() -> bool:
        return bool(heard.of(LimitMeasured)) and bool(heard.of(ScheduleFired))

    async with worker(app, concurrency=5):
        await until(seen, "both are told of")
        go_on.set()
    assert heard.of(LimitMeasured)[0] == ("one", 1, 2)
    assert {event.status for event in heard.of(TasksCounted)} == {"scheduled", "running", "dead"}
    fired = heard.of(ScheduleFired)[0]
    assert fired.name == "often"
    assert 0 <= fired.late_seconds < 20
