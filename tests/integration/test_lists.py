"""Lists page through any number of tasks, whatever moves between two pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobbers import Jobbers, Status, TaskType
from jobbers.core.lanes import claim_orders
from jobbers.core.task import AttemptError
from jobbers.errors import InvalidInput
from jobbers.inspector import Inspector
from jobbers.store.record import pack_report
from jobbers.store.store import Store
from jobbers.store.tasks import Failure

ORDER = claim_orders(["default"])[0]


@pytest.fixture
def noop(app: Jobbers) -> TaskType[[], None]:
    @app.task
    async def noop() -> None: ...

    return noop


async def all_pages(inspector: Inspector, status: Status, limit: int) -> list[str]:
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = await inspector.tasks(status, cursor=cursor, limit=limit)
        ids += [record.id for record in page.tasks]
        cursor = page.cursor
        if cursor is None:
            return ids


async def bury(store: Store, count: int, report: bytes = b"") -> None:
    for shard in range(len(store.shards)):
        claimed = await store.tasks.claim(shard, "w/1", ORDER, count, 10_000, 1000)
        await store.tasks.fail(
            shard, [Failure(task.id, task.owner, 60_000, "why", report) for task in claimed]
        )


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_queued_tasks_come_once_each(app: Jobbers, noop: TaskType[[], None], limit: int) -> None:
    ids = {handle.id for handle in await noop.starmap([()] * 10)}
    listed = await all_pages(await app.inspector(), Status.QUEUED, limit)
    assert sorted(listed) == sorted(ids)


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_scheduled_tasks_that_are_due_together_come_once_each(
    app: Jobbers, noop: TaskType[[], None], limit: int
) -> None:
    ids = {handle.id for handle in await noop.options(delay=60).starmap([()] * 10)}
    listed = await all_pages(await app.inspector(), Status.SCHEDULED, limit)
    assert sorted(listed) == sorted(ids)


async def test_dead_letters_that_leave_between_pages_hide_no_others(
    app: Jobbers, store: Store, noop: TaskType[[], None]
) -> None:
    await noop.starmap([()] * 20)
    await bury(store, 20)
    inspector = await app.inspector()
    first = await inspector.tasks(Status.FAILED, limit=5)
    await inspector.requeue(first.tasks[-1].id)
    rest: list[str] = []
    cursor = first.cursor
    while cursor is not None:
        page = await inspector.tasks(Status.FAILED, limit=5, cursor=cursor)
        rest += [record.id for record in page.tasks]
        cursor = page.cursor
    assert len(set(rest) | {record.id for record in first.tasks}) == 20


async def test_all_dead_letters_can_be_requeued_or_dropped(
    app: Jobbers, store: Store, noop: TaskType[[], None]
) -> None:
    await noop.starmap([()] * 1200)
    await bury(store, 500)
    await bury(store, 500)
    await bury(store, 500)
    inspector = await app.inspector()
    assert (await inspector.counts())["dead"] == 1200
    assert await inspector.requeue_dead(limit=7) == 7
    assert await inspector.drop_dead(type="other") == 0
    assert await inspector.drop_dead() == 1193
    assert await inspector.counts() == {"queued": 7, "scheduled": 0, "running": 0, "dead": 0}


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED, Status.FAILED, Status.SUCCEEDED])
@pytest.mark.parametrize("cursor", ["x", "-1/0-0", "-1000000000/0-0", "1", "0/;DROP", "9" * 40 + "/x"])
async def test_made_up_cursors_are_refused(
    app: Jobbers, noop: TaskType[[], None], status: Status, cursor: str
) -> None:
    await noop.submit()
    with pytest.raises(InvalidInput, match="cursor"):
        await (await app.inspector()).tasks(status, cursor=cursor)


async def test_a_requeue_with_new_keywords_keeps_the_arguments(app: Jobbers, store: Store) -> None:
    @app.task
    async def add(a: int, *, b: int = 0) -> None: ...

    handle = await add.submit(1, b=2)
    await bury(store, 1)
    inspector = await app.inspector()
    await inspector.requeue(handle.id, kwargs={"b": 3})
    record = await inspector.task(handle.id)
    assert (list(record.arguments), record.keywords) == ([1], {"b": 3})


async def test_a_page_leaves_long_arguments_out(app: Jobbers) -> None:
    @app.task
    async def read(text: str) -> None: ...

    handle = await read.submit("x" * 1000)
    inspector = await app.inspector()
    (listed,) = (await inspector.tasks(Status.QUEUED)).tasks
    assert list(listed.arguments) == []
    assert list((await inspector.task(handle.id)).arguments) == ["x" * 1000]


async def test_a_page_tells_the_last_error_in_every_life(
    app: Jobbers, store: Store, noop: TaskType[[], None]
) -> None:
    """Also of a task that waits again: its attempts start over, and its errors stay."""
    now = datetime.now(UTC)
    handle = await noop.submit()
    inspector = await app.inspector()

    async def listed(status: Status) -> list[str | None]:
        page = await inspector.tasks(status)
        return [it.error.message if it.error else None for it in page.tasks if it.id == handle.id]

    assert await listed(Status.QUEUED) == [None]
    for message in ("first", "last"):
        await bury(store, 1, pack_report(AttemptError(1, "ValueError", message, "", "w", now, now)))
        assert await listed(Status.FAILED) == [message]
        await inspector.requeue(handle.id)
        assert await listed(Status.QUEUED) == [message]
