"""The retry budget: retries over a share of first attempts go one by one."""

from __future__ import annotations

import pytest

from jobbers.store.breakers import RetryUse
from jobbers.store.rows import RetryBudget
from jobbers.store.store import Store
from jobbers.store.tasks import Retrial
from tests.store import kit
from tests.store.kit import FAILED_RETENTION, OWNER, claim, field, submit

SECOND = 1_000_000


@pytest.fixture
def store(store: Store) -> Store:
    """Half as many retries as first attempts, and one a minute."""
    store.tasks.budget = RetryBudget(500_000, 60 * SECOND)
    return store


async def running(store: Store, count: int) -> list[str]:
    ids = [await submit(store) for _ in range(count)]
    assert len(await claim(store)) == count
    return ids


async def delays(store: Store, ids: list[str], delay_ms: int = 1_000) -> list[float]:
    """Retry these, and return by how many minutes each was put off, beyond what was asked for."""
    assert (
        await store.tasks.retry(0, [Retrial(task_id, OWNER, delay_ms, "again", b"") for task_id in ids]) == []
    )
    seconds, _ = await store.gateway.command("TIME")
    dues = [int(await field(store, task_id, "due") or 0) / 1000 for task_id in ids]
    return [round((due - delay_ms / 1000 - int(seconds)) / 60) for due in dues]


async def test_within_the_share_delays_are_as_asked_for_and_over_it_one_by_one(store: Store) -> None:
    ids = await running(store, 6)
    assert await delays(store, ids) == [0, 0, 0, 0, 1, 2]
    firsts, retries, wait = await store.breakers.retries()
    assert (firsts, retries) == (6, 3)
    assert wait == kit.lasting(180_000)


async def test_over_several_calls_it_is_one_budget(store: Store) -> None:
    ids = await running(store, 6)
    assert [delay for task_id in ids for delay in await delays(store, [task_id])] == [0, 0, 0, 0, 1, 2]


async def test_a_repeated_call_takes_nothing_more(store: Store) -> None:
    ids = await running(store, 4)
    for _ in range(3):
        assert await delays(store, ids[:1]) == [0]
    assert (await store.breakers.retries())[:2] == (4, 1)


async def test_retries_are_no_first_attempts(store: Store) -> None:
    ids = await running(store, 2)
    await store.tasks.retry(0, [Retrial(task_id, OWNER, 0, "again", b"") for task_id in ids])
    await store.gateway.command(
        "ZADD", store.shards[0].due, *[word for task_id in ids for word in (1, task_id)]
    )
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert len(await claim(store)) == 2
    assert (await store.breakers.retries()).firsts == 2


async def test_none_waits_for_ever(store: Store) -> None:
    store.tasks.budget = RetryBudget(500_000, 7 * 60 * SECOND)
    ids = await running(store, 10)
    assert await delays(store, ids) == [0, 0, 0, 0, 0, 0, 7, 10, 10, 10]


async def test_it_can_be_reset(store: Store) -> None:
    ids = await running(store, 4)
    await delays(store, ids)
    await store.breakers.reset_retries()
    assert await store.breakers.retries() == RetryUse(0, 0, 0)
    assert await delays(store, await running(store, 2)) == [0, 0]


async def test_without_one_nothing_is_counted(store: Store) -> None:
    store.tasks.budget = RetryBudget()
    assert await delays(store, await running(store, 20)) == [0] * 20
    assert not [name for name in await kit.snapshot(store) if name.startswith("retr")]
