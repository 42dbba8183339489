"""fail.lua: ends executions as failed: dead letters, each with the error of its last attempt."""

from __future__ import annotations

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from jobbers.store.tasks import KEPT_ERRORS, Failure
from tests.store import kit
from tests.store.kit import (
    FAILED_RETENTION,
    GONE,
    LONG_ENVELOPE,
    NOW,
    OWNER,
    changes,
    claimed,
    fail,
    lasting,
    listening,
    put,
    record,
    snapshot,
    statuses_without,
)


async def test_a_failure_is_a_dead_letter_with_its_error(store: Store) -> None:
    task_id = await claimed(store)
    before = await snapshot(store)

    assert await fail(store, [task_id]) == []

    assert await changes(store, before) == {
        **record(task_id, status="failed", finished=NOW, reason="broke", ttl=lasting(FAILED_RETENTION)),
        f"leases {task_id}": GONE,
        f"dead {task_id}": NOW,
        f"errors:{task_id}": ["report"],
        f"errors:{task_id} ttl": lasting(FAILED_RETENTION),
        "recent": [task_id, "failed"],
        "stats mail|send|failed": 1,
    }


async def test_without_a_report_there_is_no_list_of_errors(store: Store) -> None:
    task_id = await claimed(store)
    assert await store.tasks.fail(0, [Failure(task_id, OWNER, FAILED_RETENTION, "broke", b"")]) == []
    assert f"errors:{task_id}" not in await snapshot(store)


async def test_long_arguments_expire_with_the_record(store: Store) -> None:
    task_id = await claimed(store, envelope=LONG_ENVELOPE)
    await fail(store, [task_id])
    assert (await snapshot(store))[f"args:{task_id} ttl"] == lasting(FAILED_RETENTION)


async def test_the_list_of_errors_is_capped_at_the_newest(store: Store) -> None:
    task_id = await claimed(store)
    await store.gateway.command("RPUSH", store.shards[0].errors(task_id), *range(KEPT_ERRORS + 10))
    await fail(store, [task_id])
    errors = (await snapshot(store))[f"errors:{task_id}"]
    assert (len(errors), errors[-1]) == (KEPT_ERRORS, "report")


async def test_a_unique_key_is_given_back(store: Store) -> None:
    task_id = await claimed(store, unique_key="invoice-7", unique_scope="finished")
    assert (await snapshot(store))["unique:invoice-7"] == task_id
    await fail(store, [task_id])
    assert "unique:invoice-7" not in await snapshot(store)


async def test_who_watches_is_told(store: Store) -> None:
    task_id = await claimed(store)
    await store.tasks.watch("someone", [task_id])
    async with listening(store, store.keys.inbox("someone")) as heard:
        await fail(store, [task_id])
        assert await heard.get() == f"{task_id} failed"


async def test_the_same_failure_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, fail)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, fail)


@pytest.mark.parametrize("status", [*statuses_without(Event.FAIL), Status.BLOCKED])
async def test_only_running_tasks_fail_by_their_worker(store: Store, status: Status) -> None:
    await kit.refuses(store, fail, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, fail)


async def test_nobody_else_is_touched(store: Store) -> None:
    other = await put(store, Status.RUNNING)
    before = {name: value for name, value in (await snapshot(store)).items() if other in name}
    await fail(store, [await claimed(store)])
    assert {name: value for name, value in (await snapshot(store)).items() if other in name} == before


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, fail)
