"""release.lua: puts executions back into their lanes at once, without using an attempt."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from jobbers.core.status import Event, Status
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    GARBAGE,
    GONE,
    LANE,
    changes,
    claim,
    claimed,
    record,
    release,
    snapshot,
    statuses_without,
    submit,
)


async def test_the_task_is_queued_again_and_goes_first(store: Store) -> None:
    task_id = await claimed(store)
    other = await submit(store)
    before = await snapshot(store)

    assert await release(store, [task_id]) == []

    assert await changes(store, before) == {
        **record(task_id, status="queued", entry=ANY, reason="stopped", attempt="0"),
        f"leases {task_id}": GONE,
        "lane:mail:5": [other, task_id],
        "first:mail:5": [task_id],
    }
    assert [(task.id, task.attempt) for task in await claim(store)] == [(task_id, 1), (other, 1)]
    left = await snapshot(store)
    assert (left["lane:mail:5"], "first:mail:5" in left) == ([], False)


async def test_what_goes_first_and_moves_on_is_left_out(store: Store) -> None:
    gone, back = await claimed(store), await claimed(store)
    other = await submit(store)
    await release(store, [gone, back])
    await store.tasks.cancel([gone], kit.RETENTION, "a test")
    assert [task.id for task in await claim(store, 2)] == [back, other]


async def test_one_claim_passes_by_no_more_than_some_hundreds_that_have_moved_on(store: Store) -> None:
    gone = [await submit(store) for _ in range(450)]
    assert len(await claim(store, 450)) == 450
    await release(store, gone)
    await store.tasks.cancel(gone, kit.RETENTION, "a test")
    other = await submit(store)
    assert [[task.id for task in await claim(store)] for _ in range(3)] == [[], [], [other]]


async def test_the_same_release_again_is_accepted_and_changes_nothing(store: Store) -> None:
    await kit.is_idempotent(store, release)


async def test_only_the_holder_may_speak_for_the_execution(store: Store) -> None:
    await kit.is_fenced(store, release)


@pytest.mark.parametrize("status", statuses_without(Event.RELEASE))
async def test_only_running_tasks_are_released(store: Store, status: Status) -> None:
    await kit.refuses(store, release, status)


async def test_a_task_that_is_gone_is_refused(store: Store) -> None:
    await kit.knows_nothing_of(store, release)


async def test_a_garbled_record_does_not_take_its_neighbours_along(store: Store) -> None:
    await kit.spares_the_neighbours_of_garbage(store, release)


async def test_a_lane_that_is_none_does_not_cost_an_attempt(store: Store) -> None:
    task_id = await claimed(store)
    await store.gateway.commands(
        [("DEL", store.shards[0].lane(LANE)), ("SET", store.shards[0].lane(LANE), GARBAGE)]
    )
    assert await release(store, [task_id]) == []
    (again,) = await claim(store)
    assert (again.id, again.attempt) == (task_id, 1)
