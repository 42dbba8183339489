"""expand.lua and suspend.lua, and how the ends of its tasks move a map on."""

from __future__ import annotations

import pytest

from jobbers.client import new_id
from jobbers.core.ids import tail_of, with_tail
from jobbers.core.payload import Gathered
from jobbers.core.status import Status
from jobbers.store.maps import ItemTask, MapProgress
from jobbers.store.store import Store
from tests.store.kit import (
    ANOTHER,
    ENVELOPE,
    FAILED_RETENTION,
    LANE,
    LONG_ENVELOPE,
    OWNER,
    RETENTION,
    TYPE,
    changes,
    claim,
    claimed,
    fail,
    field,
    launch,
    snapshot,
    status_of,
    succeed,
)

pytestmark = pytest.mark.anyio


async def mapped(store: Store, **fields: str | int) -> tuple[str, str, str]:
    """A run of a map that is being executed, and of a task behind it: the ids of run, map and task."""
    run, ids = await launch(store, {"map": "", "join": "map"}, fields={"map": {"window": 4, **fields}})
    assert [task.id for task in await claim(store)] == [ids["map"]]
    return run, ids["map"], ids["join"]


async def expand(store: Store, map_id: str, first: int, count: int, owner: str = OWNER) -> list[str]:
    """Make tasks; returns their ids."""
    tasks = [
        ItemTask(
            with_tail(new_id(), tail_of(map_id)), str(LANE), LONG_ENVELOPE if first + place == 1 else ENVELOPE
        )
        for place in range(count)
    ]
    assert await store.maps.expand(map_id, owner, TYPE, first, tasks)
    return [task.id for task in tasks]


async def suspend(store: Store, map_id: str, total: int, owner: str = OWNER) -> bool:
    return await store.maps.suspend(map_id, owner, Gathered(total), RETENTION)


async def results(store: Store, map_id: str, total: int) -> list[bytes | None]:
    return [item async for chunk in store.maps.results(map_id, total) for item in chunk]


async def test_its_tasks_are_ready_and_it_waits_for_them(store: Store) -> None:
    _, map_id, join = await mapped(store)
    ids = await expand(store, map_id, 0, 2)
    assert await store.maps.begun(map_id) == (2, 2, 4)
    assert await suspend(store, map_id, 2)
    assert await status_of(store, map_id) == "blocked"
    assert await field(store, map_id, "attempt") == "0"
    assert [task.id for task in await claim(store)] == ids
    assert await succeed(store, [ids[1]]) == []
    assert await store.maps.progress([map_id]) == [MapProgress(2, 1, 1)]
    assert await status_of(store, join) == "blocked"
    assert await succeed(store, [ids[0]]) == []
    assert await status_of(store, map_id) == "succeeded"
    assert await results(store, map_id, 2) == [b"result \x01", b"result \x01"]
    assert [task.id for task in await claim(store)] == [join]


async def test_items_that_end_before_it_is_suspended_count(store: Store) -> None:
    _, map_id, join = await mapped(store)
    ids = await expand(store, map_id, 0, 2)
    await claim(store)
    assert await succeed(store, ids) == []
    assert await status_of(store, map_id) == "running"
    assert await suspend(store, map_id, 2)
    assert (await status_of(store, map_id), await status_of(store, join)) == ("succeeded", "queued")


async def test_no_items_are_an_empty_list(store: Store) -> None:
    _, map_id, join = await mapped(store)
    assert await suspend(store, map_id, 0)
    assert (await status_of(store, map_id), await status_of(store, join)) == ("succeeded", "queued")


async def test_both_calls_count_once(store: Store) -> None:
    _, map_id, _ = await mapped(store)
    ids = await expand(store, map_id, 0, 2)
    before = await snapshot(store)
    again = [ItemTask(task_id, str(LANE), ENVELOPE) for task_id in ids]
    assert await store.maps.expand(map_id, OWNER, TYPE, 0, again)
    assert await changes(store, before) == {}
    assert await suspend(store, map_id, 2)
    before = await snapshot(store)
    assert await suspend(store, map_id, 2)
    assert await changes(store, before) == {}


async def test_only_the_holder_expands_and_suspends(store: Store) -> None:
    _, map_id, _ = await mapped(store)
    before = await snapshot(store)
    item = ItemTask(with_tail(new_id(), tail_of(map_id)), str(LANE), ENVELOPE)
    assert not await store.maps.expand(map_id, ANOTHER, TYPE, 0, [item])
    assert not await suspend(store, map_id, 1, ANOTHER)
    assert await changes(store, before) == {}


async def test_what_was_made_before_a_crash_is_gone_on_with(store: Store) -> None:
    _, map_id, join = await mapped(store)
    ids = await expand(store, map_id, 0, 2)
    await store.upkeep.reclaim_owner(0, OWNER, 3, FAILED_RETENTION, crashed=True)
    taken = [task.id for task in await claim(store, owner=ANOTHER)]
    taken += [task.id for task in await claim(store, owner=ANOTHER)]
    assert sorted(taken) == sorted([map_id, *ids])
    assert (await store.maps.begun(map_id))[0] == 2
    ids += await expand(store, map_id, 2, 1, ANOTHER)
    assert await suspend(store, map_id, 3, ANOTHER)
    assert await succeed(store, ids[:2], ANOTHER) == []
    await claim(store)
    assert await succeed(store, ids[2:]) == []
    assert await status_of(store, join) == "queued"


