"""beat.lua: notes where running executions are."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.tasks import Beat
from tests.store.kit import (
    ANOTHER,
    MINUTE,
    NOW,
    OWNER,
    Near,
    changes,
    claimed,
    garble,
    listening,
    put,
    record,
    snapshot,
    statuses_without,
    tidy,
)


def beat(task_id: str, owner: str = OWNER) -> Beat:
    return Beat(task_id, owner, "rendering", 0.25, MINUTE, 2 * MINUTE)


async def test_step_progress_and_promises_are_noted(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await store.tasks.beat([beat(task_id)]) == []

    assert await changes(store, before) == record(
        task_id,
        beat=NOW,
        step="rendering",
        progress="0.25",
        beat_due=Near(MINUTE),
        slow_at=Near(2 * MINUTE),
    )


async def test_what_is_not_said_is_not_written(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)
    assert await store.tasks.beat([Beat(task_id, OWNER, "", "", "", "")]) == []
    assert await changes(store, before) == record(task_id, beat=NOW, step="")


async def test_what_is_slow_counts_from_the_start_and_not_from_the_beat(store: Store) -> None:
    task_id = await claimed(store)
    await store.gateway.command("HSET", store.shards[0].task(task_id), "started", 1000)
    await store.tasks.beat([Beat(task_id, OWNER, "", "", "", 5)])
    assert (await snapshot(store))[f"task:{task_id} slow_at"] == "1005"


async def test_a_reader_sees_it(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.beat([beat(task_id)])
    (seen,) = await store.inspect.records([task_id])
    assert seen is not None
    assert (seen.step, seen.progress, seen.liveness) == ("rendering", 0.25, "running")


async def test_who_watches_is_told(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.watch("someone", [task_id])
    async with listening(store, store.keys.inbox("someone")) as heard:
        await store.tasks.beat([beat(task_id)])
        assert await heard.get() == f"{task_id} running"


async def test_the_same_beat_again_says_the_same(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.beat([beat(task_id)])
    before = await snapshot(store)
    assert await store.tasks.beat([beat(task_id)]) == []
    assert {name.partition(" ")[2] for name in await changes(store, before)} <= {
        "beat",
        "beat_due",
    }  # a moment later


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)
    assert await store.tasks.beat([beat(task_id, ANOTHER), beat(task_id, "worker-1")]) == [task_id, task_id]
    assert await changes(store, before) == {}


@pytest.mark.parametrize("status", statuses_without(Event.SUCCEED))
async def test_only_running_tasks_beat(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await store.tasks.beat([beat(task_id)]) == [task_id]
    assert await changes(store, before) == {}


async def test_a_task_that_is_gone_is_lost(store: Store) -> None:
    before = await snapshot(store)
    task_id = new_id()
    assert await store.tasks.beat([beat(task_id)]) == [task_id]
    assert await changes(store, before) == {}


async def test_a_garbled_record_does_not_silence_its_neighbours(store: Store) -> None:
    first, garbled, last = [await claimed(store) for _ in range(3)]
    await garble(store, garbled)
    assert await store.tasks.beat([beat(first), beat(garbled), beat(last)]) == [garbled]
    await tidy(store)
