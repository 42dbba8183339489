"""What is long is done in steps: ends that are told of, runs that are cancelled or repeated; and what lies between two."""

from __future__ import annotations

from collections import Counter

import pytest

from jobbers.client import new_id
from jobbers.core.ids import tail_of, with_tail
from jobbers.core.lanes import Lane
from jobbers.core.payload import Gathered
from jobbers.core.status import Status
from jobbers.store.maps import ItemTask
from jobbers.store.runs import RevivedTask
from jobbers.store.store import Store
from tests.store.kit import (
    ENVELOPE,
    LANE,
    LEASE,
    OWNER,
    RETENTION,
    TYPE,
    Edges,
    claim,
    fail,
    field,
    launch,
    status_of,
    succeed,
)

pytestmark = pytest.mark.anyio

MANY = 700
WIDE: Edges = {f"n{number}": "" for number in range(MANY)}


async def cancel_some(store: Store, run: str) -> list[bytes]:
    """The first step of a client that dies then. Returns the runs of which tasks are left."""
    prefix = store.shards[0].prefix
    reply = await store.gateway.run("cancel", prefix, [RETENTION, "enough", "call", 0, run])
    assert reply[0] == b"blocked"
    return list(reply[1:])


async def finish(store: Store) -> None:
    """What workers do meanwhile."""
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass


async def counts(store: Store, ids: dict[str, str]) -> dict[str, int]:
    place = store.shards[0].task
    found = await store.gateway.commands([("HGET", place(task_id), "status") for task_id in ids.values()])
    return {status.decode(): number for status, number in Counter(found).items()}


