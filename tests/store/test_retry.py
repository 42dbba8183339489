"""retry.lua: puts failed executions into the due set; each has used an attempt."""

from __future__ import annotations

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.tasks import KEPT_ERRORS, Retrial
from tests.store import kit
from tests.store.kit import (
    GONE,
    MINUTE,
    OWNER,
    Near,
    changes,
    claimed,
    listening,
    put,
    record,
    retry,
    snapshot,
    statuses_without,
)


async def test_another_attempt_is_scheduled_and_the_error_kept(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await retry(store, [task_id]) == []

    assert await changes(store, before) == {
        **record(task_id, status="scheduled", due=Near(MINUTE), reason="again", gated="1"),
        f"leases {task_id}": GONE,
        f"due {task_id}": Near(MINUTE),
        f"errors:{task_id}": ["report"],
        "stats mail|send|retried": 1,
    }


async def test_the_list_of_errors_is_capped_at_the_newest(store: Store) -> None:
    task_id = await claimed(store)
    await store.gateway.command("RPUSH", store.shards[0].errors(task_id), *range(KEPT_ERRORS + 10))
    await retry(store, [task_id])
    errors = (await snapshot(store))[f"errors:{task_id}"]
    assert (len(errors), errors[-1]) == (KEPT_ERRORS, "report")


async def test_the_bell_rings_when_nothing_is_due_earlier(store: Store) -> None:
    first, second, third = [await put(store, Status.RUNNING) for _ in range(3)]
    async with listening(store, store.shards[0].bell) as heard:
        rows = [(first, MINUTE), (second, 2 * MINUTE), (third, 1)]
        for task_id, delay in rows:
            await store.tasks.retry(0, [Retrial(task_id, OWNER, delay, "again", b"")])
        await store.gateway.command("PUBLISH", store.shards[0].bell, "the end")
        rings = 0
        while await heard.get() != "the end":
            rings += 1
    assert rings == 2


async def test_a_unique_key_stays_with_the_task(store: Store) -> None:
    task_id = await claimed(store, unique_key="invoice-7", unique_scope="finished")
    await retry(store, [task_id])
    assert (await snapshot(store))["unique:invoice-7"] == task_id


async def test_the_same_retry_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, retry)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, retry)


@pytest.mark.parametrize("status", statuses_without(Event.RETRY))
async def test_only_running_tasks_are_retried(store: Store, status: Status) -> None:
    await kit.refuses(store, retry, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, retry)


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, retry)
