"""submit.lua: creates tasks that share one placement; an id that exists is left alone."""

from __future__ import annotations

import time
from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.lanes import Lane
from jobbers.core.status import Status
from jobbers.core.task import TaskSpec
from jobbers.errors import StoreError
from jobbers.store.store import Store
from tests.store.kit import (
    ENVELOPE,
    GARBAGE,
    LANE,
    LONG_ENVELOPE,
    MINUTE,
    NOW,
    Near,
    changes,
    claim,
    garble,
    lasting,
    placement,
    put,
    record,
    snapshot,
    status_of,
    submit,
)

NEW = {"type": "send", "lane": "mail:5", "created": NOW}


def text(envelope: bytes) -> str:
    return envelope.decode(errors="surrogateescape")


async def test_a_task_is_queued_in_its_lane(store: Store) -> None:
    before = await snapshot(store)

    task_id = await submit(store)

    assert await changes(store, before) == {
        **record(task_id, status="queued", entry=ANY, env=text(ENVELOPE), **NEW),
        "lane:mail:5": [task_id],
        "lanes mail:5": True,
    }


async def test_long_arguments_lie_beside_the_record(store: Store) -> None:
    before = await snapshot(store)

    task_id = await submit(store, envelope=LONG_ENVELOPE)

    assert await changes(store, before) == {
        **record(task_id, status="queued", entry=ANY, **NEW),
        f"args:{task_id}": text(LONG_ENVELOPE),
        "lane:mail:5": [task_id],
        "lanes mail:5": True,
    }


async def test_a_delayed_task_is_scheduled(store: Store) -> None:
    before = await snapshot(store)

    task_id = await submit(store, delay_ms=MINUTE)

    assert await changes(store, before) == {
        **record(task_id, status="scheduled", due=Near(MINUTE), env=text(ENVELOPE), **NEW),
        f"due {task_id}": Near(MINUTE),
    }


async def test_an_absolute_time_wins_over_a_delay(store: Store) -> None:
    at = int(time.time() * 1000) + 5 * MINUTE
    task_id = await submit(store, at_ms=at, delay_ms=MINUTE)
    assert (await snapshot(store))[f"due {task_id}"] == at


async def test_what_is_due_already_is_queued(store: Store) -> None:
    task_id = await submit(store, at_ms=1)
    assert await status_of(store, task_id) == Status.QUEUED


async def test_the_start_deadline_counts_from_now(store: Store) -> None:
    task_id = await submit(store, deadline_ms=MINUTE)
    assert (await snapshot(store))[f"task:{task_id} deadline"] == Near(MINUTE)


async def test_many_tasks_keep_their_order(store: Store) -> None:
    ids = [new_id() for _ in range(1200)]  # more than fit into one call
    where = placement()
    assert await store.tasks.submit([TaskSpec(task_id, where, ENVELOPE) for task_id in ids]) == {}
    assert (await snapshot(store))["lane:mail:5"] == ids


@pytest.mark.parametrize("status", Status)
async def test_an_id_that_exists_is_left_alone(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    await submit(store, id=task_id, envelope=LONG_ENVELOPE, delay_ms=MINUTE, queue="another")
    assert await changes(store, before) == {}


async def test_submitting_again_changes_nothing_for_a_unique_task_either(store: Store) -> None:
    task_id = new_id("invoice-7")
    spec = TaskSpec(task_id, placement(unique_key="invoice-7", unique_scope="finished"), ENVELOPE)
    assert await store.tasks.submit([spec]) == {}
    before = await snapshot(store)
    assert await store.tasks.submit([spec]) == {}
    assert await changes(store, before) == {}


# Unique keys


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.QUEUED, Status.RUNNING])
async def test_a_unique_key_admits_one_task_until_it_has_finished(store: Store, status: Status) -> None:
    holder = await put(store, status, unique_key="invoice-7", unique_scope="finished")
    before = await snapshot(store)
    task_id = new_id("invoice-7")
    spec = TaskSpec(task_id, placement(unique_key="invoice-7", unique_scope="finished"), LONG_ENVELOPE)

    assert await store.tasks.submit([spec]) == {task_id: holder}
    assert await store.tasks.submit_one(spec) == holder

    assert await changes(store, before) == {}


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
async def test_a_finished_task_gives_its_unique_key_back(store: Store, status: Status) -> None:
    await put(store, status, unique_key="invoice-7", unique_scope="finished")
    assert "unique:invoice-7" not in await snapshot(store)

    task_id = await submit(store, unique_key="invoice-7", unique_scope="finished")

    after = await snapshot(store)
    assert after["unique:invoice-7"] == task_id
    assert after[f"task:{task_id} unique"] == "f:invoice-7"