async def test_nothing_of_a_run_starts_while_it_is_cancelled(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    assert await cancel_some(store, run) == [run.encode()]
    assert await status_of(store, run) == "cancelled"
    left = (await counts(store, ids))["queued"]
    assert 0 < left < MANY
    assert await claim(store) == []
    assert (await counts(store, ids))["queued"] < left  # a claim cancels what it finds
    await finish(store)
    assert await counts(store, ids) == {"cancelled": MANY}
    assert await field(store, ids["n0"], "reason") == "enough"
    assert await field(store, run, "winding") is None
    assert (await store.upkeep.promote(0, RETENTION)).next_ms is None


async def test_what_runs_of_it_meanwhile_starts_nothing(store: Store) -> None:
    edges = {"a": "", "b": "a"} | WIDE
    run, ids = await launch(store, edges)
    (task,) = await claim(store, 1)
    assert task.id == ids["a"]
    await cancel_some(store, run)
    assert await succeed(store, [ids["a"]]) == []
    assert await status_of(store, ids["b"]) == "blocked"
    await finish(store)
    assert await counts(store, ids) == {"succeeded": 1, "cancelled": MANY + 1}


async def test_a_client_cancels_to_the_end(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    assert await store.tasks.cancel([run, ids["n3"]], RETENTION, "enough") == {
        run: Status.BLOCKED,
        ids["n3"]: Status.QUEUED,
    }
    assert await counts(store, ids) == {"cancelled": MANY}


async def test_a_repetition_goes_on_without_its_client(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", MANY]
    for task_id in ids.values():
        words += (task_id, 0, run, "")
    prefix = store.shards[0].prefix
    assert (await store.gateway.run("revive", prefix, words))[0] == b"more"
    assert await status_of(store, run) == "blocked"
    assert (await counts(store, ids))["cancelled"] > 0
    await finish(store)
    assert await counts(store, ids) == {"queued": MANY}
    assert await store.gateway.run("revive", prefix, words[:2]) == [b"done", run.encode()]
    assert await field(store, run, "revival") is None


async def test_a_run_can_be_cancelled_while_it_is_revived(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", MANY]
    for task_id in ids.values():
        words += (task_id, 0, run, "")
    await store.gateway.run("revive", store.shards[0].prefix, words)
    await store.tasks.cancel([run], RETENTION, "again enough")
    await finish(store)
    assert await counts(store, ids) == {"cancelled": MANY}
    assert await status_of(store, run) == "cancelled"


async def test_what_has_not_been_told_is_of_no_new_life(store: Store) -> None:
    """`a` has told some of its followers when the run is cancelled and repeated: nobody hears of its first end again."""
    edges = {"a": "", **dict.fromkeys(WIDE, "a"), "b": "", "last": "a b"}
    run, ids = await launch(store, edges)
    await claim(store, 2)
    assert await succeed(store, [ids["a"]]) == []
    assert (await counts(store, ids))["blocked"] > 1
    await store.tasks.cancel([run], RETENTION, "enough")
    assert await field(store, ids["a"], "next") is None
    tasks = [
        RevivedTask(
            task_id, int(name == "last"), () if name == "a" else [ids["last"]] if name == "b" else [run]
        )
        for name, task_id in ids.items()
    ]
    await store.runs.revive(run, MANY + 1, tasks)
    await finish(store)
    assert await counts(store, ids) == {"succeeded": 1, "queued": MANY + 1, "blocked": 1}


async def test_marks_that_are_lost_are_found_again(store: Store) -> None:
    keys = store.shards[0]
    run, ids = await launch(store, WIDE)
    await cancel_some(store, run)
    other, more = await launch(store, {"a": "", **dict.fromkeys(WIDE, "a")})
    while not (taken := await claim(store, 1)):
        pass  # it cancels what it finds of the first run
    assert [task.id for task in taken] == [more["a"]]
    assert await fail(store, [more["a"]]) == []
    await store.gateway.command("DEL", keys.expiring, keys.untold)
    found = await store.upkeep.repair(0, [run, more["a"]], LEASE, RETENTION, mend=True)
    assert {finding.id for finding in found} == {run, more["a"]}
    await finish(store)
    assert await counts(store, ids) == {"cancelled": MANY}
    assert await counts(store, more) == {"failed": 1, "skipped": MANY}
    assert await status_of(store, other) == "failed"


async def test_a_map_whose_items_are_claimed_while_its_run_is_cancelled_is_cancelled(store: Store) -> None:
    run, ids = await launch(store, {"map": ""}, fields={"map": {"window": 4}})
    await claim(store, 1)
    items = [ItemTask(with_tail(new_id(), tail_of(ids["map"])), str(LANE), ENVELOPE) for _ in range(2)]
    assert await store.maps.expand(ids["map"], OWNER, TYPE, 0, items)
    assert await store.maps.suspend(ids["map"], OWNER, Gathered(2), RETENTION)
    keys = store.shards[0]
    # as if the run were a long one, of which the first step has not come to the map
    await store.gateway.command(
        "HSET", keys.task(run), "status", "cancelled", "winding", f"1 {RETENTION} call"
    )
    await store.gateway.command("ZADD", keys.expiring, 1, run)
    assert await claim(store) == []
    assert [await status_of(store, item.id) for item in items] == ["cancelled"] * 2
    assert await status_of(store, ids["map"]) == "cancelled"
    assert await store.gateway.command("ZSCORE", keys.dead, ids["map"]) is None
    await finish(store)


async def test_who_goes_on_with_an_end_does_not_stop_a_repetition(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", MANY]
    for task_id in ids.values():
        words += (task_id, 0, run, "")
    prefix = store.shards[0].prefix
    assert (await store.gateway.run("revive", prefix, words))[0] == b"more"
    await store.gateway.run("cancel", prefix, [RETENTION, "enough", "call", 1, run])  # a client that was slow
    await finish(store)
    assert await counts(store, ids) == {"queued": MANY}


async def test_a_run_that_ends_while_it_is_revived(store: Store) -> None:
    """Its last task is cancelled by itself: what has not got its new life by then stays as it is."""
    run, ids = await launch(store, {**WIDE, "last": " ".join(WIDE)})
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", 1]
    for name, task_id in ids.items():
        words += (task_id, MANY, run, "") if name == "last" else (task_id, 0, ids["last"], "")
    for _ in range(2):
        assert (await store.gateway.run("revive", store.shards[0].prefix, words))[0] == b"more"
    await store.tasks.cancel([ids["last"]], RETENTION, "not that one")
    assert await status_of(store, run) == "failed"
    before = await counts(store, ids)
    assert 0 < before["queued"] < MANY
    await finish(store)
    assert await counts(store, ids) == before
    assert [await field(store, run, name) for name in ("revival", "winding")] == [None, None]


async def test_what_was_left_to_be_told_is_not_told_in_the_next_life(store: Store) -> None:
    keys = store.shards[0]
    run, ids = await launch(store, {"a": "", **dict.fromkeys(WIDE, "a")})
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", MANY]
    for name, task_id in ids.items():
        words += (task_id, 0, " ".join(list(ids.values())[1:]), "") if name == "a" else (task_id, 1, run, "")
    assert (await store.gateway.run("revive", keys.prefix, words))[0] == b"more"
    # as if `a` had not told all when its run ended, and so many other runs were looked at that nothing was revived
    await store.gateway.command("HSET", keys.task(ids["a"]), "next", ids["n1"])
    await store.gateway.command("ZADD", keys.untold, RETENTION, ids["a"])
    await store.gateway.command("ZREM", keys.expiring, run)
    await store.upkeep.promote(0, RETENTION)
    assert await field(store, run, "cause") is None
    await store.gateway.command("ZADD", keys.expiring, 1, run)
    await finish(store)
    assert await counts(store, ids) == {"queued": 1, "blocked": MANY}


@pytest.mark.parametrize("garbage", ["", "none", "a 1 -\n"])
async def test_garbage_in_the_place_of_what_is_to_be_revived(store: Store, garbage: str) -> None:
    keys = store.shards[0]
    run, _ = await launch(store, {"a": ""})
    await store.gateway.command("HSET", keys.task(run), "revival", garbage)
    await store.gateway.command("ZADD", keys.expiring, 1, run)
    await finish(store)
    assert await field(store, run, "revival") is None


async def test_marks_of_ends_of_which_nothing_is_left_to_be_told_are_taken_in_steps(store: Store) -> None:
    keys, many = store.shards[0], 4_000
    words = [word for number in range(many) for word in (RETENTION, f"gone-{number}")]
    await store.gateway.command("ZADD", keys.untold, *words)
    first = await store.upkeep.promote(0, RETENTION)
    assert (0 < first.moved < many, first.next_ms) == (True, 0)
    await finish(store)
    assert await store.gateway.command("EXISTS", keys.untold) == 0


async def hold_some(store: Store, run: str, *, pause: bool) -> None:
    """The first step of a client that dies then."""
    reply = await store.gateway.run("hold", store.shards[0].prefix, [run, int(pause), 0])
    assert reply == [b"blocked", 1]


async def test_nothing_of_a_run_starts_from_the_first_step_of_its_pause_on(store: Store) -> None:
    run, ids = await launch(store, {"a": "", "b": "a"} | WIDE)
    (task,) = await claim(store, 1)
    assert task.id == ids["a"]
    await hold_some(store, run, pause=True)
    left = (await counts(store, ids))["queued"]
    assert 0 < left < MANY
    assert await claim(store) == []
    assert (await counts(store, ids)).get("queued", 0) < left  # a claim holds what it finds
    assert await succeed(store, [ids["a"]]) == []
    await finish(store)
    assert await counts(store, ids) == {"succeeded": 1, "blocked": MANY + 1}
    assert await field(store, run, "holding") is None
    assert (await store.upkeep.promote(0, RETENTION)).next_ms is None
    await hold_some(store, run, pause=False)
    assert 0 < (await counts(store, ids))["queued"] < MANY
    await finish(store)
    assert await counts(store, ids) == {"succeeded": 1, "queued": MANY + 1}
    assert await field(store, run, "holding") is None
    assert await claim(store, 1) != []


async def test_items_of_maps_go_on_while_their_run_is_paused(store: Store) -> None:
    run, ids = await launch(store, {"map": ""} | WIDE, fields={"map": {"window": 4}})
    assert [task.id for task in await claim(store, 1)] == [ids["map"]]
    await hold_some(store, run, pause=True)
    item = ItemTask(with_tail(new_id(), tail_of(ids["map"])), "items:5", ENVELOPE)
    assert await store.maps.expand(ids["map"], OWNER, TYPE, 0, [item])
    assert [task.id for task in await claim(store, lanes=(Lane("items", 5),))] == [item.id]


async def test_who_wants_something_else_begins_anew(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    prefix = store.shards[0].prefix
    await hold_some(store, run, pause=True)
    await hold_some(store, run, pause=False)
    assert await store.gateway.run("hold", prefix, [run, 1, 1]) == [b"blocked", 0]  # overtaken
    await finish(store)
    assert await counts(store, ids) == {"queued": MANY}
    assert await store.gateway.run("hold", prefix, [run, 0, 1]) == [b"blocked", 0]  # finished by others
    await store.runs.hold(run, pause=True)
    assert await counts(store, ids) == {"blocked": MANY}
    assert (await store.upkeep.promote(0, RETENTION)).next_ms is None


async def test_a_run_can_be_cancelled_and_repeated_while_it_is_paused(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    await hold_some(store, run, pause=True)
    await store.tasks.cancel([run], RETENTION, "enough")
    assert await field(store, run, "holding") is None
    assert await store.gateway.command("EXISTS", store.shards[0].holding) == 0
    await store.runs.revive(run, MANY, [RevivedTask(task_id, 0, [run]) for task_id in ids.values()])
    await finish(store)
    assert await counts(store, ids) == {"queued": MANY}


async def test_a_run_that_is_paused_while_it_is_revived_starts_nothing(store: Store) -> None:
    run, ids = await launch(store, WIDE)
    await store.tasks.cancel([run], RETENTION, "enough")
    words: list[str | int] = [run, "call", MANY]
    for task_id in ids.values():
        words += (task_id, 0, run, "")
    assert (await store.gateway.run("revive", store.shards[0].prefix, words))[0] == b"more"
    await store.runs.hold(run, pause=True)
    await finish(store)
    assert await counts(store, ids) == {"blocked": MANY}
    await store.runs.hold(run, pause=False)
    assert await counts(store, ids) == {"queued": MANY}


async def test_runs_that_are_held_are_found_again(store: Store) -> None:
    keys = store.shards[0]
    run, ids = await launch(store, WIDE)
    await hold_some(store, run, pause=True)
    await store.gateway.command("DEL", keys.holding)
    found = await store.upkeep.repair(0, [run], LEASE, RETENTION, mend=True)
    assert [finding.id for finding in found] == [run]
    await finish(store)
    assert await counts(store, ids) == {"blocked": MANY}


@pytest.mark.parametrize("garbage", ["-1", "x", "9" * 30, ""])
async def test_garbage_in_the_mark_of_a_pause_stops_nobody(store: Store, garbage: str) -> None:
    keys = store.shards[0]
    run, _ = await launch(store, {"a": ""})
    await store.gateway.command("HSET", keys.task(run), "holding", garbage)
    await store.gateway.command("ZADD", keys.holding, 1, run, 2, "gone")
    await finish(store)
    assert await field(store, run, "holding") is None
    assert await store.gateway.command("EXISTS", keys.holding) == 0
    assert len(await claim(store)) == 1


@pytest.mark.leaves_garbage("a record without its lane")
async def test_one_broken_record_does_not_keep_others_from_their_steps(store: Store) -> None:
    run, ids = await launch(store, {f"n{number}": "" for number in range(30)})
    await store.gateway.command("HDEL", store.shards[0].task(ids["n20"]), "lane")
    await store.tasks.cancel([run], RETENTION, "enough")
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass
    assert {await status_of(store, task_id) for task_id in ids.values()} == {"cancelled"}
