"""schedule.lua and fire.lua: schedules are written, and started once a slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from jobbers.client import new_id
from jobbers.core.schedule import Kind, Schedule
from jobbers.core.status import Status
from jobbers.core.timing import Timing
from jobbers.errors import Conflict, NotFound
from jobbers.store.schedules import Due, Fired, Firing
from jobbers.store.store import Store
from jobbers.store.wire import Argument
from tests.store.kit import ENVELOPE, LANE, LONG_ENVELOPE, MINUTE, TYPE, changes, snapshot, status_of

FAR = 10**15


def schedule(name: str = "nightly", **more: Any) -> Schedule:
    return Schedule(name, Timing(every_ms=MINUTE), Kind.TASK, TYPE, queue=LANE.queue, **more)


async def now_of(store: Store) -> int:
    return await store.inspect.now_ms()


async def write(store: Store, name: str = "nightly", *, ago: int = 1, envelope: bytes = ENVELOPE) -> Schedule:
    one = schedule(name)
    await store.schedules.write(one, envelope, await now_of(store) - ago, replace=False)
    return one


def firing(due: Due, **more: Any) -> Firing:
    assert due.schedule is not None
    assert due.slot is not None
    words: list[Argument] = [due.schedule.id_of(due.slot), TYPE, str(LANE), 0, ""]
    return Firing(
        due.name,
        due.turn,
        due.slot + MINUTE,
        due.slot + MINUTE,
        (),
        due.slot,
        due.schedule.id_of(due.slot),
        0,
        [words],
    )._replace(**more)


async def look(store: Store, limit: int = 100) -> Fired:
    return await store.schedules.fire(0, [], limit)


async def test_what_is_written_is_read(store: Store) -> None:
    one = schedule()
    assert await store.schedules.write(one, LONG_ENVELOPE, FAR, replace=False) == "made"
    found = await store.schedules.get("nightly")
    assert (found.schedule, found.envelope, found.slot, found.paused) == (one, LONG_ENVELOPE, FAR, False)
    assert await store.schedules.listed() == [found]
    assert (await look(store)).due == []


async def test_a_taken_name_changes_nothing(store: Store) -> None:
    await write(store)
    before = await snapshot(store)
    with pytest.raises(Conflict, match="there is a schedule 'nightly' already"):
        await store.schedules.write(schedule(priority=9), ENVELOPE, FAR, replace=False)
    assert await changes(store, before) == {}


async def test_the_same_again_keeps_its_slot_and_another_one_takes_its_place(store: Store) -> None:
    one = await write(store, ago=5_000)
    before = await store.schedules.get("nightly")
    assert await store.schedules.write(one, ENVELOPE, FAR, replace=True) == "same"
    assert await store.schedules.get("nightly") == before
    assert await store.schedules.write(one, LONG_ENVELOPE, FAR, replace=True) == "changed"
    assert (await store.schedules.get("nightly")).slot == FAR
    assert (await look(store)).due == []


async def test_a_slot_is_started_and_the_schedule_moves_on(store: Store) -> None:
    one = await write(store)
    fired = await look(store)
    (due,) = fired.due
    assert (due.name, due.schedule, due.envelope, due.waiting) == ("nightly", one, ENVELOPE, ())
    assert due.slot is not None
    after = await store.schedules.fire(0, [firing(due)], 100)
    assert (after.refused, after.due) == ([], [])
    assert after.next_ms is not None
    assert 0 < after.next_ms <= MINUTE
    task_id = one.id_of(due.slot)
    (record,) = await store.inspect.records([task_id])
    assert record is not None
    assert (record.type, record.queue, record.status) == (TYPE, "mail", Status.QUEUED)
    assert record.arguments == ["someone"]
    found = await store.schedules.get("nightly")
    assert (found.slot, found.last, found.last_slot, found.started) == (
        due.slot + MINUTE,
        task_id,
        due.slot,
        1,
    )


async def test_whoever_comes_second_starts_nothing(store: Store) -> None:
    await write(store)
    (due,) = (await look(store)).due
    await store.schedules.fire(0, [firing(due)], 0)
    before = await snapshot(store)
    late = firing(due)._replace(starts=[[new_id(), TYPE, str(LANE), 0, ""]])
    assert (await store.schedules.fire(0, [late], 0)).refused == ["nightly"]
    assert await changes(store, before) == {}


async def test_of_many_at_once_one_starts_it(store: Store) -> None:
    for number in range(20):
        await write(store, f"s{number}")
    seen = (await look(store)).due
    assert len(seen) == 20

    async def fire() -> list[str]:
        mine = [firing(due)._replace(starts=[[new_id(), TYPE, str(LANE), 0, ""]]) for due in seen]
        return (await store.schedules.fire(0, mine, 0)).refused

    refused = Counter(name for names in await asyncio.gather(*[fire() for _ in range(8)]) for name in names)
    assert refused == {f"s{number}": 7 for number in range(20)}
    (queue,) = await store.inspect.queues()
    assert queue.depth == 20


@pytest.mark.parametrize("change", ["pause", "resume", "delete", "replace", "anew"])
async def test_what_has_changed_since_it_was_seen_is_left_alone(store: Store, change: str) -> None:
    one = await write(store)
    (due,) = (await look(store)).due
    if change in ("pause", "resume"):
        await store.schedules.pause("nightly")
    if change == "resume":
        await store.schedules.resume(one, FAR)
    if change in ("delete", "anew"):
        await store.schedules.delete("nightly")
    if change == "anew":
        await write(store)
    if change == "replace":
        await store.schedules.write(schedule(priority=1), ENVELOPE, FAR, replace=True)
    before = await snapshot(store)
    assert (await store.schedules.fire(0, [firing(due)], 0)).refused == ["nightly"]
    assert await changes(store, before) == {}


async def test_pause_and_resume(store: Store) -> None:
    one = await write(store)
    await store.schedules.pause("nightly")
    assert (await look(store)).due == []
    assert (await store.schedules.get("nightly")).paused
    assert [found.schedule.name for found in await store.schedules.listed()] == ["nightly"]
    await store.schedules.resume(one, FAR)
    assert (await store.schedules.get("nightly")).slot == FAR
    before = await snapshot(store)
    await store.schedules.resume(one, 1)  # it is not paused: its slot stays
    assert await changes(store, before) == {}


async def test_a_definition_that_changes_while_it_is_paused_stays_paused(store: Store) -> None:
    await write(store)
    await store.schedules.pause("nightly")
    await store.schedules.write(schedule(priority=1), ENVELOPE, 1, replace=True)
    assert (await look(store)).due == []
    assert (await store.schedules.get("nightly")).paused


async def test_delete(store: Store) -> None:
    await write(store)
    await store.schedules.delete("nightly")
    for verb in (store.schedules.delete, store.schedules.pause, store.schedules.get):
        with pytest.raises(NotFound, match="there is no schedule 'nightly'"):
            await verb("nightly")
    with pytest.raises(NotFound):
        await store.schedules.resume(schedule(), FAR)
    assert await store.schedules.names() == []


async def test_how_what_was_started_last_stands_is_told(store: Store) -> None:
    await write(store)
    (due,) = (await look(store)).due
    assert (due.last, due.status) == ("", None)
    assert due.slot is not None
    again = firing(due, when=due.slot, slot=due.slot)
    (due,) = (await store.schedules.fire(0, [again], 1)).due
    assert (due.last, due.status) == (again.last, Status.QUEUED)
    await store.tasks.cancel([due.last], MINUTE, "enough")
    (due,) = (await look(store)).due
    assert due.status == Status.CANCELLED


async def test_an_id_that_is_there_is_left_alone_and_long_arguments_and_deadlines_are_kept(
    store: Store,
) -> None:
    one = await write(store, envelope=LONG_ENVELOPE)
    (due,) = (await look(store)).due
    assert due.slot is not None
    words: list[Argument] = [one.id_of(due.slot), TYPE, str(LANE), 5 * MINUTE, ""]
    await store.schedules.fire(0, [firing(due, starts=[words, words])], 0)
    (queue,) = await store.inspect.queues()
    assert queue.depth == 1
    (record,) = await store.inspect.records([one.id_of(due.slot)])
    assert record is not None
    assert record.arguments == ["x" * 200]
    assert record.deadline is not None
    assert await status_of(store, record.id) == Status.QUEUED


async def test_only_what_is_due_is_told_and_as_many_as_wanted(store: Store) -> None:
    for number in range(5):
        await write(store, f"due-{number}", ago=100 - number)
    for number in range(50):
        await store.schedules.write(schedule(f"later-{number}"), ENVELOPE, FAR, replace=False)
    assert [due.name for due in (await look(store, 3)).due] == ["due-0", "due-1", "due-2"]
    assert len((await look(store)).due) == 5


@pytest.mark.leaves_garbage("of a schedule")
async def test_garbage_in_the_place_of_a_schedule_holds_nobody_up(store: Store) -> None:
    keys = store.shards[0]
    await write(store, "good")
    await store.gateway.command("ZADD", keys.schedules, 1, "gone", 2, "garbled", 3, "unreadable")
    await store.gateway.command("SET", keys.schedule("garbled"), "x")
    await store.gateway.command("HSET", keys.schedule("unreadable"), "turn", 1, "spec", b"\xff")
    found = (await look(store)).due
    assert [(due.name, due.schedule is None) for due in found] == [("unreadable", True), ("good", False)]
    assert await store.schedules.names() == ["good", "unreadable"]
