"""Counters of run times and of what workers ended, samples of depth, where tasks stand, and who serves a queue."""

from __future__ import annotations

import pytest

from jobbers.core.tallies import Tallies, combined
from jobbers.statistics import gather_statistics
from jobbers.store import statistics
from jobbers.store.store import Store
from jobbers.store.tasks import Failure, Retrial, Success
from tests.store.kit import (
    FAILED_RETENTION,
    GARBAGE,
    LANE,
    MINUTE,
    OWNER,
    RETENTION,
    claim,
    claimed,
    release,
    retry,
    snooze,
    submit,
    succeed,
)


async def counted(store: Store) -> Tallies:
    last = await store.inspect.now_ms() // 60_000
    return combined(await store.statistics.minutes(last, 2))


async def began(store: Store, task_id: str, ago_ms: int) -> None:
    """Let an execution have begun so long ago."""
    started = await store.inspect.now_ms() - ago_ms
    await store.gateway.command("HSET", store.shards[0].task(task_id), "started", started)


async def test_run_times_are_added_up_and_put_into_buckets(store: Store) -> None:
    ids = [await claimed(store) for _ in range(4)]
    for task_id, ago in zip(ids, (0, 1_000, 60_000, 3_600_000), strict=True):
        await began(store, task_id, ago)
    await succeed(store, ids[:3])
    await retry(store, ids[3:])
    ran = (await counted(store)).types["mail", "send"].ran
    assert ran.count == 4
    assert 3_661_000 <= ran.total_ms < 3_661_000 + 40_000
    low, *_, high = sorted(ran.buckets)
    assert high == 44  # 2^(43/2) ms are 49 minutes and 2^(44/2) ms are 70
    assert low < 28  # at most 12 s, the slowest machine included


async def test_the_time_of_what_has_not_run_or_not_ended_is_not_counted(store: Store) -> None:
    waiting, released, snoozed = (
        await submit(store, delay_ms=MINUTE),
        await claimed(store),
        await claimed(store),
    )
    await release(store, [released])
    await snooze(store, [snoozed])
    await store.tasks.cancel([waiting, released, snoozed], RETENTION, "test")
    tally = (await counted(store)).types["mail", "send"]
    assert tally.outcomes == {"cancelled": 3}
    assert tally.ran.count == 0


@pytest.mark.parametrize("started", ["", "x", "nan", "inf", "-1e300", "1e300", "99999999999999999999"])
async def test_garbage_in_the_time_of_the_start_ends_nothing_badly(store: Store, started: str) -> None:
    task_id = await claimed(store)
    await store.gateway.command("HSET", store.shards[0].task(task_id), "started", started)
    assert await succeed(store, [task_id]) == []
    tally = (await counted(store)).types["mail", "send"]
    assert (tally.outcomes, tally.ran.count) == ({"succeeded": 1}, 0)


async def test_what_workers_end_is_counted_by_queue_and_by_worker(store: Store) -> None:
    first, second, third = [await claimed(store) for _ in range(3)]
    await store.tasks.retry(0, [Retrial(first, OWNER, MINUTE, "late", b"", "timeout")])
    await store.tasks.fail(0, [Failure(second, OWNER, FAILED_RETENTION, "late", b"", "timeout")])
    await store.tasks.fail(0, [Failure(third, OWNER, FAILED_RETENTION, "quiet", b"", "silent")])
    tallies = await counted(store)
    for tally in (tallies.types["mail", "send"], tallies.workers["worker-1"]):
        assert tally.early("timeout") == {"retried": 1, "failed": 1}
        assert tally.early("silent") == {"failed": 1}
    outcomes = (await store.inspect.stats(2)).values()
    assert sum(sum(minute.values()) for minute in outcomes) == 3, "readers of outcomes do not see the rest"


async def test_a_repeated_call_counts_nothing(store: Store) -> None:
    task_id = await claimed(store)
    done = Success(task_id, OWNER, RETENTION, "result", b"\x01")
    for _ in range(2):
        await store.tasks.succeed(0, [done])
    assert (await counted(store)).types["mail", "send"].ran.count == 1


async def test_the_first_sample_of_a_minute_counts(store: Store) -> None:
    minute = await store.inspect.now_ms() // 60_000
    for depth in (7, 3):
        await store.statistics.sample(minute, {"mail": depth, "empty": 0})
    tallies = (await store.statistics.minutes(minute, 1))[minute]
    assert (tallies.ready, tallies.sampled, tallies.types) == ({"mail": 7}, True, {})
    assert await store.gateway.command("TTL", store.shards[0].stats(minute)) > 86_000


@pytest.mark.leaves_garbage
async def test_where_tasks_stand_by_queue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [await submit(store, queue="other", delay_ms=MINUTE) for _ in range(3)]
    await submit(store)
    await claim(store, 1)
    places = await store.statistics.places()
    assert places.exact
    assert places.by_queue == {"other": {"scheduled": 3}, "mail": {"running": 1}}
    monkeypatch.setattr(statistics, "MOST_LOOKED_AT", 2)
    places = await store.statistics.places()
    assert not places.exact
    assert places.by_queue["other"]["scheduled"] == 3, "scaled up"
    await store.gateway.command(
        "SET", store.shards[0].task(others[0]), GARBAGE
    )  # SET takes the place of anything
    await store.gateway.command("SET", store.shards[0].dead, GARBAGE)
    await store.statistics.places()


async def test_who_has_served_a_queue(store: Store) -> None:
    facts = {"queues": "mail,sums", "concurrency": "10"}
    await store.control.announce("w1", facts, 60_000)
    await store.control.announce("w2", {"queues": "mail", "concurrency": "5"}, 60_000)
    now = await store.inspect.now_ms()
    await store.gateway.command("ZADD", store.keys.served, now - 7_200_000, "w0 mail")
    await store.control.leave(["w2"])
    mail, other = (await gather_statistics(store, 60)).queues
    assert (mail.name, mail.workers, mail.seen, mail.slots) == ("mail", 1, 2, 10)
    assert (other.name, other.workers, other.seen) == ("sums", 1, 1)
    assert (await gather_statistics(store, 180)).queues[0].seen == 3
    await store.gateway.command("ZADD", store.keys.served, now - 86_401_000, "long-ago mail")
    await store.control.announce("w1", facts, 60_000)
    assert "long-ago" not in (await store.statistics.served(0))["mail"]


async def test_statistics_of_a_queue(store: Store) -> None:
    for _ in range(3):
        await submit(store)
    first, second = await claim(store, 2)
    await began(store, first.id, 2_000)
    await succeed(store, [first.id])
    (mail,) = (await gather_statistics(store, 3)).queues
    assert mail.places == {"ready": 1, "scheduled": 0, "parked": 0, "running": 1, "dead": 0}
    assert mail.tally.outcomes == {"succeeded": 1}
    assert len(mail.history) == 3
    assert sum(minute["succeeded"] for minute in mail.history.values()) == 1
    await store.control.pause(LANE.queue)
    assert (await gather_statistics(store, 3)).queues[0].paused
    await succeed(store, [second.id])
