"""Breakers: tasks wait in line while most attempts behind one fail; probes decide whether they go on."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.core.limits import BreakerRule, Definition
from jobbers.core.status import Status
from jobbers.store.breakers import BreakerUse
from jobbers.store.store import Store
from jobbers.store.tasks import Failure, Retrial
from tests.store import kit
from tests.store.kit import (
    ANOTHER,
    FAILED_RETENTION,
    OWNER,
    RETENTION,
    claim,
    end_leases,
    field,
    status_of,
    submit,
)

HOUR = 3_600_000
GATE = "b1/!mail"
RULE = BreakerRule(500_000, 4, HOUR, HOUR, 1, 0)
"""Opens when 2 of 4 have failed, for an hour."""


async def define(store: Store, rule: BreakerRule = RULE) -> None:
    await store.breakers.define({"mail": rule})


async def ids_of(store: Store, owner: str = OWNER) -> list[str]:
    return [task.id for task in await claim(store, owner=owner)]


async def run(store: Store, *ends: kit.Verb) -> None:
    """One attempt for each of these ends."""
    for end in ends:
        task_id = await submit(store, gates=GATE)
        assert await ids_of(store) == [task_id]
        assert await end(store, [task_id]) == []


async def use(store: Store, name: str = "mail") -> BreakerUse:
    (found,) = await store.breakers.use({name: RULE})
    return found


async def is_open(store: Store, name: str = "mail") -> bool:
    return (await use(store, name)).open_ms is not None


async def half_open(store: Store, name: str = "!mail") -> None:
    """The time for which it is open has passed."""
    await store.gateway.command("ZADD", store.shards[0].tripped, "XX", 1_700_000_000_000, name)
    await store.gateway.command("ZADD", store.shards[0].refill, "XX", 1, name)
    await store.upkeep.promote(0, FAILED_RETENTION)


async def opened(store: Store, waiting: int) -> list[str]:
    """A breaker that has opened, and so many tasks in its line."""
    await define(store)
    await run(store, kit.fail, kit.fail, kit.fail, kit.fail)
    ids = [await submit(store, gates=GATE) for _ in range(waiting)]
    assert await ids_of(store) == []
    assert [await field(store, task_id, "parked") for task_id in ids] == ["!mail"] * waiting
    return ids


async def test_opens_when_enough_have_ended_and_the_share_of_failures_is_reached(store: Store) -> None:
    await define(store)
    await run(store, kit.fail, kit.succeed, kit.succeed, kit.succeed)
    assert not await is_open(store), "1 of 4"
    await run(store, kit.fail)
    assert not await is_open(store), "2 of 5"
    await run(store, kit.fail)
    assert await use(store) == BreakerUse("mail", kit.lasting(HOUR), 6, 3, 0)  # type: ignore[arg-type]


async def test_too_few_ends_say_nothing(store: Store) -> None:
    await define(store)
    await run(store, kit.fail, kit.fail, kit.fail)
    assert not await is_open(store)


async def test_a_retried_attempt_and_a_dead_worker_have_failed(store: Store) -> None:
    await define(store, RULE._replace(share=1_000_000, of=2))
    await run(store, kit.retry)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == [task_id]
    await end_leases(store, task_id)
    await store.upkeep.reclaim(0, 3, FAILED_RETENTION)
    assert ((await use(store)).ended, (await use(store)).failed) == (2, 2)
    assert await ids_of(store) == []
    assert (await status_of(store, task_id), await field(store, task_id, "parked")) == ("blocked", "!mail")


async def test_so_has_one_that_lost_too_many_workers(store: Store) -> None:
    await define(store)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == [task_id]
    await end_leases(store, task_id)
    await store.upkeep.reclaim(0, 0, FAILED_RETENTION)
    assert await status_of(store, task_id) == Status.FAILED
    assert ((await use(store)).ended, (await use(store)).failed) == (1, 1)


@pytest.mark.parametrize("end", [kit.snooze, kit.skip, kit.release])
async def test_what_did_not_come_to_an_end_says_nothing(store: Store, end: kit.Verb) -> None:
    await define(store)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == [task_id]
    assert await end(store, [task_id], OWNER) == []
    assert (await use(store)).ended == 0


async def test_the_cause_of_an_end_may_say_that_it_is_none_of_the_breakers_business(store: Store) -> None:
    await define(store)
    first, second, third = [await submit(store, gates=GATE) for _ in range(3)]
    assert await ids_of(store) == [first, second, third]
    rows = [
        Failure(first, OWNER, RETENTION, "no such user", b"", "answered"),
        Failure(second, OWNER, RETENTION, "?", b"", "apart"),
    ]
    assert await store.tasks.fail(0, rows) == []
    assert await store.tasks.retry(0, [Retrial(third, OWNER, 1_000, "again", b"", "answered")]) == []
    assert ((await use(store)).ended, (await use(store)).failed) == (2, 0)
    assert not [
        name for name in await kit.snapshot(store) if name.startswith("stats ") and "answered" in name
    ]


async def test_an_end_counts_once(store: Store) -> None:
    await define(store)
    await run(store, kit.fail)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == [task_id]
    for _ in range(2):
        assert await kit.fail(store, [task_id]) == []
    assert await kit.fail(store, [task_id], ANOTHER) == [task_id]
    assert (await use(store)).ended == 2


async def test_while_it_is_open_tasks_wait_without_an_attempt_used(store: Store) -> None:
    waiting = await opened(store, 3)
    assert [await field(store, task_id, "attempt") for task_id in waiting] == [None] * 3
    assert (await store.upkeep.promote(0, FAILED_RETENTION)).next_ms == pytest.approx(HOUR, abs=30_000)
    assert await store.limits.lines() == {"!mail": 3}


async def test_half_open_lets_a_probe_go_whose_success_closes_it(store: Store) -> None:
    waiting = await opened(store, 3)
    await half_open(store)
    assert (await use(store)).open_ms == 0
    assert await ids_of(store) == waiting[:1]
    assert await ids_of(store) == [], "no more than its probes"

    assert await kit.succeed(store, waiting[:1]) == []

    assert await use(store) == BreakerUse("mail", None, 0, 0, 0)
    assert await ids_of(store) == waiting[1:]


@pytest.mark.parametrize("end", [kit.fail, kit.retry])
async def test_a_failed_probe_opens_it_again(store: Store, end: kit.Verb) -> None:
    waiting = await opened(store, 2)
    await half_open(store)
    assert await ids_of(store) == waiting[:1]
    assert await end(store, waiting[:1], OWNER) == []
    assert (await use(store)).open_ms == kit.lasting(HOUR)
    assert await ids_of(store) == []
    await half_open(store)
    assert await ids_of(store) == waiting[1:], "and half-opens again"


@pytest.mark.parametrize("end", [kit.snooze, kit.skip, kit.release])
async def test_a_probe_that_says_nothing_makes_way_for_the_next(store: Store, end: kit.Verb) -> None:
    waiting = await opened(store, 2)
    await half_open(store)
    assert await ids_of(store) == waiting[:1]
    assert await end(store, waiting[:1], OWNER) == []
    assert (await use(store)).open_ms == 0
    assert await ids_of(store) == waiting[1:]


async def test_so_does_one_that_is_cancelled_in_its_lane_and_one_whose_worker_dies_opens_it(
    store: Store,
) -> None:
    waiting = await opened(store, 3)
    await half_open(store)
    assert await status_of(store, waiting[0]) == Status.QUEUED
    await store.tasks.cancel(waiting[:1], RETENTION, "test")
    assert await ids_of(store) == waiting[1:2]
    await end_leases(store, waiting[1])
    await store.upkeep.reclaim(0, 3, FAILED_RETENTION)
    assert (await use(store)).open_ms == kit.lasting(HOUR)
    assert await ids_of(store) == []


async def test_several_probes_and_one_in_its_lane_when_it_opens_again(store: Store) -> None:
    waiting = await opened(store, 4)
    await define(store, RULE._replace(probes=2))
    await half_open(store)
    taken = [task.id for task in await claim(store, 1)]
    assert taken == waiting[:1]
    assert await status_of(store, waiting[1]) == Status.QUEUED
    assert await kit.fail(store, taken) == []
    assert await ids_of(store) == []
    assert (await status_of(store, waiting[1]), await field(store, waiting[1], "parked")) == (
        "blocked",
        "!mail",
    )
    assert await store.limits.wrong(0, ["!mail"]) == [], "and its permit has gone back"
    await half_open(store)
    assert len(await ids_of(store)) == 2


async def test_what_began_before_it_opened_decides_nothing(store: Store) -> None:
    await define(store)
    early = [await submit(store, gates=GATE) for _ in range(2)]
    assert await ids_of(store, ANOTHER) == early
    await run(store, kit.fail, kit.fail, kit.fail, kit.fail)
    assert await kit.succeed(store, early[:1], ANOTHER) == []
    assert await is_open(store)
    await half_open(store)
    assert await kit.succeed(store, early[1:], ANOTHER) == []
    assert (await use(store)).open_ms == 0


async def test_each_key_has_a_breaker_of_its_own(store: Store) -> None:
    await define(store)
    for _ in range(4):
        task_id = await submit(store, gates="b1/!mail=a")
        assert await ids_of(store) == [task_id]
        assert await kit.fail(store, [task_id]) == []
    first, second = await submit(store, gates="b1/!mail=a"), await submit(store, gates="b1/!mail=b")
    assert await ids_of(store) == [second]
    assert await status_of(store, first) == Status.BLOCKED
    assert await store.breakers.tripped() == ["mail=a"]


async def test_what_a_limit_has_handed_out_goes_on_when_the_breaker_opens_meanwhile(store: Store) -> None:
    """Nobody keeps a permit of a limit in the line of a breaker."""
    await define(store)
    await store.limits.define({"one": Definition(1)})
    await run(store, kit.fail, kit.fail, kit.fail)
    both = "b1/!mail,w1/one"
    first, second, other = (
        await submit(store, gates=both),
        await submit(store, gates=both),
        await submit(store, gates="w1/one"),
    )
    assert await ids_of(store) == [first]
    assert await kit.snooze(store, [first]) == []
    assert await status_of(store, second) == Status.QUEUED, "with the permit in hand"
    await store.breakers.trip("mail", 0)
    assert await ids_of(store) == [other]
    assert await field(store, second, "parked") == "!mail"


async def test_a_long_line_goes_on_in_steps(store: Store) -> None:
    waiting = await opened(store, 150)
    await store.breakers.reset("mail")
    taken = 0
    for _ in range(4):
        await store.upkeep.promote(0, FAILED_RETENTION)
        taken += len(await claim(store))
    assert taken == len(waiting)


async def test_by_hand_it_is_open_until_it_is_reset_or_for_a_time(store: Store) -> None:
    await define(store)
    assert await store.breakers.trip("mail", 0)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == []
    assert (await use(store)).open_ms == -1
    assert (await store.upkeep.promote(0, FAILED_RETENTION)).next_ms is None
    assert await store.breakers.reset("mail")
    assert await ids_of(store) == [task_id]

    assert await store.breakers.trip("mail", 60_000)
    assert (await use(store)).open_ms == kit.lasting(60_000)
    assert not await store.breakers.trip("none", 0)
    assert not await store.breakers.reset("none")


async def test_it_half_opens_by_itself(store: Store) -> None:
    await define(store, RULE._replace(open_ms=3_000, of=1))
    await run(store, kit.fail)
    task_id = await submit(store, gates=GATE)
    assert await ids_of(store) == []
    for _ in range(10):
        promotion = await store.upkeep.promote(0, FAILED_RETENTION)
        if promotion.moved:
            break
        await asyncio.sleep(((promotion.next_ms or 0) + 10) / 1000)
    assert await ids_of(store) == [task_id]


async def test_only_what_ended_within_the_window_counts(store: Store) -> None:
    await define(store, RULE._replace(window_ms=100))
    await run(store, kit.fail, kit.fail, kit.fail)
    await asyncio.sleep(0.15)
    assert not [name for name in await kit.snapshot(store) if name.startswith("outcomes")], "idle keys go"
    await run(store, kit.fail)
    assert not await is_open(store)


async def test_keys_that_nobody_asks_about_are_forgotten(store: Store) -> None:
    await define(store)
    await store.gateway.command("ZADD", store.shards[0].tripped, 1_000_000_000_000, "!mail=old")
    await store.breakers.trip("mail", 0)
    assert await store.breakers.tripped() == ["mail"]


async def test_its_counts_are_bounded(store: Store) -> None:
    await define(store, RULE._replace(window_ms=50, of=1_000_000))
    for _ in range(40):
        await run(store, kit.fail)
        await asyncio.sleep(0.002)
    text = await store.gateway.command("GET", store.shards[0].outcomes("!mail"))
    assert text is None or len(text.split()) <= 30


async def test_the_rest_costs_nothing_and_leaves_nothing(store: Store) -> None:
    task_id = await submit(store)
    assert await ids_of(store) == [task_id]
    assert await kit.fail(store, [task_id]) == []
    names = [
        name for name in await kit.snapshot(store) if name.startswith(("outcomes", "tripped", "breakers"))
    ]
    assert names == []


@pytest.mark.leaves_garbage
async def test_a_probe_that_nobody_has_is_given_to_who_waits(store: Store) -> None:
    waiting = await opened(store, 2)
    await half_open(store)
    assert await ids_of(store) == waiting[:1]
    await store.gateway.command("DEL", store.shards[0].task(waiting[0]))
    assert await store.limits.mend(0) == [("!mail", "1 permits are held by nobody")]
    assert await ids_of(store) == waiting[1:]
