"""Gates: what holds a task back although it is ready. Permits are taken on claim (or before), and handed on."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.client import new_id
from jobbers.core.ids import tail_of, with_tail
from jobbers.core.lanes import Lane
from jobbers.core.limits import Definition
from jobbers.core.status import Status
from jobbers.core.task import TaskSpec
from jobbers.errors import LimitReached, NotFound
from jobbers.store.store import Store
from tests.store import kit
from tests.store.kit import (
    ANOTHER,
    ENVELOPE,
    FAILED_RETENTION,
    LANE,
    OWNER,
    RETENTION,
    claim,
    end_leases,
    field,
    placement,
    status_of,
    submit,
)

ONE = "w1/one"


async def define(store: Store, **amounts: int) -> None:
    await store.limits.define({name: Definition(amount) for name, amount in amounts.items()})


async def claimed_ids(store: Store, owner: str = ANOTHER, lanes: tuple[Lane, ...] = (LANE,)) -> list[str]:
    return [task.id for task in await claim(store, owner=owner, lanes=lanes)]


async def two_at_one(store: Store) -> tuple[str, str]:
    """One that runs under a limit of one, and one that stands in its line."""
    await define(store, one=1)
    first, second = await submit(store, gates=ONE), await submit(store, gates=ONE)
    assert await claimed_ids(store, OWNER) == [first]
    assert (await status_of(store, second), await field(store, second, "parked")) == ("blocked", "one")
    return first, second


@pytest.mark.parametrize("verb", [kit.succeed, kit.fail, kit.skip, kit.retry, kit.snooze])
async def test_whatever_ends_an_execution_hands_its_permit_to_the_first_in_line(
    store: Store, verb: kit.Verb
) -> None:
    first, second = await two_at_one(store)

    assert await verb(store, [first], OWNER) == []

    assert await status_of(store, second) == Status.QUEUED
    assert await field(store, second, "parked") is None
    assert await claimed_ids(store) == [second]


async def test_so_do_a_cancellation_and_a_worker_that_died(store: Store) -> None:
    first, second = await two_at_one(store)
    await store.tasks.cancel([first], RETENTION, "test")
    assert await claimed_ids(store) == [second]
    third = await submit(store, gates=ONE)
    assert await claimed_ids(store, OWNER) == []

    await end_leases(store, second)
    await store.upkeep.reclaim(0, 3, FAILED_RETENTION)

    assert await claimed_ids(store, OWNER) == [third]
    assert (await status_of(store, second), await field(store, second, "parked")) == ("blocked", "one")


async def test_one_that_is_released_stands_behind_who_waits_and_keeps_its_attempt(store: Store) -> None:
    first, second = await two_at_one(store)

    assert await kit.release(store, [first], OWNER) == []

    assert await claimed_ids(store) == [second]
    assert (await status_of(store, first), await field(store, first, "attempt")) == ("blocked", "0")
    assert await kit.succeed(store, [second], ANOTHER) == []
    assert await claimed_ids(store, OWNER) == [first]


async def test_an_old_owner_gives_nothing_back(store: Store) -> None:
    first, second = await two_at_one(store)
    await end_leases(store, first)
    await store.upkeep.reclaim(0, 3, FAILED_RETENTION)
    assert await claimed_ids(store) == [second]

    assert await kit.succeed(store, [first], OWNER) == [first]

    third = await submit(store, gates=ONE)
    assert await claimed_ids(store, "worker-3/aaaaaaaa") == []
    assert await status_of(store, third) == Status.BLOCKED


async def test_a_permit_in_hand_is_given_back_when_the_task_is_cancelled_in_its_lane(store: Store) -> None:
    first, second = await two_at_one(store)
    third = await submit(store, gates=ONE)
    assert await claimed_ids(store) == []
    assert await kit.succeed(store, [first]) == []
    assert await status_of(store, second) == Status.QUEUED

    await store.tasks.cancel([second], RETENTION, "test")

    assert await claimed_ids(store) == [third]


async def test_who_is_cancelled_in_the_line_leaves_it(store: Store) -> None:
    first, second = await two_at_one(store)
    third = await submit(store, gates=ONE)
    assert await claimed_ids(store) == []

    await store.tasks.cancel([second], RETENTION, "test")

    assert await kit.succeed(store, [first]) == []
    assert await claimed_ids(store) == [third]


async def test_the_line_goes_by_priority_and_then_by_age(store: Store) -> None:
    high = Lane(LANE.queue, 9)
    first, second = await two_at_one(store)
    urgent = await submit(store, gates=ONE, priority=9)
    assert await claimed_ids(store, lanes=(high, LANE)) == []

    assert await kit.succeed(store, [first]) == []

    assert await claimed_ids(store, lanes=(LANE, high)) == [urgent]
    assert await kit.succeed(store, [urgent], ANOTHER) == []
    assert await claimed_ids(store) == [second]


async def test_weights_add_up_and_a_heavy_task_is_not_overtaken_for_ever(store: Store) -> None:
    await define(store, pool=10)
    four, other_four, heavy, light = [await submit(store, gates=f"w{weight}/pool") for weight in (4, 4, 7, 2)]

    assert await claimed_ids(store, OWNER) == [four, other_four, light]
    assert await kit.succeed(store, [four]) == []
    late = await submit(store, gates="w4/pool")
    assert await claimed_ids(store) == [late], "there is room for it still: nobody waits for so little"
    assert await kit.succeed(store, [other_four, light]) == []

    assert await status_of(store, heavy) == Status.BLOCKED
    assert await kit.succeed(store, [late], ANOTHER) == []
    assert await claimed_ids(store) == [heavy]


async def test_what_is_heavier_than_its_limit_runs_alone(store: Store) -> None:
    await define(store, pool=3)
    light, heavy = await submit(store, gates="w1/pool"), await submit(store, gates="w5/pool")
    assert await claimed_ids(store, OWNER) == [light]
    assert await kit.succeed(store, [light]) == []
    assert await claimed_ids(store) == [heavy]


async def test_of_several_gates_all_are_passed_or_none(store: Store) -> None:
    await define(store, one=1, two=2)
    first, second = await submit(store, gates="w1/two,w1/one"), await submit(store, gates="w1/two,w1/one")
    third = await submit(store, gates="w1/two")

    assert await claimed_ids(store, OWNER) == [first, third], (
        "who waits for one gate takes nothing of the other"
    )
    assert await kit.succeed(store, [first]) == []
    assert await claimed_ids(store) == [second]


async def test_who_gets_one_permit_and_lacks_another_goes_into_that_line(store: Store) -> None:
    await define(store, one=1, two=1)
    both = "w1/one,w1/two"
    first, second = await submit(store, gates="w1/one"), await submit(store, gates="w1/two")
    waiting = await submit(store, gates=both)
    assert await claimed_ids(store, OWNER) == [first, second]
    assert await field(store, waiting, "parked") == "one"

    assert await kit.succeed(store, [first]) == []

    assert await field(store, waiting, "parked") == "two"
    assert await kit.succeed(store, [second]) == []
    assert await claimed_ids(store) == [waiting]


async def test_who_has_waited_for_a_permit_goes_before_all_others_of_its_lane(store: Store) -> None:
    await define(store, one=1)
    first, second, third = [await submit(store, gates="w1/one") for _ in range(3)]
    others = [await submit(store) for _ in range(3)]
    assert await kit.claim(store, 1)
    assert [task.id for task in await kit.claim(store, 1)] == others[:1]  # and the other two stand in line
    assert await kit.succeed(store, [first]) == []
    assert [task.id for task in await kit.claim(store, 2)] == [second, others[1]]
    assert await kit.succeed(store, [second]) == []
    assert await claimed_ids(store) == [third, others[2]]


async def test_each_key_has_a_line_of_its_own_and_leaves_nothing_behind(store: Store) -> None:
    await define(store, user=1)
    ids = [await submit(store, gates=f"w1/user={key}") for key in "aabb"]

    assert await claimed_ids(store, OWNER) == [ids[0], ids[2]]
    assert await kit.succeed(store, [ids[0], ids[2]]) == []
    assert await claimed_ids(store, OWNER) == [ids[1], ids[3]]
    assert await kit.succeed(store, [ids[1], ids[3]]) == []

    names = [
        name for name in await kit.snapshot(store) if name.startswith(("permits", "line", "gates", "parked"))
    ]
    assert names == []


async def test_what_nobody_defined_lets_one_through_at_a_time(store: Store) -> None:
    first, second = await submit(store, gates="w1/unheard-of"), await submit(store, gates="w1/unheard-of")
    assert await claimed_ids(store, OWNER) == [first]
    assert await status_of(store, second) == Status.BLOCKED


async def test_a_limit_of_each_queue_is_defined_once(store: Store) -> None:
    await store.limits.define({"send@": Definition(1), "send@b": Definition(2)})
    gates = ["w1/send@a", "w1/send@a", "w1/send@b", "w1/send@b"]
    ids = [await submit(store, gates=gate) for gate in gates]
    assert await claimed_ids(store) == [ids[0], *ids[2:]]


# What is asked when a task is submitted


async def test_what_is_over_a_limit_is_refused_whole_and_nothing_is_written(store: Store) -> None:
    await define(store, few=3)
    await submit(store, gates="r1/few")
    before = await kit.snapshot(store)
    where = placement()
    specs = [TaskSpec(new_id(), where, ENVELOPE, "r1/few") for _ in range(3)]

    with pytest.raises(LimitReached, match="'few' is full") as caught:
        await store.tasks.submit(specs)

    assert caught.value.limit == "few"
    assert await kit.changes(store, before) == {}
    assert await store.tasks.submit(specs[:2]) == {}
    assert await store.tasks.submit(specs[:2]) == {}, "the same call again is accepted"


async def test_who_was_counted_when_submitted_is_until_the_end(store: Store) -> None:
    await define(store, one=1)
    task_id = await submit(store, gates="r1/one")
    assert await claimed_ids(store, OWNER) == [task_id]
    assert await kit.retry(store, [task_id]) == []
    with pytest.raises(LimitReached):
        await submit(store, gates="r1/one")
    await store.tasks.cancel([task_id], RETENTION, "test")
    await submit(store, gates="r1/one")


async def test_the_newest_takes_the_place_of_who_waits(store: Store) -> None:
    await define(store, one=1)
    running = await submit(store, gates="p1/one", retention_ms=RETENTION)
    assert await claimed_ids(store, OWNER) == [running]
    second = await submit(store, gates="p1/one", retention_ms=RETENTION)
    third = await submit(store, gates="p1/one", retention_ms=RETENTION)

    assert (await status_of(store, second), await field(store, second, "reason")) == (
        "cancelled",
        f"task {third} took its place",
    )
    assert await status_of(store, running) == Status.RUNNING
    assert await kit.succeed(store, [running]) == []
    assert await claimed_ids(store) == [third]


async def test_or_of_who_runs(store: Store) -> None:
    await define(store, one=1)
    running = await submit(store, gates="c1/one", retention_ms=RETENTION)
    assert await claimed_ids(store, OWNER) == [running]
    newest = await submit(store, gates="c1/one", retention_ms=RETENTION)
    assert await status_of(store, running) == Status.CANCELLED
    assert await kit.succeed(store, [running]) == [running], "its owner is told"
    assert await claimed_ids(store) == [newest]


# Rates


async def test_no_window_sees_more_starts_than_a_rate_allows(store: Store) -> None:
    await store.limits.define({"rate": Definition(2, 300)})
    ids = [await submit(store, gates="w1/rate") for _ in range(5)]
    starts: list[int] = []
    while len(starts) < 5:
        for task_id in await claimed_ids(store, OWNER):
            starts.append(int(await field(store, task_id, "started") or 0))
            assert await kit.succeed(store, [task_id]) == []
        await asyncio.sleep(0.01)
        await store.upkeep.promote(0, FAILED_RETENTION)
    assert all(later - earlier >= 300 for earlier, later in zip(starts, starts[2:], strict=False))
    assert [await field(store, task_id, "attempt") for task_id in ids] == ["1"] * 5


async def test_a_retry_is_a_start_as_well(store: Store) -> None:
    await store.limits.define({"rate": Definition(1, 3_600_000)})
    task_id = await submit(store, gates="w1/rate")
    assert await claimed_ids(store, OWNER) == [task_id]
    assert await kit.retry(store, [task_id]) == []
    await store.gateway.command("ZADD", store.shards[0].due, 1, task_id)
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert await claimed_ids(store) == []
    assert await field(store, task_id, "parked") == "rate"
    assert (await store.limits.use(["rate"]))[0].next_ms == pytest.approx(3_600_000, abs=30_000)


async def test_a_permit_that_came_to_no_start_is_given_back(store: Store) -> None:
    """A rate remembers starts, not what was cancelled in its lane before it could start."""
    await store.limits.define({"rate": Definition(1, 100)})
    ids = [await submit(store, gates="w1/rate") for _ in range(3)]
    assert await claimed_ids(store, OWNER) == [ids[0]]
    await asyncio.sleep(0.15)
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert await status_of(store, ids[1]) == Status.QUEUED
    await store.tasks.cancel([ids[1]], RETENTION, "test")
    assert await claimed_ids(store) == [ids[2]]


async def test_with_a_burst_starts_come_back_one_by_one(store: Store) -> None:
    await store.limits.define({"rate": Definition(10, 1_000, 3)})
    ids = [await submit(store, gates="w1/rate") for _ in range(6)]
    assert await claimed_ids(store, OWNER) == ids[:3]
    starts: list[int] = []
    while len(starts) < 3:
        await store.upkeep.promote(0, FAILED_RETENTION)
        starts += [int(await field(store, task_id, "started") or 0) for task_id in await claimed_ids(store)]
        await asyncio.sleep(0.005)
    first = int(await field(store, ids[0], "started") or 0)
    assert all(start - first >= 100 * (place + 1) for place, start in enumerate(starts))


async def test_the_next_look_is_told_to_who_promotes(store: Store) -> None:
    await store.limits.define({"rate": Definition(1, 5_000)})
    for _ in range(2):
        await submit(store, gates="w1/rate")
    await claim(store)
    assert (await store.upkeep.promote(0, FAILED_RETENTION)).next_ms == pytest.approx(5_000, abs=4_000)


# Turns over keys


async def test_claims_take_turns_over_keys(store: Store) -> None:
    keys = ["big"] * 50 + ["small"] * 3 + ["tiny"]
    names = {await submit(store, gates=f"f1/turn={key}"): key for key in keys}
    order = [names[task_id] for task_id in await claimed_ids(store)]
    assert order == ["big", "small", "tiny", "big", "small", "big", "small", *["big"] * 47]


async def test_a_weight_is_a_number_of_turns(store: Store) -> None:
    keys = ["two"] * 6 + ["one"] * 6
    names = {await submit(store, gates=f"f{2 if key == 'two' else 1}/turn={key}"): key for key in keys}
    order = [names[task_id] for task_id in await claimed_ids(store)]
    assert order[:9].count("two") == 6


async def test_turns_leave_nothing_behind_and_wait_for_delays(store: Store) -> None:
    ids = [await submit(store, gates="f1/turn=a", delay_ms=1) for _ in range(3)]
    await asyncio.sleep(0.01)
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert [await status_of(store, task_id) for task_id in ids].count("blocked") == 2
    assert sorted(await claimed_ids(store)) == sorted(ids)
    names = [
        name for name in await kit.snapshot(store) if name.startswith(("permits", "line", "gates", "parked"))
    ]
    assert names == []


async def test_who_parks_at_a_limit_lets_the_next_of_its_key_go(store: Store) -> None:
    await define(store, one=1)
    ids = [await submit(store, gates="w1/one,f1/turn=a") for _ in range(3)]
    assert await claimed_ids(store, OWNER) == ids[:1]
    assert [await field(store, task_id, "parked") for task_id in ids[1:]] == ["one", "one"]


# Runs, pauses, live changes, repair


async def test_tasks_of_runs_pass_gates_too(store: Store) -> None:
    await define(store, one=1)
    fields = {name: {"gates": ONE} for name in "abc"}
    _, ids = await kit.launch(store, {"a": "", "b": "", "c": "a"}, fields=fields)
    assert await claimed_ids(store, OWNER) == [ids["a"]]
    assert await kit.succeed(store, [ids["a"]]) == []
    assert await claimed_ids(store, OWNER) == [ids["b"]]
    assert await field(store, ids["c"], "parked") == "one"
    assert await kit.succeed(store, [ids["b"]]) == []
    assert await claimed_ids(store, OWNER) == [ids["c"]]


async def test_in_a_paused_run_nobody_gets_a_permit(store: Store) -> None:
    await define(store, one=1)
    run, ids = await kit.launch(store, {"a": "", "b": ""}, fields={name: {"gates": ONE} for name in "ab"})
    other = await submit(store, gates=ONE)
    assert await claimed_ids(store, OWNER) == [ids["a"]]
    await store.runs.hold(run, pause=True)

    assert await kit.succeed(store, [ids["a"]]) == []

    assert await claimed_ids(store) == [other]
    assert await kit.succeed(store, [other], ANOTHER) == []
    await store.runs.hold(run, pause=False)
    assert await claimed_ids(store) == [ids["b"]]


async def test_what_goes_on_after_a_pause_waits_for_its_turn(store: Store) -> None:
    fields = {name: {"gates": "f1/turn"} for name in "ab"}
    run, ids = await kit.launch(store, {"a": "", "b": ""}, fields=fields)
    assert await field(store, ids["b"], "parked") == "turn"
    await store.runs.hold(run, pause=True)
    await store.runs.hold(run, pause=False)
    assert [await field(store, ids[name], "parked") for name in "ab"] == [None, "turn"]
    assert await claimed_ids(store, OWNER) == [ids["a"], ids["b"]]  # a start is the end of a turn


async def test_items_of_maps_pass_gates_too(store: Store) -> None:
    from jobbers.store.maps import ItemTask

    await define(store, one=1)
    _, ids = await kit.launch(store, {"m": ""}, fields={"m": {"window": 10}})
    assert await claimed_ids(store, OWNER) == [ids["m"]]
    items = [ItemTask(with_tail(new_id(), tail_of(ids["m"])), str(LANE), ENVELOPE, ONE) for _ in range(2)]
    assert await store.maps.expand(ids["m"], OWNER, kit.TYPE, 0, items)
    assert await claimed_ids(store) == [items[0].id]


async def test_in_a_paused_queue_nobody_keeps_a_permit(store: Store) -> None:
    first, second = await two_at_one(store)
    other = Lane("other", 5)
    await asyncio.sleep(0.002)  # lines go by the ms in which a task was made
    third = await submit(store, gates=ONE, queue="other")
    assert await claimed_ids(store, lanes=(other,)) == []
    await store.control.pause(LANE.queue)

    assert await kit.succeed(store, [first]) == []

    assert await status_of(store, second) == Status.QUEUED
    assert await claimed_ids(store, lanes=(other,)) == [third]
    await store.control.resume(LANE.queue)
    assert await claimed_ids(store) == []
    assert await field(store, second, "parked") == "one"


async def test_more_is_allowed_at_once_and_less_ends_nothing(store: Store) -> None:
    await define(store, one=1)
    ids = [await submit(store, gates=ONE) for _ in range(4)]
    assert await claimed_ids(store, OWNER) == ids[:1]

    await store.limits.set("one", 3)
    assert (await store.upkeep.promote(0, FAILED_RETENTION)).moved == 1

    assert await claimed_ids(store, OWNER) == ids[1:3]
    await store.limits.set("one", 1)
    assert await kit.succeed(store, ids[:2]) == []
    assert await claimed_ids(store) == []
    assert await kit.succeed(store, [ids[2]]) == []
    assert await claimed_ids(store) == [ids[3]]


async def test_what_was_set_live_outlives_the_code_until_it_is_reset(store: Store) -> None:
    await define(store, one=1)
    await store.limits.set("one", 7)
    await define(store, one=2)
    assert [(it.definition.amount, it.amount_in_code) for it in await store.limits.listed()] == [(7, 2)]
    await store.limits.reset("one")
    assert [(it.definition.amount, it.amount_in_code) for it in await store.limits.listed()] == [(2, 2)]
    with pytest.raises(NotFound, match="no limit or rate 'none'"):
        await store.limits.set("none", 1)


async def test_how_a_limit_is_used_is_told(store: Store) -> None:
    first, second = await two_at_one(store)
    (use,) = await store.limits.use(["one"])
    assert (use.used, use.held, use.waiting, use.first) == (1, [first], 1, [second])
    assert await store.limits.lines() == {"one": 1}


@pytest.mark.leaves_garbage
async def test_permits_that_nobody_holds_are_given_to_who_waits(store: Store) -> None:
    first, second = await two_at_one(store)
    await store.gateway.command("DEL", store.shards[0].task(first))
    assert await store.limits.mend(0) == [("one", "1 permits are held by nobody")]
    assert await claimed_ids(store) == [second]
    assert await store.limits.wrong(0, ["one"]) == []


async def test_who_fell_out_of_its_line_is_put_back(store: Store) -> None:
    first, second = await two_at_one(store)
    keys = store.shards[0]
    await store.gateway.command("DEL", keys.line("one"), keys.gates, keys.parked)
    findings = await store.upkeep.repair_all(0, 1_000, 1_000, mend=True)
    assert [finding.what for finding in findings] == ["parked, but in no line"]
    await store.upkeep.promote(0, FAILED_RETENTION)
    assert await status_of(store, second) == Status.BLOCKED
    assert await kit.succeed(store, [first]) == []
    assert await claimed_ids(store) == [second]


async def test_a_claim_that_parks_many_says_that_there_may_be_more(store: Store) -> None:
    await define(store, one=1)
    where = placement()
    await store.tasks.submit([TaskSpec(new_id(), where, ENVELOPE, ONE) for _ in range(850)])
    assert len(await claim(store, owner=OWNER)) == 1
    seen = [await claim(store, owner=ANOTHER) for _ in range(3)]
    assert [(len(taken), taken.more) for taken in seen] == [(0, True), (0, True), (0, False)]  # type: ignore[attr-defined]
    assert await store.limits.lines() == {"one": 849}


async def test_a_long_line_of_many_goes_on_in_steps(store: Store) -> None:
    await define(store, many=500)
    await store.limits.set("many", 1)
    where = placement()
    await store.tasks.submit([TaskSpec(new_id(), where, ENVELOPE, "w1/many") for _ in range(300)])
    taken = len(await claimed_ids(store, OWNER))
    while (await claim(store, owner=ANOTHER)).more:
        pass
    await store.limits.reset("many")
    for _ in range(4):
        await store.upkeep.promote(0, FAILED_RETENTION)
        taken += len(await claim(store, 500, owner=new_id()))
    assert taken == 300
