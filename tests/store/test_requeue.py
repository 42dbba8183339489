"""requeue.lua: gives failed or cancelled tasks a new life: attempts, crashes and snoozes start over, errors stay."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    ENVELOPE,
    GONE,
    LONG_ENVELOPE,
    RETENTION,
    changes,
    claim,
    claimed,
    due_now,
    garble,
    lasting,
    put,
    record,
    snapshot,
    statuses_without,
    tidy,
)


async def requeue(store: Store, *ids: str, envelope: bytes = b"") -> dict[str, Status | None]:
    return await store.tasks.requeue(dict.fromkeys(ids, envelope), "try again")


async def test_a_dead_letter_is_queued_as_if_it_were_new(store: Store) -> None:
    task_id = await claimed(store, deadline_ms=1_000_000, unique_key="invoice-7", unique_scope="finished")
    await kit.snooze(store, [task_id])
    await due_now(store, task_id)
    await store.upkeep.promote(0, RETENTION)
    await claim(store)
    await kit.fail(store, [task_id])
    before = await snapshot(store)

    assert await requeue(store, task_id) == {task_id: Status.FAILED}

    over = ("attempt", "snoozes", "owner", "started", "finished", "deadline", "unique", "ttl")
    assert await changes(store, before) == {
        **record(
            task_id, status="queued", entry=ANY, reason="try again", call=ANY, **dict.fromkeys(over, GONE)
        ),
        "lane:mail:5": [task_id],
        f"dead {task_id}": GONE,
        f"errors:{task_id} ttl": GONE,
    }
    (task,) = await claim(store)
    assert (task.attempt, task.crashes, task.snoozes, task.envelope) == (1, 0, 0, ENVELOPE)


async def test_a_cancelled_task_is_queued(store: Store) -> None:
    task_id = await put(store, Status.CANCELLED)
    assert await requeue(store, task_id) == {task_id: Status.CANCELLED}
    assert await kit.status_of(store, task_id) == Status.QUEUED


@pytest.mark.parametrize("old", [ENVELOPE, LONG_ENVELOPE], ids=["short", "long"])
@pytest.mark.parametrize("new", [ENVELOPE, LONG_ENVELOPE], ids=["to-short", "to-long"])
async def test_other_arguments_may_be_given(store: Store, old: bytes, new: bytes) -> None:
    task_id = await claimed(store, envelope=old)
    await kit.fail(store, [task_id])
    await requeue(store, task_id, envelope=new)
    (task,) = await claim(store)
    assert task.envelope == new


async def test_long_arguments_and_errors_stay_as_long_as_the_task(store: Store) -> None:
    task_id = await claimed(store, envelope=LONG_ENVELOPE)
    await kit.fail(store, [task_id])
    await requeue(store, task_id)
    after = await snapshot(store)
    assert f"args:{task_id} ttl" not in after
    assert after[f"errors:{task_id}"] == ["report"]
    await claim(store)
    await kit.succeed(store, [task_id])
    after = await snapshot(store)
    assert (after[f"args:{task_id} ttl"], after[f"errors:{task_id} ttl"]) == (
        lasting(RETENTION),
        lasting(RETENTION),
    )


@pytest.mark.parametrize("status", statuses_without(Event.REQUEUE))
async def test_only_dead_letters_and_cancelled_tasks_are_requeued(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await requeue(store, task_id, envelope=LONG_ENVELOPE) == {task_id: status}
    assert await changes(store, before) == {}


async def test_requeueing_again_changes_nothing(store: Store) -> None:
    task_id = await put(store, Status.FAILED)
    await requeue(store, task_id)
    before = await snapshot(store)
    assert await requeue(store, task_id) == {task_id: Status.QUEUED}
    assert await changes(store, before) == {}


async def test_a_task_that_is_gone_has_no_status(store: Store) -> None:
    before = await snapshot(store)
    task_id = new_id()
    assert await requeue(store, task_id, envelope=LONG_ENVELOPE) == {task_id: None}
    assert await changes(store, before) == {}


async def test_the_one_who_ran_it_before_is_refused(store: Store) -> None:
    task_id = await put(store, Status.FAILED)
    await requeue(store, task_id)
    await claim(store, owner=kit.ANOTHER)
    for verb in (kit.succeed, kit.fail, kit.retry, kit.snooze, kit.release):
        assert await verb(store, [task_id]) == [task_id]


async def test_a_garbled_record_does_not_keep_its_neighbours_dead(store: Store) -> None:
    first, garbled, last = [await put(store, Status.FAILED) for _ in range(3)]
    await garble(store, garbled)
    assert await requeue(store, first, garbled, last) == {
        first: Status.FAILED,
        garbled: None,
        last: Status.FAILED,
    }
    await tidy(store)
