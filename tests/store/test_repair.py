"""repair.lua: brings indexes back in line with records: every task in exactly the place that its status demands."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.client import new_id
from jobbers.core.status import Status
from jobbers.store.store import Store
from jobbers.store.upkeep import Finding
from tests.store.kit import (
    FAILED_RETENTION,
    GARBAGE,
    LANE,
    LEASE,
    MINUTE,
    NOW,
    Near,
    changes,
    claim,
    field,
    garble,
    lasting,
    put,
    record,
    snapshot,
    status_of,
    submit,
)


async def repair(store: Store, *ids: str, mend: bool = True) -> list[Finding]:
    return await store.upkeep.repair(0, ids, LEASE, FAILED_RETENTION, mend=mend)


@pytest.mark.parametrize("status", Status)
async def test_a_task_in_its_place_is_left_alone(store: Store, status: Status) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await repair(store, task_id) == []
    assert await changes(store, before) == {}


async def test_a_queued_task_comes_back_into_its_lane(store: Store) -> None:
    task_id = await submit(store)
    await store.gateway.command("DEL", store.shards[0].lane(LANE))
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "queued, but in no lane")]
    changed = await changes(store, before)
    # A new stream begins its numbers anew: within the same millisecond the entry has the same id again.
    assert {**record(task_id, entry=ANY), **changed} == {
        **record(task_id, entry=ANY),
        "lane:mail:5": [task_id],
    }
    assert [task.id for task in await claim(store)] == [task_id]


async def test_an_entry_of_another_task_is_no_place(store: Store) -> None:
    other, task_id = await submit(store), await submit(store)
    entry = await field(store, task_id, "entry")
    await store.gateway.command("XDEL", store.shards[0].lane(LANE), entry or "")
    await store.gateway.command(
        "HSET", store.shards[0].task(task_id), "entry", await field(store, other, "entry") or ""
    )
    assert await repair(store, other, task_id) == [Finding(task_id, "queued, but in no lane")]
    assert [task.id for task in await claim(store)] == [other, task_id]


async def test_a_lane_with_tasks_is_listed_again(store: Store) -> None:
    task_id = await submit(store)
    await store.gateway.command("DEL", store.shards[0].lanes)
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "queued in a lane that is not listed")]
    assert await changes(store, before) == {"lanes mail:5": True}


async def test_a_scheduled_task_comes_back_into_the_due_set(store: Store) -> None:
    task_id = await submit(store, delay_ms=MINUTE)
    await store.gateway.command("DEL", store.shards[0].due)
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "scheduled, but not in the due set")]
    assert await changes(store, before) == {f"due {task_id}": Near(MINUTE)}


async def test_a_running_task_gets_a_lease(store: Store) -> None:
    task_id = await put(store, Status.RUNNING)
    await store.gateway.command("DEL", store.shards[0].leases)
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "running, but without a lease")]
    assert await changes(store, before) == {f"leases {task_id}": Near(LEASE)}


async def test_a_final_task_gets_an_end(store: Store) -> None:
    task_id = await put(store, Status.SUCCEEDED)
    await store.gateway.command("PERSIST", store.shards[0].task(task_id))
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "final, but kept for ever")]
    assert await changes(store, before) == record(task_id, ttl=lasting(FAILED_RETENTION))


async def test_a_failed_task_becomes_a_dead_letter(store: Store) -> None:
    task_id = await put(store, Status.FAILED)
    await store.gateway.command("DEL", store.shards[0].dead)
    before = await snapshot(store)
    assert await repair(store, task_id) == [Finding(task_id, "failed, but not a dead letter")]
    assert await changes(store, before) == {f"dead {task_id}": NOW}


async def test_looking_changes_nothing(store: Store) -> None:
    task_id = await submit(store)
    await store.gateway.command("DEL", store.shards[0].lane(LANE))
    before = await snapshot(store)
    assert await repair(store, task_id, mend=False) == [Finding(task_id, "queued, but in no lane")]
    assert await changes(store, before) == {}
    await repair(store, task_id)


async def test_repairing_again_finds_nothing(store: Store) -> None:
    task_id, garbled = await submit(store), await submit(store)
    await store.gateway.command("DEL", store.shards[0].lane(LANE))
    await garble(store, garbled)
    assert len(await repair(store, task_id, garbled)) == 2
    before = await snapshot(store)
    assert await repair(store, task_id, garbled) == []
    assert await changes(store, before) == {}


async def test_what_is_no_record_becomes_a_dead_letter_and_its_bytes_are_kept(store: Store) -> None:
    task_id = await submit(store)
    await claim(store)
    await store.gateway.command("DEL", store.shards[0].leases)
    await garble(store, task_id)
    before = await snapshot(store)

    assert await repair(store, task_id) == [Finding(task_id, "not a record")]

    kept = store.shards[0].prefix + f":garbage:{task_id}"
    after = await changes(store, before)
    assert after.pop(f"task:{task_id}") is not None
    assert after == {
        **record(
            task_id, status="failed", type="unknown", lane="default:5", created=NOW, finished=NOW,
            reason=f"garbled: what lay in its place is kept in {kept}", ttl=lasting(FAILED_RETENTION),
        ),
        f"garbage:{task_id}": GARBAGE.decode(errors="surrogateescape"),
        f"garbage:{task_id} ttl": lasting(FAILED_RETENTION),
        f"dead {task_id}": NOW,
    }  # fmt: skip


@pytest.mark.parametrize("field_name", ["status", "lane", "type"])
async def test_a_record_without_what_every_record_has_is_none(store: Store, field_name: str) -> None:
    task_id = await put(store, Status.CANCELLED)
    await store.gateway.command("HDEL", store.shards[0].task(task_id), field_name)
    assert await repair(store, task_id) == [Finding(task_id, "not a record")]
    assert await status_of(store, task_id) == Status.FAILED


async def test_a_record_with_a_status_that_nobody_knows_is_none(store: Store) -> None:
    task_id = await put(store, Status.CANCELLED)
    await store.gateway.command("HSET", store.shards[0].task(task_id), "status", "nonsense")
    assert await repair(store, task_id) == [Finding(task_id, "not a record")]
    assert await status_of(store, task_id) == Status.FAILED


@pytest.mark.parametrize("mend", [True, False])
async def test_a_task_that_is_gone_is_not_wrong(store: Store, mend: bool) -> None:
    before = await snapshot(store)
    assert await repair(store, new_id(), mend=mend) == []
    assert await changes(store, before) == {}


async def test_every_record_of_a_shard_is_looked_at(store: Store) -> None:
    ids = [await submit(store) for _ in range(20)]
    await store.gateway.command("DEL", store.shards[0].lane(LANE))
    found = await store.upkeep.repair_all(0, LEASE, FAILED_RETENTION, mend=True)
    assert sorted(found) == sorted(Finding(task_id, "queued, but in no lane") for task_id in ids)
    assert len(await claim(store)) == 20
    assert await field(store, ids[0], "status") == Status.RUNNING
