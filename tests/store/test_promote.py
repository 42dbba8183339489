"""promote.lua: moves what is due into its lane."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.upkeep import Promotion
from tests.store.kit import (
    FAILED_RETENTION,
    GARBAGE,
    GONE,
    LANE,
    MINUTE,
    NOW,
    Near,
    changes,
    due_now,
    garble,
    lasting,
    put,
    record,
    snapshot,
    status_of,
    statuses_without,
    submit,
    tidy,
)


async def promote(store: Store) -> Promotion:
    return await store.upkeep.promote(0, FAILED_RETENTION)


async def test_what_is_due_is_queued_in_the_order_of_its_time(store: Store) -> None:
    first, second, third = [await submit(store, delay_ms=MINUTE) for _ in range(3)]
    await due_now(store, second, first)
    before = await snapshot(store)

    assert await promote(store) == Promotion(moved=2, next_ms=Near(MINUTE, length=True))

    assert await changes(store, before) == {
        **record(first, status="queued", entry=ANY, due=GONE),
        **record(second, status="queued", entry=ANY, due=GONE),
        f"due {first}": GONE,
        f"due {second}": GONE,
        "lane:mail:5": [second, first],
        "lanes mail:5": True,
    }
    assert await status_of(store, third) == Status.SCHEDULED


async def test_nothing_is_due_before_its_time(store: Store) -> None:
    await submit(store, delay_ms=MINUTE)
    before = await snapshot(store)
    assert await promote(store) == Promotion(moved=0, next_ms=Near(MINUTE, length=True))
    assert await changes(store, before) == {}


async def test_nothing_waits(store: Store) -> None:
    before = await snapshot(store)
    assert await promote(store) == Promotion(moved=0, next_ms=None)
    assert await changes(store, before) == {}


async def test_promoting_again_changes_nothing(store: Store) -> None:
    await due_now(store, await put(store, Status.SCHEDULED))
    assert (await promote(store)).moved == 1
    before = await snapshot(store)
    assert await promote(store) == Promotion(moved=0, next_ms=None)
    assert await changes(store, before) == {}


async def test_no_more_than_a_batch_moves_at_once(store: Store) -> None:
    ids = [await submit(store, delay_ms=MINUTE) for _ in range(5)]
    await due_now(store, *ids)
    moved, next_ms = await store.gateway.run("promote", store.shards[0].prefix, [3, FAILED_RETENTION])
    assert (moved, next_ms) == (3, 0)
    assert (await snapshot(store))["lane:mail:5"] == ids[:3]


async def test_a_task_whose_start_deadline_has_passed_is_a_dead_letter(store: Store) -> None:
    task_id = await submit(store, delay_ms=MINUTE, deadline_ms=MINUTE)
    await due_now(store, task_id)
    await store.gateway.command("HSET", store.shards[0].task(task_id), "deadline", 1)
    before = await snapshot(store)

    assert await promote(store) == Promotion(moved=1, next_ms=None)

    assert await changes(store, before) == {
        **record(
            task_id,
            status="failed",
            finished=NOW,
            reason="start deadline passed",
            ttl=lasting(FAILED_RETENTION),
        ),
        f"due {task_id}": GONE,
        f"dead {task_id}": NOW,
        "recent": [task_id, "failed"],
        "stats mail|send|failed": 1,
    }


@pytest.mark.parametrize("status", statuses_without(Event.PROMOTE))
async def test_what_is_not_scheduled_any_more_is_only_dropped_from_the_due_set(
    store: Store, status: Status
) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    await store.gateway.command("ZADD", store.shards[0].due, 1, task_id)
    assert (await promote(store)).moved == 1
    assert await changes(store, before) == {}


async def test_what_is_gone_is_dropped_from_the_due_set(store: Store) -> None:
    before = await snapshot(store)
    await store.gateway.command("ZADD", store.shards[0].due, 1, new_id())
    assert (await promote(store)).moved == 1
    assert await changes(store, before) == {}


# Garbage


async def garbage_in_the_record(store: Store, task_id: str) -> None:
    await garble(store, task_id)


async def no_lane_in_the_record(store: Store, task_id: str) -> None:
    await store.gateway.command("HDEL", store.shards[0].task(task_id), "lane")


@pytest.mark.parametrize("spoil", [garbage_in_the_record, no_lane_in_the_record])
async def test_a_garbled_record_does_not_hold_up_what_is_due_after_it(store: Store, spoil: object) -> None:
    garbled, other = await submit(store, delay_ms=MINUTE), await submit(store, delay_ms=MINUTE)
    await due_now(store, garbled, other)
    await spoil(store, garbled)  # type: ignore[operator]
    await promote(store)
    assert await status_of(store, other) == Status.QUEUED
    await tidy(store)


async def test_a_lane_that_is_none_does_not_hold_up_the_others(store: Store) -> None:
    await store.gateway.command("SET", store.shards[0].lane(LANE), GARBAGE)
    stuck, other = await submit(store, delay_ms=MINUTE), await submit(store, delay_ms=MINUTE, queue="another")
    await due_now(store, stuck, other)
    await promote(store)
    assert await status_of(store, other) == Status.QUEUED
