"""Options of a submission: delays, priorities, unique keys, ids, headers."""

from __future__ import annotations

from jobbers import Jobbers, Status, Unique, current_task, new_id
from tests.conftest import StartWorker


async def test_a_delayed_task_waits(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def noop() -> int:
        return 1

    handle = await noop.options(delay=0.05).submit()
    assert await handle.status() is Status.SCHEDULED
    async with worker(app):
        assert await handle.result(10) == 1


async def test_higher_priorities_go_first(app: Jobbers, worker: StartWorker) -> None:
    done: list[int] = []

    @app.task
    async def note(priority: int) -> None:
        done.append(priority)

    unique = "one shard for all, so that there is one order"
    handles = [
        await note.options(priority=priority, id=new_id(unique=unique)).submit(priority)
        for priority in (1, 9, 5)
    ]
    async with worker(app, concurrency=1):
        for handle in handles:
            await handle.wait(10)
    assert done == [9, 5, 1]


async def test_a_unique_key_admits_one_task_at_a_time(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def report() -> int:
        return 1

    once = report.options(unique="daily")
    first, second = await once.submit(), await once.submit()
    assert first == second
    async with worker(app):
        assert await second.result(10) == 1
    assert await once.submit() != first
    until_started = report.options(unique=Unique("hourly", until="started"))
    assert await until_started.submit() == await until_started.submit()


async def test_an_id_of_ones_own_makes_a_submission_repeatable(app: Jobbers) -> None:
    @app.task
    async def pay(amount: int) -> None: ...

    task_id = new_id()
    for _ in range(3):
        assert (await pay.options(id=task_id).submit(5)).id == task_id
    assert (await (await app.inspector()).counts())["queued"] == 1


async def test_headers_travel_along(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def tenant() -> str:
        return current_task().headers["tenant"]

    handle = await tenant.options(headers={"tenant": "acme"}).submit()
    async with worker(app):
        assert await handle.result(10) == "acme"
