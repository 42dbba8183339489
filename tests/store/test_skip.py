"""skip.lua: ends executions as skipped."""

from __future__ import annotations

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    GONE,
    NOW,
    RETENTION,
    changes,
    claimed,
    lasting,
    record,
    skip,
    snapshot,
    statuses_without,
)


async def test_the_task_has_ended_and_expires(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await skip(store, [task_id]) == []

    assert await changes(store, before) == {
        **record(task_id, status="skipped", finished=NOW, reason="not now"),
        f"task:{task_id} ttl": lasting(RETENTION),
        f"leases {task_id}": GONE,
        "recent": [task_id, "skipped"],
        "stats mail|send|skipped": 1,
    }


async def test_the_same_skip_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, skip)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, skip)


@pytest.mark.parametrize("status", statuses_without(Event.SKIP))
async def test_only_running_tasks_are_skipped(store: Store, status: Status) -> None:
    await kit.refuses(store, skip, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, skip)


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, skip)
