"""claim.lua: takes ready tasks from lanes in the given order, and leases them."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.lanes import Lane
from jobbers.core.status import Event, Status
from jobbers.core.task import Claimed
from jobbers.store.store import Store
from tests.store.kit import (
    ANOTHER,
    ENVELOPE,
    FAILED_RETENTION,
    GARBAGE,
    GONE,
    LANE,
    LEASE,
    LONG_ENVELOPE,
    MINUTE,
    NOW,
    OWNER,
    Near,
    changes,
    claim,
    due_now,
    field,
    garble,
    lasting,
    put,
    record,
    retry,
    snapshot,
    snooze,
    status_of,
    statuses_without,
    submit,
    tidy,
)


async def test_a_ready_task_is_taken_and_leased(store: Store) -> None:
    task_id = await submit(store)
    before = await snapshot(store)

    (task,) = await claim(store)

    assert task == Claimed(
        id=task_id, owner=OWNER, type="send", queue="mail", priority=5, attempt=1, crashes=0, snoozes=0,
        created=task.created, envelope=ENVELOPE,
    )  # fmt: skip
    assert task.created == NOW
    assert await changes(store, before) == {
        **record(task_id, status="running", attempt="1", owner=OWNER, started=NOW),
        f"leases {task_id}": Near(LEASE),
        "lane:mail:5": [],
    }


async def test_claiming_again_gives_the_next_tasks(store: Store) -> None:
    ids = [await submit(store) for _ in range(3)]
    assert [task.id for task in await claim(store, 2)] == ids[:2]
    assert [task.id for task in await claim(store, 2, owner=ANOTHER)] == ids[2:]
    before = await snapshot(store)
    assert await claim(store) == []
    assert await changes(store, before) == {}


async def test_long_arguments_come_along(store: Store) -> None:
    await submit(store, envelope=LONG_ENVELOPE)
    (task,) = await claim(store)
    assert task.envelope == LONG_ENVELOPE


async def test_lanes_are_emptied_in_the_order_given(store: Store) -> None:
    low, high = Lane("mail", 1), Lane("mail", 9)
    later = await submit(store, priority=1)
    first, second = [await submit(store, priority=9) for _ in range(2)]
    assert [(task.id, task.priority) for task in await claim(store, lanes=(high, low))] == [
        (first, 9),
        (second, 9),
        (later, 1),
    ]


async def test_other_lanes_are_left_alone(store: Store) -> None:
    await submit(store, queue="another")
    before = await snapshot(store)
    assert await claim(store) == []
    assert await changes(store, before) == {}


async def test_a_paused_queue_gives_nothing_out(store: Store) -> None:
    task_id = await submit(store)
    other = await submit(store, queue="another")
    await store.control.pause("mail")
    assert [task.id for task in await claim(store, lanes=(LANE, Lane("another", 5)))] == [other]
    await store.control.resume("mail")
    assert [task.id for task in await claim(store)] == [task_id]


async def test_attempts_snoozes_and_crashes_are_counted_apart(store: Store) -> None:
    task_id = await put(store, Status.RUNNING)

    async def again() -> Claimed:
        await due_now(store, task_id)
        await store.upkeep.promote(0, FAILED_RETENTION)
        (task,) = await claim(store)
        return task

    assert await retry(store, [task_id]) == []
    assert await again() == Counting(attempt=2, crashes=0, snoozes=0)
    assert await snooze(store, [task_id]) == []
    assert await again() == Counting(attempt=2, crashes=0, snoozes=1)
    await store.upkeep.reclaim_owner(0, OWNER, 3, FAILED_RETENTION, crashed=True)
    assert await again() == Counting(attempt=3, crashes=1, snoozes=1)


class Counting:
    """Equals a claimed task with these counters."""

    def __init__(self, **counters: int) -> None:
        self._counters = counters

    def __eq__(self, other: object) -> bool:
        return all(getattr(other, name) == value for name, value in self._counters.items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(self._counters)


async def test_a_task_whose_start_deadline_has_passed_is_a_dead_letter(store: Store) -> None:
    late, timely = await submit(store, deadline_ms=MINUTE), await submit(store, deadline_ms=MINUTE)
    await store.gateway.command("HSET", store.shards[0].task(late), "deadline", 1)
    before = await snapshot(store)

    assert [task.id for task in await claim(store)] == [timely]

    assert await changes(store, before) == {
        **record(
            late, status="failed", finished=NOW, reason="start deadline passed", ttl=lasting(FAILED_RETENTION)
        ),
        f"dead {late}": NOW,
        "recent": [late, "failed"],
        "stats mail|send|failed": 1,
        **record(timely, status="running", attempt="1", owner=OWNER, started=NOW),
        f"leases {timely}": Near(LEASE),
        "lane:mail:5": [],
    }


async def test_a_unique_key_that_is_held_until_the_start_is_given_back(store: Store) -> None:
    task_id = await submit(store, unique_key="invoice-7", unique_scope="started")
    before = await snapshot(store)
    await claim(store)
    assert (await changes(store, before)).items() >= {
        "unique:invoice-7": GONE,
        f"task:{task_id} status": "running",
    }.items()


# Entries that lead nowhere


@pytest.mark.parametrize("status", statuses_without(Event.CLAIM))
async def test_an_entry_of_a_task_that_has_moved_on_is_dropped(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    entry = await store.gateway.command("XADD", store.shards[0].lane(LANE), "*", "id", task_id)
    await store.gateway.command("HSET", store.shards[0].task(task_id), "entry", entry)
    assert await claim(store, owner=ANOTHER) == []
    assert await changes(store, before) == {f"task:{task_id} entry": entry.decode()}


async def test_of_two_entries_the_one_that_the_record_names_counts(store: Store) -> None:
    task_id = await submit(store)
    await store.gateway.command("XADD", store.shards[0].lane(LANE), "*", "id", task_id)
    assert [task.id for task in await claim(store)] == [task_id]
    assert await status_of(store, task_id) == Status.RUNNING


async def test_an_entry_without_a_record_is_dropped(store: Store) -> None:
    before = await snapshot(store)
    await submit(store)
    await store.gateway.command("XADD", store.shards[0].lane(LANE), "*", "id", new_id())
    await store.gateway.command("XADD", store.shards[0].lane(LANE), "*", "anything", "else", "and", "more")
    assert len(await claim(store)) == 1
    assert (await changes(store, before))["lane:mail:5"] == []


# Garbage


async def test_what_is_no_record_becomes_a_dead_letter_and_its_bytes_are_kept(store: Store) -> None:
    first, garbled, last = [await submit(store) for _ in range(3)]
    await garble(store, garbled)

    assert [task.id for task in await claim(store)] == [first, last]

    assert await status_of(store, garbled) == Status.FAILED
    assert "garbled" in str(await field(store, garbled, "reason"))
    after = await snapshot(store)
    assert after[f"garbage:{garbled}"].encode(errors="surrogateescape") == GARBAGE
    assert after[f"garbage:{garbled} ttl"] == lasting(FAILED_RETENTION)
    assert f"dead {garbled}" in after


async def test_a_lane_that_is_none_does_not_hide_the_others(store: Store) -> None:
    await store.gateway.command("SET", store.shards[0].lane(LANE), GARBAGE)
    other = await submit(store, queue="another")
    assert [task.id for task in await claim(store, lanes=(LANE, Lane("another", 5)))] == [other]
    await store.gateway.command("DEL", store.shards[0].lane(LANE))


async def test_lost_arguments_are_no_reason_to_stop(store: Store) -> None:
    task_id, other = await submit(store, envelope=LONG_ENVELOPE), await submit(store)
    await store.gateway.command("DEL", store.shards[0].args(task_id))
    assert [(task.id, task.envelope) for task in await claim(store)] == [(task_id, b""), (other, ENVELOPE)]
    await store.gateway.command("SET", store.shards[0].args(task_id), LONG_ENVELOPE)


async def test_pauses_that_cannot_be_read_do_not_stop_the_shard(store: Store) -> None:
    await store.gateway.command("SET", store.shards[0].paused, GARBAGE)
    task_id = await submit(store)
    assert [task.id for task in await claim(store)] == [task_id]
    await tidy(store)