async def test_a_unique_key_may_be_held_until_its_task_starts(store: Store) -> None:
    first = await submit(store, unique_key="invoice-7", unique_scope="started")
    assert (await snapshot(store))["unique:invoice-7"] == first

    await claim(store)

    assert "unique:invoice-7" not in await snapshot(store)
    second = await submit(store, unique_key="invoice-7", unique_scope="started")
    assert await status_of(store, second) == Status.QUEUED


async def test_a_unique_key_may_be_held_for_a_time(store: Store) -> None:
    window = {"unique_key": "invoice-7", "unique_scope": "time", "unique_ttl_ms": MINUTE}
    first = await put(store, Status.SUCCEEDED, **window)
    after = await snapshot(store)
    assert (after["unique:invoice-7"], after["unique:invoice-7 ttl"]) == (first, lasting(MINUTE))

    second = await submit(store, **window)
    assert await status_of(store, second) == ""

    await store.gateway.command("PEXPIRE", store.shards[0].unique("invoice-7"), 0)  # the time is over
    third = await submit(store, **window)
    assert await status_of(store, third) == Status.QUEUED


@pytest.mark.parametrize("scope", ["started", "finished"])
async def test_a_unique_key_that_was_left_behind_is_taken_over(store: Store, scope: str) -> None:
    await store.gateway.command("SET", store.shards[0].unique("invoice-7"), new_id("invoice-7"))
    task_id = await submit(store, unique_key="invoice-7", unique_scope=scope)
    assert (await snapshot(store))["unique:invoice-7"] == task_id


# Garbage


async def test_something_else_in_the_place_of_the_record_is_left_alone(store: Store) -> None:
    task_id = await put(store, Status.SUCCEEDED)
    await garble(store, task_id)
    before = await snapshot(store)
    await submit(store, id=task_id)
    assert await changes(store, before) == {}
    await store.gateway.command("DEL", store.shards[0].task(task_id))


@pytest.mark.parametrize("envelope", [ENVELOPE, LONG_ENVELOPE], ids=["short", "long"])
async def test_what_lies_where_a_lane_should_be_is_put_aside(store: Store, envelope: bytes) -> None:
    await store.gateway.command("SET", store.shards[0].lane(LANE), GARBAGE)
    task_id = await submit(store, envelope=envelope, unique_key="invoice-7", unique_scope="finished")
    assert [task.id for task in await claim(store)] == [task_id]
    assert await submit(store, queue="another")


async def test_a_unique_key_that_is_none_refuses_the_task_whole(store: Store) -> None:
    key = store.shards[0].unique("invoice-7")
    await store.gateway.command("RPUSH", key, GARBAGE)
    before = await snapshot(store)
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await submit(store, envelope=LONG_ENVELOPE, unique_key="invoice-7", unique_scope="finished")
    assert await changes(store, before) == {}
    await store.gateway.command("DEL", key)


async def test_a_lane_that_has_lost_its_group_still_takes_tasks(store: Store) -> None:
    await submit(store)
    await store.gateway.command("DEL", store.shards[0].lane(LANE))
    task_id = await submit(store)
    assert [task.id for task in await claim(store)] == [task_id]
    await store.upkeep.repair_all(
        0, MINUTE, MINUTE, mend=True
    )  # the first one, whose entry went with the lane
    assert len(await claim(store)) == 1


async def test_a_lane_is_made_once(store: Store) -> None:
    await store.tasks.open_lanes(0, [LANE, Lane("another", 0)])
    before = await snapshot(store)
    await store.tasks.open_lanes(0, [LANE, Lane("another", 0)])
    assert await changes(store, before) == {}
