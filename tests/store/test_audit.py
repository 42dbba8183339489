"""The audit behind every test is itself tested: a healthy namespace passes, and each planted violation is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from jobbers.client import new_id
from jobbers.core.status import Status
from jobbers.store.store import Store
from jobbers.testing import audit_store
from jobbers.testing.audit import RULES
from tests.store import kit
from tests.store.kit import LANE, LONG_ENVELOPE, MINUTE, claimed, fail, put, submit

pytestmark = pytest.mark.leaves_garbage("plants violations")

Plant = Callable[[Store], Awaitable[None]]
PLANTED: list[tuple[Plant, str]] = []


def found_as(what: str) -> Callable[[Plant], Plant]:
    def register(plant: Plant) -> Plant:
        PLANTED.append((plant, what))
        return plant

    return register


async def command(store: Store, *words: str | bytes | int) -> None:
    await store.gateway.command(*words)


# Keys


@found_as("is not in the table of keys")
async def a_key_of_the_shard_that_nobody_knows(store: Store) -> None:
    await command(store, "SET", store.shards[0].prefix + ":something", 1)


@found_as("is not in the table of keys")
async def a_global_key_that_nobody_knows(store: Store) -> None:
    await command(store, "SET", store.keys.prefix + ":something", 1)


@found_as("is not in the table of keys")
async def a_channel_that_is_a_key(store: Store) -> None:
    await command(store, "SET", store.shards[0].bell, 1)


@found_as("is a string and should be a stream")
async def a_lane_that_is_none(store: Store) -> None:
    await command(store, "SET", store.shards[0].lane(LANE), 1)


@found_as("is a string and should be a zset")
async def a_due_set_that_is_none(store: Store) -> None:
    await command(store, "SET", store.shards[0].due, 1)


@found_as("stays for ever")
async def counters_that_stay(store: Store) -> None:
    await put(store, Status.SUCCEEDED)
    for key in await store.gateway.command("KEYS", store.shards[0].stats(0)[:-1] + "*"):
        await command(store, "PERSIST", key)


@found_as("stays for ever")
async def a_guard_that_stays(store: Store) -> None:
    await command(store, "SET", store.shards[0].duty("upkeep"), "worker-1")


@found_as("expires")
async def a_lane_that_expires(store: Store) -> None:
    await submit(store)
    await command(store, "EXPIRE", store.shards[0].lane(LANE), 100)


@found_as("has no metadata")
async def no_metadata(store: Store) -> None:
    await command(store, "DEL", store.keys.meta)


# Records


@found_as("has no status but 'nonsense'")
async def a_status_that_nobody_knows(store: Store) -> None:
    await command(store, "HSET", store.shards[0].task(await submit(store)), "status", "nonsense")


@found_as("has no lane but 'mail'")
async def a_lane_without_priority(store: Store) -> None:
    await command(store, "HSET", store.shards[0].task(await put(store, Status.CANCELLED)), "lane", "mail")


@found_as("has no type or no time of creation")
async def no_type(store: Store) -> None:
    await command(store, "HDEL", store.shards[0].task(await submit(store)), "type")


@found_as("has fields that are not in the table: colour")
async def an_unknown_field(store: Store) -> None:
    await command(store, "HSET", store.shards[0].task(await submit(store)), "colour", "red")


@found_as("is a string and should be a hash")
async def no_record(store: Store) -> None:
    await kit.garble(store, await put(store, Status.CANCELLED))


@found_as("is no task id, and task belongs to one")
async def no_task_id(store: Store) -> None:
    await command(store, "RENAME", store.shards[0].task(await submit(store)), store.shards[0].task("mine"))


# Places


@found_as("is queued and 0 times in a lane")
async def a_queued_task_that_is_nowhere(store: Store) -> None:
    await submit(store)
    await command(store, "XTRIM", store.shards[0].lane(LANE), "MAXLEN", 0)


@found_as("is queued and 2 times in a lane")
async def a_queued_task_that_is_there_twice(store: Store) -> None:
    await command(store, "XADD", store.shards[0].lane(LANE), "*", "id", await submit(store))


@found_as("is queued and in due")
async def a_queued_task_that_is_due_too(store: Store) -> None:
    await command(store, "ZADD", store.shards[0].due, 1, await submit(store))


@found_as("is scheduled and not in due")
async def a_scheduled_task_that_is_nowhere(store: Store) -> None:
    await command(store, "ZREM", store.shards[0].due, await submit(store, delay_ms=MINUTE))


@found_as("is due at another time than the due set says")
async def a_scheduled_task_at_another_time(store: Store) -> None:
    await command(store, "ZADD", store.shards[0].due, 1, await submit(store, delay_ms=MINUTE))


@found_as("is running and not in leases")
async def a_running_task_without_a_lease(store: Store) -> None:
    await command(store, "ZREM", store.shards[0].leases, await claimed(store))


@found_as("is failed and not in dead")
async def a_failed_task_that_is_no_dead_letter(store: Store) -> None:
    await command(store, "ZREM", store.shards[0].dead, await put(store, Status.FAILED))


@found_as("is succeeded and in leases")
async def a_finished_task_with_a_lease(store: Store) -> None:
    await command(store, "ZADD", store.shards[0].leases, 1, await put(store, Status.SUCCEEDED))


@found_as("lies in lane mail:5 and has no record")
async def an_entry_without_a_record(store: Store) -> None:
    await command(store, "XADD", store.shards[0].lane(LANE), "*", "id", new_id())


@found_as("lies in lane mail:5 and is not queued with this entry")
async def an_entry_of_a_running_task(store: Store) -> None:
    await command(store, "XADD", store.shards[0].lane(LANE), "*", "id", await claimed(store))


@found_as("lies in lane other:5 and is not queued with this entry")
async def an_entry_in_another_lane(store: Store) -> None:
    task_id = await submit(store)
    entry = await kit.field(store, task_id, "entry")
    await command(store, "XTRIM", store.shards[0].lane(LANE), "MAXLEN", 0)
    await command(store, "XADD", store.shards[0].lane("other:5"), str(entry), "id", task_id)


@found_as("is in leases and is gone")
async def a_lease_of_nobody(store: Store) -> None:
    await command(store, "ZADD", store.shards[0].leases, 1, new_id())


@found_as("leases holds a task that is gone")
async def a_lease_of_nobody_as_the_store_sees_it(store: Store) -> None:
    await a_lease_of_nobody(store)


@found_as("repair finds it queued, but in no lane")
async def a_queued_task_that_is_nowhere_as_the_store_sees_it(store: Store) -> None:
    await a_queued_task_that_is_nowhere(store)


@found_as("holds tasks and is not listed among the lanes")
async def a_lane_that_readers_miss(store: Store) -> None:
    await submit(store)
    await command(store, "DEL", store.shards[0].lanes)


@found_as("is listed among the lanes and is none")
async def a_listed_lane_that_is_none(store: Store) -> None:
    await command(store, "SADD", store.shards[0].lanes, "no lane")


@found_as("is the name of no lane")
async def a_lane_without_a_name(store: Store) -> None:
    await command(store, "XADD", store.shards[0].lane("mail"), "*", "id", new_id())


# Ends


@found_as("is succeeded and its task stays for ever")
async def a_final_record_that_stays(store: Store) -> None:
    await command(store, "PERSIST", store.shards[0].task(await put(store, Status.SUCCEEDED)))


@found_as("is queued and its task expires")
async def a_queued_record_that_expires(store: Store) -> None:
    await command(store, "EXPIRE", store.shards[0].task(await submit(store)), 100)


@found_as("is failed and its errors stays for ever")
async def errors_that_outlive_their_task(store: Store) -> None:
    task_id = await claimed(store)
    await fail(store, [task_id])
    await command(store, "PERSIST", store.shards[0].errors(task_id))


@found_as("is failed and its args stays for ever")
async def arguments_that_outlive_their_task(store: Store) -> None:
    task_id = await put(store, Status.FAILED, envelope=LONG_ENVELOPE)
    await command(store, "PERSIST", store.shards[0].args(task_id))


@found_as("has no record, and args")
async def arguments_of_nobody(store: Store) -> None:
    await command(store, "SET", store.shards[0].args(new_id()), LONG_ENVELOPE)


@found_as("has no record, and result")
async def a_result_of_nobody(store: Store) -> None:
    await command(store, "SET", store.shards[0].result(new_id()), LONG_ENVELOPE)


@found_as("has no record, and errors")
async def errors_of_nobody(store: Store) -> None:
    await command(store, "RPUSH", store.shards[0].errors(new_id()), "report")


@found_as("is queued and has its arguments 0 times")
async def lost_arguments(store: Store) -> None:
    await command(store, "DEL", store.shards[0].args(await submit(store, envelope=LONG_ENVELOPE)))


@found_as("is succeeded and has 0 results")
async def a_lost_result(store: Store) -> None:
    await command(store, "HDEL", store.shards[0].task(await put(store, Status.SUCCEEDED)), "result")


@found_as("is failed and has 1 results")
async def a_result_of_a_failed_task(store: Store) -> None:
    await command(store, "HSET", store.shards[0].task(await put(store, Status.FAILED)), "result", "x")


# Unique keys


@found_as("is held for ever by a task that is gone")
async def a_unique_key_of_nobody(store: Store) -> None:
    await command(store, "SET", store.shards[0].unique("invoice-7"), new_id())


@found_as("is held for ever by a task that is succeeded")
async def a_unique_key_of_a_finished_task(store: Store) -> None:
    await command(store, "SET", store.shards[0].unique("invoice-7"), await put(store, Status.SUCCEEDED))


@found_as("is held by a task that does not know it")
async def a_unique_key_of_another(store: Store) -> None:
    await command(store, "SET", store.shards[0].unique("invoice-7"), await submit(store))


@found_as("is held until its task starts, which it did")
async def a_unique_key_that_was_not_given_back(store: Store) -> None:
    task_id = await claimed(store, unique_key="invoice-7", unique_scope="started")
    await command(store, "SET", store.shards[0].unique("invoice-7"), task_id)


@found_as("is queued and does not hold its unique key 'invoice-7'")
async def a_unique_key_that_was_lost(store: Store) -> None:
    await submit(store, unique_key="invoice-7", unique_scope="finished")
    await command(store, "DEL", store.shards[0].unique("invoice-7"))


# Bounds


@found_as("lists 2001 entries of recent tasks")
async def a_list_without_a_bound(store: Store) -> None:
    await store.gateway.commands(
        ("XADD", store.shards[0].recent, "*", new_id(), "succeeded") for _ in range(2001)
    )


@pytest.mark.parametrize(("plant", "what"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])  # type: ignore[attr-defined]
async def test_a_planted_violation_is_found(store: Store, plant: Plant, what: str) -> None:
    await plant(store)
    found = [violation.what for violation in await audit_store(store)]
    assert any(one.startswith(what) for one in found), found


async def test_a_task_in_a_foreign_shard_is_found(store_of_two: Store) -> None:
    store = store_of_two
    task_id = new_id()
    foreign = store.shards[1 - store.tasks.shard(task_id)]
    await store.gateway.command("SET", foreign.args(task_id), LONG_ENVELOPE)
    found = [violation.what for violation in await audit_store(store)]
    assert f"belongs to shard {store.tasks.shard(task_id)}" in found


@pytest.mark.parametrize("status", Status)
async def test_what_is_in_order_passes(store: Store, status: Status) -> None:
    for _ in range(2):
        await put(store, status)
    assert await audit_store(store) == []


async def test_a_lot_of_everything_passes(store: Store) -> None:
    for status in Status:
        await put(store, status, envelope=LONG_ENVELOPE, deadline_ms=MINUTE)
        unique = {"unique_key": f"key-{status}", "unique_scope": "finished"}
        await put(store, status, **unique)
    await store.control.pause("mail")
    await store.control.announce("worker-1", {"name": "worker"}, MINUTE)
    await store.upkeep.hold_duty(0, "upkeep", "worker-1", MINUTE)
    assert await audit_store(store) == []


def test_every_rule_says_what_it_holds() -> None:
    assert all(rule.__doc__ for rule in RULES)
