"""succeed.lua: accepts results, each at most once and only from the owner of its lease."""

from __future__ import annotations

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.tasks import Success
from tests.store import kit
from tests.store.kit import (
    FAILED_RETENTION,
    GONE,
    LONG_ENVELOPE,
    NOW,
    OWNER,
    RETENTION,
    changes,
    claim,
    claimed,
    due_now,
    lasting,
    listening,
    put,
    record,
    retry,
    snapshot,
    statuses_without,
    succeed,
)

LONG_RESULT = b"\xda\x00\xc8" + b"x" * 200


async def test_a_result_is_kept_in_the_record(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await store.tasks.succeed(0, [Success(task_id, OWNER, RETENTION, "result", b"\x2a")]) == []

    assert await changes(store, before) == {
        **record(task_id, status="succeeded", finished=NOW, result="\x2a", ttl=lasting(RETENTION)),
        f"leases {task_id}": GONE,
        "recent": [task_id, "succeeded"],
        "stats mail|send|succeeded": 1,
    }


async def test_a_long_result_lies_beside_the_record_and_expires_with_it(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await store.tasks.succeed(0, [Success(task_id, OWNER, RETENTION, "result", LONG_RESULT)]) == []

    assert await changes(store, before) == {
        **record(task_id, status="succeeded", finished=NOW, ttl=lasting(RETENTION)),
        f"result:{task_id}": LONG_RESULT.decode(errors="surrogateescape"),
        f"result:{task_id} ttl": lasting(RETENTION),
        f"leases {task_id}": GONE,
        "recent": [task_id, "succeeded"],
        "stats mail|send|succeeded": 1,
    }
    (outcome,) = await store.inspect.outcomes([task_id])
    assert outcome is not None
    assert outcome.result == LONG_RESULT


async def test_of_an_offloaded_result_the_name_is_kept(store: Store) -> None:
    task_id, name = await claimed(store), "5" * 64
    assert await store.tasks.succeed(0, [Success(task_id, OWNER, RETENTION, "blob", name.encode())]) == []
    assert (await snapshot(store))[f"task:{task_id} blob"] == name


async def test_many_results_are_listed_in_one_entry(store: Store) -> None:
    ids = [await put(store, Status.RUNNING) for _ in range(3)]
    assert await succeed(store, ids) == []
    after = await snapshot(store)
    assert after["recent"] == [word for task_id in ids for word in (task_id, "succeeded")]
    assert after["stats mail|send|succeeded"] == 3


async def test_everything_that_belongs_to_the_task_expires_with_it(store: Store) -> None:
    task_id = await put(store, Status.RUNNING, envelope=LONG_ENVELOPE)
    await retry(store, [task_id])
    await due_now(store, task_id)
    await store.upkeep.promote(0, FAILED_RETENTION)
    await claim(store)

    assert await succeed(store, [task_id]) == []

    after = await snapshot(store)
    assert {name: after[f"{name}:{task_id} ttl"] for name in ("task", "args", "errors")} == dict.fromkeys(
        ("task", "args", "errors"), lasting(RETENTION)
    )


async def test_who_watches_is_told(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.watch("someone", [task_id])
    async with listening(store, store.keys.inbox("someone")) as heard:
        await succeed(store, [task_id])
        assert await heard.get() == f"{task_id} succeeded"


async def test_the_same_result_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, succeed)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, succeed)


@pytest.mark.parametrize("status", statuses_without(Event.SUCCEED))
async def test_only_running_tasks_succeed(store: Store, status: Status) -> None:
    await kit.refuses(store, succeed, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, succeed)


async def test_a_mixed_batch_is_judged_one_by_one(store: Store) -> None:
    mine, lost, cancelled = [await put(store, Status.RUNNING) for _ in range(3)]
    await store.tasks.cancel([cancelled], RETENTION, "no more")
    await store.gateway.command("HSET", store.shards[0].task(lost), "owner", kit.ANOTHER)
    assert await succeed(store, [lost, mine, cancelled]) == [lost, cancelled]
    assert await kit.status_of(store, mine) == Status.SUCCEEDED


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, succeed)
