"""drop.lua: deletes dead letters for good; tasks in any other status are left alone."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.status import Status
from jobbers.store.store import Store
from tests.store.kit import LONG_ENVELOPE, changes, claimed, fail, garble, put, snapshot, tidy


async def test_nothing_is_left_of_a_dead_letter(store: Store) -> None:
    other = await put(store, Status.FAILED)
    task_id = await claimed(store, envelope=LONG_ENVELOPE)
    await fail(store, [task_id])
    assert await store.upkeep.drop_dead([task_id]) == 1
    after = await snapshot(store)
    assert [name for name in after if task_id in name] == []
    assert after[f"task:{other} status"] == Status.FAILED


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.FAILED])
async def test_other_tasks_are_left_alone(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await store.upkeep.drop_dead([task_id]) == 0
    assert await changes(store, before) == {}


async def test_dropping_again_changes_nothing(store: Store) -> None:
    task_id = await put(store, Status.FAILED)
    await store.upkeep.drop_dead([task_id])
    before = await snapshot(store)
    assert await store.upkeep.drop_dead([task_id, new_id()]) == 0
    assert await changes(store, before) == {}


async def test_a_garbled_record_does_not_protect_its_neighbours(store: Store) -> None:
    first, garbled, last = [await put(store, Status.FAILED) for _ in range(3)]
    await garble(store, garbled)
    assert await store.upkeep.drop_dead([first, garbled, last]) == 2
    await tidy(store)
