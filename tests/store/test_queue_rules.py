"""What is said of queues, and what submissions make of it: drained, limited, purged."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.client import new_id
from jobbers.core.lanes import Lane
from jobbers.core.queue_rules import QueueLimit, QueueRules, check_limit
from jobbers.core.task import TaskSpec
from jobbers.errors import InvalidInput, QueueDraining, QueueFull, StoreError
from jobbers.store.purge import waiting_in
from jobbers.store.queues import MADE_ROOM
from jobbers.store.store import Store
from tests.store.kit import (
    ENVELOPE,
    FAILED_RETENTION,
    LANE,
    MINUTE,
    OWNER,
    RETENTION,
    changes,
    claim,
    claimed,
    field,
    placement,
    snapshot,
    status_of,
    submit,
    tidy,
)

QUEUE = LANE.queue


async def submit_many(store: Store, count: int, **more: object) -> list[str]:
    """Submit tasks in one call; returns their ids."""
    where = placement(**more)
    ids = [new_id() for _ in range(count)]
    await store.tasks.submit([TaskSpec(task_id, where, ENVELOPE) for task_id in ids])
    return ids


async def limit(store: Store, number: int, when_full: str = "refuse", queue: str = QUEUE) -> None:
    await store.queues.limit(queue, check_limit(number, when_full), FAILED_RETENTION)


async def test_a_drained_queue_takes_nothing_and_gives_what_it_has(store: Store) -> None:
    there = await submit(store)
    await store.queues.drain(QUEUE)
    before = await snapshot(store)
    for more in ({}, {"delay_ms": MINUTE}, {"priority": 9}, {"unique_key": "k", "unique_scope": "finished"}):
        with pytest.raises(QueueDraining, match=f"queue {QUEUE} is drained .* nothing was submitted"):
            await submit(store, **more)
    with pytest.raises(QueueDraining):
        await submit_many(store, 3)
    assert await submit(store, id=there) == there  # it is there already: the call is only repeated
    assert await changes(store, before) == {}
    assert [task.id for task in await claim(store)] == [there]
    await submit(store, queue="other")
    await store.queues.undrain(QUEUE)
    await submit(store)


async def test_what_retries_and_promotions_put_into_a_drained_queue_is_done(store: Store) -> None:
    scheduled = await submit(store, delay_ms=1)
    await store.queues.drain(QUEUE)
    await asyncio.sleep(0.01)
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert [task.id for task in await claim(store)] == [scheduled]
    assert await store.tasks.release([(scheduled, OWNER)], "stopped") == []
    assert await status_of(store, scheduled) == "queued"


async def test_a_full_queue_refuses_calls_whole(store: Store) -> None:
    await limit(store, 5)
    ids = await submit_many(store, 3)
    before = await snapshot(store)
    with pytest.raises(QueueFull, match=f"queue {QUEUE} is full: nothing was submitted"):
        await submit_many(store, 3)
    assert await changes(store, before) == {}
    two = await submit_many(store, 2, priority=9)  # the limit is the queue's, over all priorities
    with pytest.raises(QueueFull):
        await submit(store)
    where = placement()
    await store.tasks.submit([TaskSpec(task_id, where, ENVELOPE) for task_id in [*ids, *two]])  # repeated
    assert len(await claim(store, 1)) == 1
    await submit(store)
    await submit(store, queue="other")
    await submit(store, delay_ms=MINUTE)  # waits elsewhere until it is due


async def test_a_unique_task_that_is_there_is_not_refused(store: Store) -> None:
    await limit(store, 1)
    holder = await submit(store, unique_key="k", unique_scope="finished")
    where = placement(unique_key="k", unique_scope="finished")
    spec = TaskSpec(new_id("k"), where, ENVELOPE)
    assert await store.tasks.submit([spec]) == {spec.id: holder}
    assert await store.tasks.submit_one(spec) == holder
    await store.queues.drain(QUEUE)
    assert await store.tasks.submit_one(spec) == holder


async def test_the_oldest_are_dropped_whatever_their_priority(store: Store) -> None:
    await limit(store, 3, "drop_oldest")
    made = []
    for priority in (9, 0, 5, 5, 9):
        made.append(await submit(store, priority=priority))
        await asyncio.sleep(0.003)  # the age of entries is told in ms
    first, second, third, fourth, fifth = made
    assert [await status_of(store, it) for it in (first, second, third, fourth, fifth)] == [
        "failed",
        "failed",
        "queued",
        "queued",
        "queued",
    ]
    assert await field(store, first, "reason") == f"dropped: queue {QUEUE} was full"
    assert await store.gateway.command("ZRANGE", store.shards[0].dead, 0, -1) == [
        first.encode(),
        second.encode(),
    ]
    await asyncio.sleep(0.003)
    many = await submit_many(store, 10)
    assert [await status_of(store, it) for it in many] == ["failed"] * 7 + ["queued"] * 3
    assert await store.queues.depth(QUEUE) == 3
    lanes = tuple(Lane(QUEUE, priority) for priority in range(10))
    assert [task.id for task in await claim(store, lanes=lanes)] == many[7:]


async def test_a_unique_key_is_given_back_by_what_is_dropped(store: Store) -> None:
    await limit(store, 1, "drop_oldest")
    holder = await submit(store, unique_key="k", unique_scope="finished")
    await asyncio.sleep(0.003)
    await submit(store)
    assert await status_of(store, holder) == "failed"
    assert await submit(store, unique_key="k", unique_scope="finished") != holder


async def test_a_limit_far_below_what_is_there(store: Store) -> None:
    ids = await submit_many(store, MADE_ROOM + 50)
    await limit(store, 10, "drop_oldest")
    assert await store.queues.make_room(0, QUEUE) == MADE_ROOM
    assert await store.queues.make_room(0, QUEUE) == 40
    assert await store.queues.make_room(0, QUEUE) == 0
    assert [task.id for task in await claim(store, 500)] == ids[-10:]


async def test_what_is_set_live_goes_before_the_code(store: Store) -> None:
    await store.queues.define({QUEUE: QueueLimit(2), "other": QueueLimit(7, "drop_oldest")}, FAILED_RETENTION)
    assert (await store.queues.rules()).limits == {
        QUEUE: QueueLimit(2),
        "other": QueueLimit(7, "drop_oldest"),
    }
    with pytest.raises(QueueFull):
        await submit_many(store, 3)
    await limit(store, 3)
    await store.queues.define({QUEUE: QueueLimit(1)}, FAILED_RETENTION)
    await submit_many(store, 3)
    await store.queues.limit(QUEUE, QueueLimit(0), FAILED_RETENTION)  # without a limit
    await submit_many(store, 3)
    await store.queues.unlimit(QUEUE)
    assert (await store.queues.rules()).limits[QUEUE] == QueueLimit(1)
    with pytest.raises(QueueFull):
        await submit(store)


async def test_what_waits_is_purged_and_nothing_else(store: Store) -> None:
    running = await claimed(store)
    ready = [await submit(store, priority=priority) for priority in (0, 5, 9)]
    scheduled = await submit(store, delay_ms=MINUTE)
    others = [await submit(store, queue="other"), await submit(store, queue="other", delay_ms=MINUTE)]
    found = [(shard, ids) async for shard, ids in waiting_in(store, QUEUE)]
    assert {task_id for _, ids in found for task_id in ids} == {*ready, scheduled, others[1]}
    everything = [running, *ready, scheduled, *others]
    for _ in range(2):  # the same call again says the same
        purged = await store.queues.purge(0, QUEUE, everything, "call", retention_ms=RETENTION)
        assert purged == 4
    assert await store.queues.purge(0, QUEUE, everything, "next", retention_ms=RETENTION) == 0
    assert [await status_of(store, it) for it in (*ready, scheduled)] == ["cancelled"] * 4
    assert [await status_of(store, it) for it in (running, *others)] == ["running", "queued", "scheduled"]
    assert await field(store, ready[0], "reason") == "purged by an operator"
    assert await store.queues.depth(QUEUE) == 0


async def test_pages_of_what_waits(store: Store) -> None:
    ids = await submit_many(store, 450) + await submit_many(store, 450, delay_ms=MINUTE)
    seen: list[str] = []
    async for shard, some in waiting_in(store, QUEUE):
        assert len(some) <= 200
        assert await store.queues.purge(shard, QUEUE, some, f"c{len(seen)}", retention_ms=RETENTION) == len(
            some
        )
        seen += some
    assert sorted(seen) == sorted(ids)


async def test_a_limit_of_several_shards(store_of_two: Store) -> None:
    await store_of_two.queues.limit(QUEUE, QueueLimit(10), FAILED_RETENTION)
    assert (await store_of_two.queues.rules()).limits == {QUEUE: QueueLimit(10)}
    written = 0
    for _ in range(60):
        try:
            await submit(store_of_two)
            written += 1
        except QueueFull:
            continue
    assert written == await store_of_two.queues.depth(QUEUE) == 10


@pytest.mark.leaves_garbage
async def test_garbage_where_the_rules_are(store: Store) -> None:
    key = store.shards[0].queues
    await store.gateway.command(
        "HSET", key, f"live:{QUEUE}", "garbage", "what", "ever", f"code:{QUEUE}", "x y z"
    )
    await submit(store)
    assert await store.queues.rules() == QueueRules()
    await store.gateway.commands([("DEL", key), ("SET", key, "garbage")])
    await submit(store)
    with pytest.raises(StoreError):
        await store.queues.drain(QUEUE)
    await tidy(store)
    await store.queues.drain(QUEUE)
    with pytest.raises(QueueDraining):
        await submit(store)


async def test_routes(store: Store) -> None:
    await store.queues.route("send", "letters")
    assert (await store.queues.rules()).routes == {"send": "letters"}
    assert await store.queues.unroute("send")
    assert not await store.queues.unroute("send")
    assert (await store.queues.rules()).routes == {}


@pytest.mark.parametrize(
    ("number", "when_full"), [(0, "refuse"), (True, "refuse"), (1.5, "refuse"), (1, "drop")]
)
def test_limits_that_make_no_sense(number: int, when_full: str) -> None:
    with pytest.raises(InvalidInput):
        check_limit(number, when_full)
