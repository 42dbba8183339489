"""renew.lua: keeps the leases of running executions. It is called from a thread, by :mod:`jobbers.store.renewal`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from jobbers.client import new_id
from jobbers.core.status import Event, Status
from jobbers.store.renewal import Renewal, RenewalFailed
from jobbers.store.store import Store
from tests.store.kit import (
    ANOTHER,
    MINUTE,
    OWNER,
    Near,
    changes,
    claimed,
    end_leases,
    garble,
    put,
    snapshot,
    statuses_without,
    tidy,
)


@pytest.fixture
def renewal(store: Store) -> Iterator[Renewal]:
    renewal = Renewal(store.connector, store.shards)
    yield renewal
    renewal.close()


async def renew(renewal: Renewal, ids: list[str], owner: str = OWNER) -> dict[str, str]:
    return await asyncio.to_thread(renewal.renew, [(task_id, owner) for task_id in ids], 5 * MINUTE)


async def test_a_lease_is_extended_from_now(store: Store, renewal: Renewal) -> None:
    first, second = await claimed(store), await claimed(store)
    await end_leases(store, first, second)
    before = await snapshot(store)

    assert await renew(renewal, [first, second]) == {}

    assert await changes(store, before) == {
        f"leases {first}": Near(5 * MINUTE),
        f"leases {second}": Near(5 * MINUTE),
    }
    assert await renew(renewal, [first, second]) == {}


async def test_the_lease_of_another_is_not_touched(store: Store, renewal: Renewal) -> None:
    mine, lost = await claimed(store), await claimed(store, owner=ANOTHER)
    before = await snapshot(store)
    assert await renew(renewal, [lost, mine]) == {lost: "running"}
    assert await changes(store, before) == {f"leases {mine}": Near(5 * MINUTE)}


@pytest.mark.parametrize("status", statuses_without(Event.SUCCEED))
async def test_the_caller_learns_what_became_of_the_task(
    store: Store, renewal: Renewal, status: Status
) -> None:
    task_id = await put(store, status)
    before = await snapshot(store)
    assert await renew(renewal, [task_id]) == {task_id: status}
    assert await changes(store, before) == {}


async def test_a_task_that_is_gone_has_no_status(store: Store, renewal: Renewal) -> None:
    before = await snapshot(store)
    task_id = new_id()
    assert await renew(renewal, [task_id]) == {task_id: ""}
    assert await changes(store, before) == {}


async def test_there_is_no_limit_to_what_a_worker_holds(store: Store, renewal: Renewal) -> None:
    ids = [new_id() for _ in range(1200)]
    assert await renew(renewal, ids) == dict.fromkeys(ids, "")


async def test_an_error_says_that_nothing_is_known(store: Store, renewal: Renewal) -> None:
    task_id = await claimed(store)
    await store.gateway.command("RENAME", store.shards[0].leases, "aside")
    await store.gateway.command("SET", store.shards[0].leases, "no leases")
    with pytest.raises(RenewalFailed, match="WRONGTYPE"):
        await renew(renewal, [task_id])
    await store.gateway.command("RENAME", "aside", store.shards[0].leases)


async def test_a_garbled_record_does_not_cost_its_neighbours_their_leases(
    store: Store, renewal: Renewal
) -> None:
    first, garbled, last = [await claimed(store) for _ in range(3)]
    await garble(store, garbled)
    assert await renew(renewal, [first, garbled, last]) == {garbled: ""}
    assert (await snapshot(store))[f"leases {last}"] == Near(5 * MINUTE)
    await tidy(store)
