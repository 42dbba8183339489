"""collapse.lua: tasks with the same key come to one, debounced or throttled."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Status
from jobbers.core.task import KNOWN_MS, TaskSpec
from jobbers.store.store import Store
from tests.store.kit import (
    ENVELOPE,
    FAILED_RETENTION,
    GARBAGE,
    GONE,
    LONG_ENVELOPE,
    MINUTE,
    NOW,
    RETENTION,
    Near,
    changes,
    claim,
    field,
    lasting,
    placement,
    record,
    snapshot,
    status_of,
)

KEY = "send:42"
HOUR = 60 * MINUTE
DEBOUNCE = {"collapse": "d", "wait_ms": MINUTE}
THROTTLE = {"collapse": "t", "wait_ms": MINUTE}
TRAILING = {"collapse": "l", "wait_ms": MINUTE}
SPARE = MINUTE


def spec(envelope: bytes = ENVELOPE, *, id: str | None = None, key: str = KEY, **changes: Any) -> TaskSpec:
    return TaskSpec(id or new_id(key), placement(**changes), envelope, key=key)


async def due_of(store: Store, task_id: str) -> int:
    return int((await field(store, task_id, "due")) or 0)


async def make_due(store: Store, task_id: str) -> None:
    """As if its time had come."""
    shard = store.shards[0]
    await store.gateway.command("HSET", shard.task(task_id), "due", 1)
    await store.gateway.command("ZADD", shard.due, 1, task_id)


def of_task(keyspace: dict[str, Any], task_id: str) -> dict[str, Any]:
    return {name: value for name, value in keyspace.items() if task_id in name and not name.endswith(" ttl")}


async def end_period(store: Store) -> None:
    """As if the period of the key had just ended."""
    name = store.shards[0].collapse(KEY)
    first, _, last = (await store.gateway.command("GET", name)).decode().split(" ")
    seconds, _ = await store.gateway.command("TIME")
    await store.gateway.command("SET", name, f"{first} {int(seconds) * 1000 - 1} {last}", "PX", MINUTE)
    if last:
        await make_due(store, last)
        await store.upkeep.promote(0, FAILED_RETENTION)


# Debounce


async def test_the_first_one_is_scheduled(store: Store) -> None:
    before = await snapshot(store)
    first = spec(**DEBOUNCE)
    assert await store.tasks.submit_one(first) == first.id
    assert await changes(store, before) == {
        **record(
            first.id,
            status="scheduled",
            type="send",
            lane="mail:5",
            created=NOW,
            due=Near(MINUTE),
            env=ENVELOPE.decode(errors="surrogateescape"),
        ),
        f"due {first.id}": Near(MINUTE),
        f"collapse:{KEY}": first.id,
        f"collapse:{KEY} ttl": lasting(MINUTE + SPARE),
    }


async def test_a_later_one_puts_it_off_and_gives_it_its_arguments(store: Store) -> None:
    first, second = spec(**DEBOUNCE), spec(LONG_ENVELOPE, queue="fast", priority=9, **DEBOUNCE)
    await store.tasks.submit_one(first)
    await store.gateway.command("HSET", store.shards[0].task(first.id), "due", 5)
    await store.gateway.command("ZADD", store.shards[0].due, 5, first.id)
    before = await snapshot(store)

    assert await store.tasks.submit_one(second) == first.id

    assert await changes(store, before) == {
        f"task:{first.id} due": Near(MINUTE),
        f"task:{first.id} lane": "fast:9",
        f"task:{first.id} env": GONE,
        f"args:{first.id}": LONG_ENVELOPE.decode(errors="surrogateescape"),
        f"due {first.id}": Near(MINUTE),
        f"joined:{second.id}": first.id,
        f"joined:{second.id} ttl": lasting(KNOWN_MS),
    }
    third = spec(**DEBOUNCE)
    assert await store.tasks.submit([third]) == {third.id: first.id}
    after = await snapshot(store)
    assert after[f"task:{first.id} env"] == ENVELOPE.decode(errors="surrogateescape")
    assert f"args:{first.id}" not in after


async def test_it_is_not_put_off_beyond_its_longest_wait(store: Store) -> None:
    limited = {**DEBOUNCE, "max_wait_ms": 90_000}
    first = spec(**limited)
    await store.tasks.submit_one(first)
    made = int((await field(store, first.id, "created")) or 0) - 45_000  # as if it had been made then
    await store.gateway.command("HSET", store.shards[0].task(first.id), "created", made)
    await store.tasks.submit_one(spec(**limited))
    assert await due_of(store, first.id) == made + 90_000


async def test_submitting_again_puts_nothing_off_twice(store: Store) -> None:
    first, second, third = (spec(**DEBOUNCE) for _ in range(3))
    for one in (first, second, third):
        await store.tasks.submit_one(one)
    await make_due(store, first.id)
    before = await snapshot(store)
    for again in (first, second, third):
        assert await store.tasks.submit_one(again) == first.id
    assert await changes(store, before) == {}
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert [task.id for task in await claim(store)] == [first.id]
    before = await snapshot(store)
    assert await store.tasks.submit([second, first, third]) == {second.id: first.id, third.id: first.id}
    assert await changes(store, before) == {}  # also when that one has long started


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.CANCELLED, "retried", "gone"])
async def test_what_waits_no_more_is_left_alone(store: Store, status: str) -> None:
    first = spec(**DEBOUNCE)
    await store.tasks.submit_one(first)
    if status == Status.CANCELLED:
        await store.tasks.cancel([first.id], RETENTION, "no")
    else:
        await make_due(store, first.id)
        await store.upkeep.promote(0, FAILED_RETENTION)
    if status in (Status.RUNNING, "retried"):
        (taken,) = await claim(store)
        if status == "retried":
            await store.tasks.snooze(0, [(taken.id, taken.owner, MINUTE, "later")])  # type: ignore[list-item]
    if status == "gone":
        await store.tasks.cancel([first.id], RETENTION, "no")
        await store.gateway.command("DEL", store.shards[0].task(first.id))
    held = of_task(await snapshot(store), first.id)
    second = spec(**DEBOUNCE)

    assert await store.tasks.submit_one(second) == second.id

    after = await snapshot(store)
    assert of_task(after, first.id) == held
    assert after[f"collapse:{KEY}"] == second.id
    assert after[f"task:{second.id} status"] == "scheduled"


async def test_keys_have_nothing_to_do_with_each_other(store: Store) -> None:
    one, other = spec(**DEBOUNCE), spec(key="send:43", **DEBOUNCE)
    assert await store.tasks.submit([one, other]) == {}
    assert await status_of(store, other.id) == "scheduled"


async def test_many_at_once_come_to_one_with_what_the_last_one_says(store: Store) -> None:
    where = placement(**DEBOUNCE)
    specs = [
        TaskSpec(new_id(KEY), where, ENVELOPE, key=KEY) for _ in range(600)
    ]  # more than fit into one call
    last = TaskSpec(new_id(KEY), where, LONG_ENVELOPE, key=KEY)
    held = await store.tasks.submit([*specs, last])
    assert held == {one.id: specs[0].id for one in [*specs[1:], last]}
    assert (await snapshot(store))[f"args:{specs[0].id}"] == LONG_ENVELOPE.decode(errors="surrogateescape")


async def test_the_start_deadline_counts_from_when_it_is_due(store: Store) -> None:
    first = spec(deadline_ms=1_000, **DEBOUNCE)
    await store.tasks.submit_one(first)
    assert int((await field(store, first.id, "deadline")) or 0) == await due_of(store, first.id) + 1_000
    await store.tasks.submit_one(spec(**DEBOUNCE))
    assert await field(store, first.id, "deadline") is None


# Throttle


async def test_the_first_one_of_a_period_is_taken_and_stands_for_the_others(store: Store) -> None:
    first, second = spec(**THROTTLE), spec(LONG_ENVELOPE, **THROTTLE)
    before = await snapshot(store)
    assert await store.tasks.submit_one(first) == first.id
    assert await changes(store, before) == {
        **record(
            first.id,
            status="queued",
            type="send",
            lane="mail:5",
            created=NOW,
            entry=ANY,
            env=ENVELOPE.decode(errors="surrogateescape"),
        ),
        "lane:mail:5": [first.id],
        "lanes mail:5": True,
        f"collapse:{KEY}": ANY,
        f"collapse:{KEY} ttl": lasting(2 * MINUTE + SPARE),
    }
    before = await snapshot(store)
    for _ in range(2):
        assert await store.tasks.submit_one(second) == first.id
    changed = await changes(store, before)
    assert changed == {f"joined:{second.id}": first.id, f"joined:{second.id} ttl": lasting(KNOWN_MS)}


async def test_a_period_ends(store: Store) -> None:
    first, second, third = (spec(**THROTTLE) for _ in range(3))
    await store.tasks.submit_one(first)
    assert await store.tasks.submit_one(second) == first.id
    await end_period(store)
    assert await store.tasks.submit_one(third) == third.id
    assert await store.tasks.submit_one(first) == first.id  # sent again
    assert await store.tasks.submit_one(second) == first.id
    assert [task.id for task in await claim(store)] == [first.id, third.id]


async def test_the_last_one_of_a_period_may_run_at_its_end(store: Store) -> None:
    first, second, third = spec(**TRAILING), spec(**TRAILING), spec(LONG_ENVELOPE, **TRAILING)
    assert await store.tasks.submit_one(first) == first.id
    assert await store.tasks.submit_one(second) == second.id
    assert await due_of(store, second.id) == Near(MINUTE)
    due = await due_of(store, second.id)
    assert await store.tasks.submit_one(third) == second.id
    assert await due_of(store, second.id) == due
    assert (await snapshot(store))[f"args:{second.id}"] == LONG_ENVELOPE.decode(errors="surrogateescape")
    assert [task.id for task in await claim(store)] == [first.id]

    await end_period(store)  # the last one of the period begins the next

    assert [task.id for task in await claim(store)] == [second.id]
    fourth = spec(**TRAILING)
    assert await store.tasks.submit_one(fourth) == fourth.id
    assert await status_of(store, fourth.id) == "scheduled"
    await end_period(store)
    await end_period(store)  # nothing came
    fifth = spec(**TRAILING)
    await store.tasks.submit_one(fifth)
    assert await status_of(store, fifth.id) == "scheduled"  # behind the fourth, which has begun a period


async def test_after_a_quiet_period_the_next_one_is_taken_at_once(store: Store) -> None:
    first, second = spec(**TRAILING), spec(**TRAILING)
    await store.tasks.submit_one(first)
    await end_period(store)
    await store.tasks.submit_one(second)
    assert await status_of(store, second.id) == "queued"


# Both


@pytest.mark.parametrize("how", [DEBOUNCE, THROTTLE, TRAILING], ids=["debounce", "throttle", "trailing"])
async def test_something_else_in_the_place_of_a_key_is_put_aside(store: Store, how: dict[str, Any]) -> None:
    name = store.shards[0].collapse(KEY)
    await store.gateway.command("RPUSH", name, GARBAGE)
    first, second = spec(**how), spec(**how)
    assert await store.tasks.submit_one(first) == first.id
    assert f"garbage:collapse:{KEY}" in await snapshot(store)
    await store.gateway.command("SET", name, GARBAGE, "PX", MINUTE)
    assert await store.tasks.submit_one(second) == second.id
    third = spec(**how)
    joined = f"{store.shards[0].prefix}:joined:{third.id}"
    await store.gateway.command("RPUSH", joined, GARBAGE)
    assert await store.tasks.submit_one(third) == (third.id if how is TRAILING else second.id)
    await store.gateway.command("DEL", joined)


@pytest.mark.parametrize("how", [DEBOUNCE, THROTTLE, TRAILING], ids=["debounce", "throttle", "trailing"])
async def test_many_clients_at_once_make_one(store: Store, how: dict[str, Any]) -> None:
    specs = [spec(**how) for _ in range(50)]
    got = await asyncio.gather(*(store.tasks.submit_one(one) for one in specs))
    assert len(set(got)) == (2 if how is TRAILING else 1)
