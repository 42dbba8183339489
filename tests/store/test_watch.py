"""watch.lua: asks to be told when tasks move."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.status import FINAL, Status
from jobbers.store.store import Store
from tests.store.kit import (
    changes,
    claimed,
    garble,
    listening,
    put,
    record,
    snapshot,
    submit,
    succeed,
    tidy,
)


@pytest.mark.parametrize("status", [status for status in Status if status not in FINAL])
async def test_who_watches_is_noted_and_hears_the_status(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await store.tasks.watch("someone", [task_id]) == {task_id: status}
    assert await changes(store, before) == record(task_id, watch="someone")


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_what_has_ended_will_not_move(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await store.tasks.watch("someone", [task_id]) == {task_id: status}
    assert await changes(store, before) == {}


async def test_watching_twice_is_watching_once(store: Store) -> None:
    task_id = await submit(store)
    await store.tasks.watch("someone", [task_id])
    await store.tasks.watch("someone-else", [task_id])
    before = await snapshot(store)
    await store.tasks.watch("someone", [task_id])
    assert await changes(store, before) == {}
    assert before[f"task:{task_id} watch"] == "someone someone-else"


async def test_all_watchers_are_told(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.watch("someone", [task_id])
    await store.tasks.watch("someone-else", [task_id])
    async with (
        listening(store, store.keys.inbox("someone")) as first,
        listening(store, store.keys.inbox("someone-else")) as second,
    ):
        await succeed(store, [task_id])
        assert await first.get() == await second.get() == f"{task_id} succeeded"


async def test_the_list_of_watchers_is_bounded(store: Store) -> None:
    task_id = await submit(store)
    for number in range(300):
        await store.tasks.watch(f"watcher-{number}", [task_id])
    watch = (await snapshot(store))[f"task:{task_id} watch"]
    assert len(watch) < 1200
    assert watch.split()[-1] == "watcher-299"


async def test_a_task_that_is_gone_has_no_status(store: Store) -> None:
    before = await snapshot(store)
    task_id = new_id()
    assert await store.tasks.watch("someone", [task_id]) == {task_id: None}
    assert await changes(store, before) == {}


async def test_a_garbled_record_does_not_hide_its_neighbours(store: Store) -> None:
    garbled, other = await submit(store), await submit(store)
    await garble(store, garbled)
    assert await store.tasks.watch("someone", [garbled, other]) == {garbled: None, other: Status.QUEUED}
    await tidy(store)
