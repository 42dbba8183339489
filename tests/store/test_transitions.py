"""The whole table, on the server: every event meets every status, and happens if and only if the table says so.

Each event is forced as far as it can be: a task that is not scheduled is entered into the due set all the same, one that
is not queued gets a lane entry that its record names, one that does not run gets a lease that has ended.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable

import pytest

from jobbers.client import new_id
from jobbers.core.lanes import Lane
from jobbers.core.payload import Gathered
from jobbers.core.status import TRANSITIONS, Event, Status, allows
from jobbers.errors import Conflict
from jobbers.store.runs import LaunchedTask, RevivedTask, StoredPlan
from jobbers.store.store import Store
from jobbers.store.tasks import Succession
from tests.store import kit
from tests.store.kit import ANOTHER, FAILED_RETENTION, LANE, OWNER, RETENTION, end_leases, put, status_of

FORCED_OUT = {(Event.FAIL, Status.BLOCKED)}
"""A worker fails only what it runs; that a failed parent fails its children is for runs."""


async def promote(store: Store, task_id: str) -> None:
    await store.gateway.command("ZADD", store.shards[0].due, 1, task_id)
    await store.upkeep.promote(0, FAILED_RETENTION)


async def claim(store: Store, task_id: str) -> None:
    await _enter(store, task_id)
    await kit.claim(store, owner=ANOTHER)


async def expire(store: Store, task_id: str) -> None:
    """A deadline is looked at when a task is claimed, and when it becomes due."""
    await store.gateway.command("HSET", store.shards[0].task(task_id), "deadline", 1, "gated", 1)
    if await status_of(store, task_id) == Status.SCHEDULED:
        await promote(store, task_id)
    else:
        await claim(store, task_id)


async def reclaim(store: Store, task_id: str) -> None:
    await end_leases(store, task_id)
    await store.upkeep.reclaim(0, 3, FAILED_RETENTION)


async def cancel(store: Store, task_id: str) -> None:
    await store.tasks.cancel([task_id], RETENTION, "test")


async def requeue(store: Store, task_id: str) -> None:
    await store.tasks.requeue({task_id: b""}, "test")


async def revive(store: Store, task_id: str) -> None:
    """As a task of a run that failed, which waits for another one."""
    run, ids = await kit.launch(store, {"other": ""})
    await store.tasks.cancel([run], RETENTION, "test")
    tasks = [RevivedTask(ids["other"], 0, [run]), RevivedTask(task_id, 1, [run])]
    with contextlib.suppress(Conflict):
        await store.runs.revive(run, 2, tasks)


def by_its_parent(
    *, well: bool, heir: bool = False, **fields: str
) -> Callable[[Store, str], Awaitable[None]]:
    """The end of a task for which this one waits, and for no other."""

    async def fire(store: Store, task_id: str) -> None:
        given = {"waits": "1", "gated": "1", **fields}
        if await status_of(store, task_id) != Status.BLOCKED:
            given.pop("output", None)  # what has a result is no run
        pairs = [word for pair in given.items() for word in pair]
        await store.gateway.command("HSET", store.shards[0].task(task_id), *pairs)
        run, parent, lane = new_id(), new_id(), Lane("parents", 5)
        task = LaunchedTask(
            parent, kit.TYPE, str(lane), kit.ENVELOPE, 0, [task_id, run], "parent", "all_succeeded"
        )
        await store.runs.launch(run, kit.ENVELOPE, StoredPlan("test", [], None, [task_id]), [task])
        await kit.claim(store, owner=ANOTHER, lanes=(lane,))
        if heir:
            rows = [Succession(parent, ANOTHER, RETENTION, "result", b"\x01", task_id)]
            refused, _ = await store.tasks.follow(0, rows, kit.LEASE)
            assert refused == []
        else:
            assert await (kit.succeed if well else kit.fail)(store, [parent], ANOTHER) == []

    return fire


async def follow(store: Store, task_id: str) -> None:
    """In the place of a task for which it waits, and for no other."""
    await by_its_parent(well=True, heir=True, trigger="all_succeeded")(store, task_id)


async def hold(store: Store, task_id: str) -> None:
    """As a task of a run that is paused."""
    run, _ = await kit.launch(store, {"other": ""})
    await store.gateway.command("HSET", store.shards[0].task(run), "parts", task_id)
    await store.runs.hold(run, pause=True)


async def skip(store: Store, task_id: str) -> None:
    """By its owner, or by its parent."""
    if await status_of(store, task_id) == Status.BLOCKED:
        await by_its_parent(well=False, trigger="all_succeeded")(store, task_id)
    else:
        await kit.skip(store, [task_id])


async def suspend(store: Store, task_id: str) -> None:
    """As a map of one item that is still to be made."""
    if await status_of(store, task_id) == Status.RUNNING:
        await store.gateway.command("SADD", store.shards[0].open(task_id), new_id())
    await store.maps.suspend(task_id, OWNER, Gathered(2), RETENTION)


async def park(store: Store, task_id: str) -> None:
    """On its way into a lane, where it is not its turn; or on claim, where a limit has no permit left."""
    keys, status = store.shards[0], await status_of(store, task_id)
    for gate in ("full", "turn"):
        await store.gateway.command("ZADD", keys.permits(gate), "inf", f"1 {new_id()}")
    await store.gateway.command("HSET", keys.task(task_id), "gates", "w1/full,f1/turn", "gated", 1)
    match status:
        case Status.SCHEDULED:
            await promote(store, task_id)
        case Status.BLOCKED:
            await by_its_parent(well=True, trigger="all_succeeded")(store, task_id)
        case _:
            await claim(store, task_id)
    await store.gateway.command("DEL", keys.permits("full"), keys.permits("turn"))  # nobody holds these


def by_its_owner(verb: kit.Verb) -> Callable[[Store, str], Awaitable[None]]:
    async def fire(store: Store, task_id: str) -> None:
        await verb(store, [task_id], OWNER)

    return fire


async def _enter(store: Store, task_id: str) -> None:
    if await status_of(store, task_id) != Status.QUEUED:
        entry = await store.gateway.command("XADD", store.shards[0].lane(LANE), "*", "id", task_id)
        await store.gateway.command("HSET", store.shards[0].task(task_id), "entry", entry)


FIRE: dict[Event, Callable[[Store, str], Awaitable[None]]] = {
    Event.UNBLOCK: by_its_parent(well=True, trigger="all_succeeded"),
    Event.SKIP: skip,
    Event.SUSPEND: suspend,
    Event.JOIN: by_its_parent(well=True, output="x"),
    Event.REVIVE: revive,
    Event.PROMOTE: promote,
    Event.PARK: park,
    Event.CLAIM: claim,
    Event.FOLLOW: follow,
    Event.SUCCEED: by_its_owner(kit.succeed),
    Event.RETRY: by_its_owner(kit.retry),
    Event.SNOOZE: by_its_owner(kit.snooze),
    Event.RELEASE: by_its_owner(kit.release),
    Event.RECLAIM: reclaim,
    Event.FAIL: by_its_owner(kit.fail),
    Event.EXPIRE: expire,
    Event.CANCEL: cancel,
    Event.HOLD: hold,
    Event.REQUEUE: requeue,
}


def test_every_event_is_tried() -> None:
    assert FIRE.keys() == set(Event)


@pytest.mark.parametrize(("event", "status"), list(itertools.product(FIRE, Status)), ids=str)
async def test_an_event_happens_if_the_table_allows_it(store: Store, event: Event, status: Status) -> None:
    task_id = await put(store, status)

    await FIRE[event](store, task_id)

    happens = allows(event, status) and (event, status) not in FORCED_OUT
    assert await status_of(store, task_id) == (TRANSITIONS[event].target if happens else status)