async def test_half_an_empty_window_wakes_it(store: Store) -> None:
    _, map_id, _ = await mapped(store)
    ids = await expand(store, map_id, 0, 4)
    assert await suspend(store, map_id, 9)
    await claim(store)
    assert await succeed(store, ids[:1]) == []
    assert await status_of(store, map_id) == "blocked"
    assert await succeed(store, ids[1:2]) == []
    assert await status_of(store, map_id) == "queued"
    assert await succeed(store, ids[2:]) == []
    assert [task.attempt for task in await claim(store)] == [1]


async def test_after_a_failure_nothing_more_begins(store: Store) -> None:
    run, map_id, join = await mapped(store)
    ids = await expand(store, map_id, 0, 4)
    assert await suspend(store, map_id, 9)
    await claim(store)
    assert await fail(store, ids[:3]) == []
    assert await status_of(store, map_id) == "blocked"
    assert await succeed(store, ids[3:]) == []
    assert await status_of(store, map_id) == "failed"
    assert await field(store, map_id, "reason") == "item 0 did not succeed: broke"
    assert (await status_of(store, join), await status_of(store, run)) == ("skipped", "failed")


async def test_enough_successes(store: Store) -> None:
    _, map_id, _ = await mapped(store, enough=1)
    ids = await expand(store, map_id, 0, 3)
    assert await suspend(store, map_id, 3)
    await claim(store)
    assert await fail(store, ids[:2]) == []
    assert await succeed(store, ids[2:]) == []
    assert await status_of(store, map_id) == "succeeded"
    assert await results(store, map_id, 3) == [None, None, b"result \x01"]


async def test_cancelled_with_what_is_under_way(store: Store) -> None:
    run, map_id, _ = await mapped(store)
    ids = await expand(store, map_id, 0, 3)
    assert await suspend(store, map_id, 9)
    await claim(store, 1)
    assert await store.tasks.cancel([run], RETENTION, "enough") == {run: Status.BLOCKED}
    assert {await status_of(store, task_id) for task_id in [map_id, *ids]} == {"cancelled"}
    assert await succeed(store, ids[:1]) == ids[:1]
    assert await claim(store) == []


async def in_its_place(store: Store) -> tuple[str, str, str]:
    """A task that runs, and a run of one task launched in its place: the ids of the three."""
    task_id = await claimed(store)
    run, ids = await launch(store, {"one": ""}, with_tail(new_id(), tail_of(task_id)), owner=task_id)
    return task_id, run, ids["one"]


async def hand_over(store: Store, task_id: str, run: str, owner: str = OWNER) -> bool:
    return await store.maps.hand_over(task_id, owner, run, LONG_ENVELOPE, RETENTION)


async def test_a_task_waits_for_the_run_in_its_place_and_runs_again(store: Store) -> None:
    task_id, run, one = await in_its_place(store)
    assert not await hand_over(store, task_id, run, ANOTHER)
    assert await hand_over(store, task_id, run)
    before = await snapshot(store)
    assert await hand_over(store, task_id, run)
    assert await changes(store, before) == {}
    assert await status_of(store, task_id) == "blocked"
    await claim(store)
    assert await succeed(store, [one]) == []
    (again,) = await claim(store)
    assert (again.id, again.attempt, again.envelope) == (task_id, 1, LONG_ENVELOPE)
    assert await succeed(store, [task_id]) == []


async def test_an_item_of_a_paused_run_goes_on(store: Store) -> None:
    run, map_id, _ = await mapped(store)
    (item,) = await expand(store, map_id, 0, 1)
    assert await suspend(store, map_id, 1)
    await claim(store)
    inner, ids = await launch(store, {"one": ""}, with_tail(new_id(), tail_of(item)), owner=item)
    assert await hand_over(store, item, inner)
    await store.runs.hold(run, pause=True)
    await claim(store)
    assert await succeed(store, [ids["one"]]) == []
    assert [task.id for task in await claim(store)] == [item]
    assert await succeed(store, [item]) == []
    assert await status_of(store, map_id) == "succeeded"
    await store.runs.hold(run, pause=False)


async def test_a_run_that_ended_first_is_heard_of(store: Store) -> None:
    task_id, run, one = await in_its_place(store)
    await claim(store)
    assert await succeed(store, [one]) == []
    assert await hand_over(store, task_id, run)
    assert await status_of(store, task_id) == "queued"


async def test_a_task_fails_with_the_run_in_its_place(store: Store) -> None:
    task_id, run, one = await in_its_place(store)
    assert await hand_over(store, task_id, run)
    await claim(store)
    assert await fail(store, [one]) == []
    assert await status_of(store, task_id) == "failed"
    reason = await field(store, task_id, "reason")
    assert reason == "what it started did not succeed: node one did not succeed: broke"


async def test_a_task_is_cancelled_with_the_run_in_its_place(store: Store) -> None:
    task_id, run, one = await in_its_place(store)
    assert await hand_over(store, task_id, run)
    await store.tasks.cancel([task_id], RETENTION, "enough")
    assert {await status_of(store, it) for it in (task_id, run, one)} == {"cancelled"}


async def test_what_it_gathered_stays_as_long_as_the_run(store: Store) -> None:
    _, map_id, join = await mapped(store)
    ids = await expand(store, map_id, 0, 1)
    await suspend(store, map_id, 1)
    await claim(store)
    await succeed(store, ids)
    items = store.shards[0].items(map_id)
    assert await store.gateway.command("PTTL", items) == -1
    await claim(store)
    await succeed(store, [join])
    assert 0 < await store.gateway.command("PTTL", items) <= RETENTION
