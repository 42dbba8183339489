"""reclaim.lua: takes executions back from workers that died."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.upkeep import Reclaimed
from tests.store import kit
from tests.store.kit import (
    ANOTHER,
    FAILED_RETENTION,
    GONE,
    NOW,
    OWNER,
    changes,
    claim,
    claimed,
    end_leases,
    garble,
    lasting,
    put,
    record,
    snapshot,
    status_of,
    statuses_without,
    tidy,
)

BUDGET = 2


async def reclaim(store: Store) -> list[Reclaimed]:
    return await store.upkeep.reclaim(0, BUDGET, FAILED_RETENTION)


async def reclaim_owner(store: Store, owner: str, *, crashed: bool = True) -> list[Reclaimed]:
    return await store.upkeep.reclaim_owner(0, owner, BUDGET, FAILED_RETENTION, crashed=crashed)


async def test_a_task_whose_lease_has_ended_is_queued_again(store: Store) -> None:
    task_id, other = await claimed(store), await claimed(store)
    await end_leases(store, task_id)
    before = await snapshot(store)

    assert await reclaim(store) == [Reclaimed(task_id, OWNER, Status.QUEUED)]

    assert await changes(store, before) == {
        **record(task_id, status="queued", entry=ANY, reason="its worker died", crashes="1"),
        f"leases {task_id}": GONE,
        "lane:mail:5": [task_id],
        "first:mail:5": [task_id],
    }
    (task,) = await claim(store, owner=ANOTHER)
    assert (task.attempt, task.crashes) == (2, 1)
    assert await status_of(store, other) == Status.RUNNING


async def test_a_lease_that_lasts_is_respected(store: Store) -> None:
    await claimed(store)
    before = await snapshot(store)
    assert await reclaim(store) == []
    assert await changes(store, before) == {}


async def test_reclaiming_again_changes_nothing(store: Store) -> None:
    await end_leases(store, await claimed(store))
    await reclaim(store)
    before = await snapshot(store)
    assert await reclaim(store) == []
    assert await changes(store, before) == {}


async def test_a_task_that_loses_worker_after_worker_is_poison(store: Store) -> None:
    task_id = await claimed(store)
    for _ in range(BUDGET):
        await end_leases(store, task_id)
        assert await reclaim(store) == [Reclaimed(task_id, OWNER, Status.QUEUED)]
        await claim(store)
    await end_leases(store, task_id)
    before = await snapshot(store)

    assert await reclaim(store) == [Reclaimed(task_id, OWNER, Status.FAILED)]

    reason = "poison: its worker died 3 times while running it"
    assert await changes(store, before) == {
        **record(
            task_id, status="failed", finished=NOW, reason=reason, crashes="3", ttl=lasting(FAILED_RETENTION)
        ),
        f"leases {task_id}": GONE,
        f"dead {task_id}": NOW,
        "recent": [task_id, "failed"],
        "stats mail|send|failed": 1,
    }


async def test_what_a_worker_held_comes_back_at_once_when_it_is_known_to_be_dead(store: Store) -> None:
    first = await claimed(store, owner="worker-1/aaaaaaaa")
    second = await claimed(store, owner="worker-1/bbbbbbbb")
    other = await claimed(store, owner="worker-12/aaaaaaaa")
    taken = await reclaim_owner(store, "worker-1")
    assert sorted(taken) == sorted(
        [
            Reclaimed(first, "worker-1/aaaaaaaa", Status.QUEUED),
            Reclaimed(second, "worker-1/bbbbbbbb", Status.QUEUED),
        ]
    )
    assert await status_of(store, other) == Status.RUNNING


async def test_a_claim_that_was_never_answered_comes_back_and_costs_nothing(store: Store) -> None:
    task_id, other = await claimed(store), await claimed(store, owner="worker-1/bbbbbbbb")
    before = await snapshot(store)

    assert await reclaim_owner(store, OWNER, crashed=False) == [Reclaimed(task_id, OWNER, Status.QUEUED)]

    assert await changes(store, before) == {
        **record(task_id, status="queued", entry=ANY, reason="its worker died", crashes="0", attempt="0"),
        f"leases {task_id}": GONE,
        "lane:mail:5": [task_id],
        "first:mail:5": [task_id],
    }
    assert await status_of(store, other) == Status.RUNNING


async def test_a_worker_without_tasks_gives_nothing_back(store: Store) -> None:
    await claimed(store)
    before = await snapshot(store)
    for nobody in ("worker", "worker-2", "worker-1/aaaa", OWNER + "a"):
        assert await reclaim_owner(store, nobody) == []
    assert await changes(store, before) == {}


@pytest.mark.parametrize("status", statuses_without(Event.RECLAIM))
async def test_of_a_task_that_has_moved_on_only_the_lease_goes(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    await end_leases(store, task_id)
    assert await reclaim(store) == []
    assert await changes(store, before) == {}


async def test_of_a_task_that_is_gone_only_the_lease_goes(store: Store) -> None:
    before = await snapshot(store)
    await end_leases(store, new_id())
    assert await reclaim(store) == []
    assert await changes(store, before) == {}


async def test_the_dead_worker_may_come_back_and_is_refused(store: Store) -> None:
    task_id = await claimed(store)
    await end_leases(store, task_id)
    await reclaim(store)
    for verb in (kit.succeed, kit.fail, kit.retry, kit.snooze):
        assert await verb(store, [task_id]) == [task_id]
    assert await status_of(store, task_id) == Status.QUEUED


async def test_a_garbled_record_does_not_hold_up_the_others(store: Store) -> None:
    garbled, other = await claimed(store), await claimed(store)
    await garble(store, garbled)
    await end_leases(store, garbled, other)
    assert Reclaimed(other, OWNER, Status.QUEUED) in await reclaim(store)
    await tidy(store)
