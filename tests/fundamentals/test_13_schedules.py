"""Tasks and graphs that start again and again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from jobbers import Jobbers, RoundRobin, Status
from jobbers.errors import ConfigError, Conflict, InvalidArgument, InvalidInput, NotFound
from jobbers.testing import in_process
from tests.conftest import StartWorker
from tests.scenarios.harness import until


async def test_a_schedule_in_code_starts_a_task(app: Jobbers, worker: StartWorker) -> None:
    seen: list[str] = []

    @app.task
    async def report(day: str) -> None:
        seen.append(day)

    app.schedule("often", report.s(day="today"), every=0.1, jitter=0.01)
    app.schedule("yearly", report.s("never"), cron="0 0 1 1 *", tz="Europe/Berlin")
    async with worker(app):
        await until(lambda: len(seen) >= 3, "it has started three times")
    often, yearly = await app.schedules.list()
    assert set(seen) == {"today"}
    assert often.started >= 3
    assert often.last_id is not None
    assert await app.handle(often.last_id).status() is not None
    assert (yearly.name, yearly.timing, yearly.started) == ("yearly", "0 0 1 1 * (Europe/Berlin)", 0)
    assert [moment.isoformat()[4:] for moment in await app.schedules.upcoming("yearly", 2)] == [
        "-01-01T00:00:00+01:00"
    ] * 2


async def test_a_schedule_may_start_a_graph(app: Jobbers, worker: StartWorker) -> None:
    totals: list[int] = []

    @app.task
    async def double(number: int) -> int:
        return number * 2

    @app.task
    async def keep(number: int) -> int:
        totals.append(number)
        return number

    dag = app.dag("doubling")
    dag.node(keep, dag.node(double, dag.param("number")))
    app.schedule("often", dag.call(number=21), every=timedelta(milliseconds=200), overlap="queue")
    async with worker(app):
        await until(lambda: len(totals) >= 3, "it has run three times")
        run = app.run(await app.schedules.run("often"))
        assert await run.result(10) == 42
        state = await app.schedules.get("often")
        assert state.last_id is not None
        assert await app.run(state.last_id).result(10) == 42
    assert set(totals) == {42}
    with pytest.raises(InvalidInput, match="number"):
        app.schedule("without", dag.call(), every=1)
    with pytest.raises(InvalidInput, match="graph 'elsewhere' is none of this app"):
        app.schedule("foreign", Jobbers().dag("elsewhere").call(), every=1)


async def nothing_is_left(app: Jobbers) -> bool:
    counts = await (await app.inspector()).counts()
    return not (counts["queued"] or counts["running"])


async def test_pause_resume_run_now_and_delete(app: Jobbers, worker: StartWorker) -> None:
    seen: list[int] = []

    @app.task
    async def note(number: int) -> int:
        seen.append(number)
        return number

    assert await app.schedules.create("often", note.s(1), every=0.1) == "made"
    with pytest.raises(Conflict, match="there is a schedule 'often' already"):
        await app.schedules.create("often", note.s(2), every=0.1)
    async with worker(app):
        await until(lambda: seen, "it has started")
        await app.schedules.pause("often")
        assert (await app.schedules.get("often")).next is None
        await until(lambda: nothing_is_left(app), "what was started has ended")
        seen.clear()
        await asyncio.sleep(0.3)
        assert seen == []
        handle: Any = app.handle(await app.schedules.run("often"))
        assert await handle.result(10) == 1
        assert seen == [1]
        await app.schedules.resume("often")
        await until(lambda: len(seen) >= 2, "it goes on")
        assert await app.schedules.create("often", note.s(2), every=0.1, replace=True) == "changed"
        await until(lambda: seen[-1] == 2, "what it starts has changed")
        await app.schedules.delete("often")
        with pytest.raises(NotFound):
            await app.schedules.get("often")


async def test_a_schedule_that_is_added_wakes_the_worker(app: Jobbers, worker: StartWorker) -> None:
    seen: list[int] = []

    @app.task
    async def note() -> None:
        seen.append(1)

    app.schedule("daily", note.s(), cron="@daily")
    async with worker(app):
        for number in range(8):  # of several shards
            await app.schedules.create(f"often-{number}", note.s(), every=0.2)
        await until(lambda: len(seen) >= 16, "they start")


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel", "allow"])
async def test_overlap(app: Jobbers, worker: StartWorker, overlap: Any) -> None:
    running, most, begun, ended = 0, 0, 0, 0

    @app.task
    async def slow() -> None:
        nonlocal running, most, begun, ended
        running, begun = running + 1, begun + 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.5 if overlap != "cancel" else 60)
            ended += 1
        finally:
            running -= 1

    app.schedule("often", slow.s(), every=0.2, overlap=overlap)
    async with worker(app):
        await until(lambda: begun >= 4, "it has started four times", 30)
        state = await app.schedules.get("often")
        await app.schedules.delete("often")
    if overlap == "skip":
        assert most == 1
        assert state.passed > 0
    elif overlap == "queue":
        assert most == 1
        assert (state.waiting > 0, state.passed) == (True, 0)
    elif overlap == "cancel":
        assert ended == 0
        assert begun >= 4
    else:
        assert most > 1


async def test_a_changed_definition_takes_the_place_of_the_one_before(
    app: Jobbers, worker: StartWorker
) -> None:
    @app.task
    async def note() -> None:
        pass

    app.schedule("one", note.s(), cron="@yearly")
    app.schedule("two", note.s(), cron="@yearly")
    async with worker(app):
        pass
    app.schedules.defined.clear()
    app.schedule("two", note.s(), cron="@monthly")
    async with worker(app):
        pass
    assert [(one.name, one.timing) for one in await app.schedules.list()] == [
        ("one", "@yearly (UTC)"),
        ("two", "@monthly (UTC)"),
    ]


async def test_bad_definitions_are_refused_and_change_nothing(app: Jobbers) -> None:
    @app.task
    async def note(number: int) -> None:
        pass

    app.schedule("taken", note.s(1), every=1)
    with pytest.raises(ConfigError, match="schedule 'taken' is defined already"):
        app.schedule("taken", note.s(2), every=1)
    bad: list[tuple[str, Any, dict[str, Any], str]] = [
        ("a name", note.s(1), {"every": 1}, "the name of a schedule 'a name' is not a legal name"),
        ("s", note.s("text"), {"every": 1}, "argument 'number'"),
        ("s", note, {"every": 1}, "a schedule starts task.s"),
        ("s", note.s(1), {}, "one of cron and every"),
        ("s", note.s(1), {"cron": "0 0 31 2 *"}, "never fires"),
        ("s", note.s(1), {"cron": "@daily", "tz": "Nowhere"}, "no time zone 'Nowhere'"),
        ("s", note.s(1), {"every": 0.05}, "every must be 0.1 seconds or more"),
        ("s", note.s(1), {"every": 1, "overlap": "maybe"}, "overlap must be one of 'skip', 'queue'"),
        ("s", note.s(1), {"every": 1, "missed": "all"}, "needs overlap='queue' or 'allow'"),
        ("s", note.s(1), {"every": 1, "jitter": 2}, "jitter of schedule 's' must be shorter"),
    ]
    for name, target, options, says in bad:
        with pytest.raises((InvalidInput, InvalidArgument), match=says):
            app.schedule(name, target, **options)
        with pytest.raises((InvalidInput, InvalidArgument), match=says):
            await app.schedules.create(name, target, **options)
    assert list(app.schedules.defined) == ["taken"]
    assert await app.schedules.list() == []


async def test_a_type_of_several_queues_takes_turns(app: Jobbers, worker: StartWorker) -> None:
    queues: set[str] = set()

    @app.task(queue=RoundRobin(["a", "b"]))
    async def spread() -> None:
        from jobbers import current_task

        queues.add((await app.handle(current_task().id).record()).queue)

    app.schedule("often", spread.s(), every=0.1)
    async with worker(app):
        await until(lambda: queues == {"a", "b"}, "both queues are used")


async def test_a_schedule_that_cannot_be_started_holds_nobody_up(app: Jobbers, worker: StartWorker) -> None:
    seen: list[int] = []

    @app.task
    async def note() -> None:
        seen.append(1)

    other = Jobbers(settings=app.settings)
    dag = other.dag("elsewhere")
    dag.node(other.task(name="note")(note.function))
    async with other:
        for number in range(8):  # in several shards
            await other.schedules.create(f"foreign-{number}", dag.call(), every=0.1)
            await app.schedules.create(f"own-{number}", note.s(), every=0.1)
    async with worker(app):
        await until(lambda: len(seen) >= 24, "the others start")
        for one in await app.schedules.list():
            assert (one.started > 0) == one.name.startswith("own"), one


async def test_on_a_clock_that_the_test_moves() -> None:
    app = Jobbers()
    seen: list[str] = []

    @app.task
    async def report(day: str) -> None:
        seen.append(day)

    app.schedule("nightly", report.s("yesterday"), cron="0 3 * * *", missed="all", overlap="allow")
    async with in_process(app) as harness:
        assert await harness.drain() == 0
        await harness.advance(timedelta(days=1))
        assert await harness.drain() == 1
        await harness.advance(timedelta(days=3))
        assert await harness.drain() == 3
        assert seen == ["yesterday"] * 4
        (state,) = await app.schedules.list()
        assert state.started == 4
        assert state.last_id is not None
        assert await app.handle(state.last_id).status() is Status.SUCCEEDED
