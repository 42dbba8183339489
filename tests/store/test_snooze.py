"""snooze.lua: puts executions back with a delay, without using an attempt."""

from __future__ import annotations

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    GONE,
    MINUTE,
    Near,
    changes,
    claimed,
    record,
    snapshot,
    snooze,
    statuses_without,
)


async def test_the_task_is_scheduled_and_its_attempt_given_back(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await snooze(store, [task_id]) == []

    assert await changes(store, before) == {
        **record(task_id, status="scheduled", due=Near(MINUTE), reason="later", attempt="0", snoozes="1"),
        f"leases {task_id}": GONE,
        f"due {task_id}": Near(MINUTE),
    }


async def test_the_same_snooze_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, snooze)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, snooze)


@pytest.mark.parametrize("status", statuses_without(Event.SNOOZE))
async def test_only_running_tasks_are_snoozed(store: Store, status: Status) -> None:
    await kit.refuses(store, snooze, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, snooze)


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, snooze)
