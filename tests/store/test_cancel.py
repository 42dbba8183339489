"""cancel.lua: ends tasks as cancelled, in whatever status they are; the worker of a running one is told."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    GONE,
    LONG_ENVELOPE,
    NOW,
    RETENTION,
    changes,
    claimed,
    garble,
    lasting,
    listening,
    put,
    record,
    snapshot,
    statuses_without,
    submit,
    tidy,
)

REASON = "no more"


async def cancel(store: Store, *ids: str) -> dict[str, Status | None]:
    return await store.tasks.cancel(ids, RETENTION, REASON)


def cancelled(task_id: str) -> dict[str, object]:
    """What every cancelled task has in common."""
    return {
        **record(task_id, status="cancelled", finished=NOW, reason=REASON, call=ANY, ttl=lasting(RETENTION)),
        "stats mail|send|cancelled": 1,
    }


async def test_a_queued_task_leaves_its_lane(store: Store) -> None:
    task_id, other = await submit(store), await submit(store)
    before = await snapshot(store)
    assert await cancel(store, task_id) == {task_id: Status.QUEUED}
    assert await changes(store, before) == {
        **cancelled(task_id),
        "lane:mail:5": [other],
        "recent": [task_id, "cancelled"],
    }


async def test_a_scheduled_task_leaves_the_due_set(store: Store) -> None:
    task_id = await submit(store, delay_ms=1000)
    before = await snapshot(store)
    assert await cancel(store, task_id) == {task_id: Status.SCHEDULED}
    assert await changes(store, before) == {
        **cancelled(task_id),
        f"due {task_id}": GONE,
        "recent": [task_id, "cancelled"],
    }


async def test_a_running_task_loses_its_lease_and_its_worker_is_told(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)
    async with listening(store, store.keys.control("worker-1")) as heard:
        assert await cancel(store, task_id) == {task_id: Status.RUNNING}
        assert await heard.get() == task_id
    assert await changes(store, before) == {
        **cancelled(task_id),
        f"leases {task_id}": GONE,
        "recent": [task_id, "cancelled"],
    }


async def test_a_blocked_task_is_cancelled(store: Store) -> None:
    task_id = await put(store, Status.BLOCKED)
    assert await cancel(store, task_id) == {task_id: Status.BLOCKED}
    assert await kit.status_of(store, task_id) == Status.CANCELLED


async def test_everything_that_belongs_to_the_task_expires_with_it(store: Store) -> None:
    task_id = await put(store, Status.RUNNING, envelope=LONG_ENVELOPE)
    await kit.retry(store, [task_id])
    await cancel(store, task_id)
    after = await snapshot(store)
    assert {name: after[f"{name}:{task_id} ttl"] for name in ("task", "args", "errors")} == dict.fromkeys(
        ("task", "args", "errors"), lasting(RETENTION)
    )


async def test_a_unique_key_is_given_back(store: Store) -> None:
    task_id = await submit(store, unique_key="invoice-7", unique_scope="finished")
    await cancel(store, task_id)
    assert "unique:invoice-7" not in await snapshot(store)


async def test_who_watches_is_told(store: Store) -> None:
    task_id = await submit(store)
    await store.tasks.watch("someone", [task_id])
    async with listening(store, store.keys.inbox("someone")) as heard:
        await cancel(store, task_id)
        assert await heard.get() == f"{task_id} cancelled"


@pytest.mark.parametrize("status", statuses_without(Event.CANCEL))
async def test_what_has_ended_stays_as_it_is(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await cancel(store, task_id) == {task_id: status}
    assert await changes(store, before) == {}


async def test_cancelling_again_changes_nothing(store: Store) -> None:
    task_id = await claimed(store)
    await cancel(store, task_id)
    before = await snapshot(store)
    assert await cancel(store, task_id, task_id) == {task_id: Status.CANCELLED}
    assert await changes(store, before) == {}


async def test_a_task_that_is_gone_has_no_status(store: Store) -> None:
    before = await snapshot(store)
    task_id = new_id()
    assert await cancel(store, task_id) == {task_id: None}
    assert await changes(store, before) == {}


async def test_what_ran_meanwhile_is_refused(store: Store) -> None:
    task_id = await claimed(store)
    await cancel(store, task_id)
    for verb in (kit.succeed, kit.fail, kit.retry, kit.snooze, kit.release):
        assert await verb(store, [task_id]) == [task_id]


async def test_a_garbled_record_does_not_save_its_neighbours(store: Store) -> None:
    first, garbled, last = [await submit(store) for _ in range(3)]
    await garble(store, garbled)
    assert await cancel(store, first, garbled, last) == {
        first: Status.QUEUED,
        garbled: None,
        last: Status.QUEUED,
    }
    await tidy(store)
