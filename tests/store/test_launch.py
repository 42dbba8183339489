"""launch.lua, and how the ends of tasks move a run on."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.client import new_id
from jobbers.core.payload import Ref
from jobbers.core.status import Status
from jobbers.errors import Conflict, NotFound
from jobbers.store.runs import RevivedTask
from jobbers.store.store import Store
from tests.store.kit import (
    ANOTHER,
    OWNER,
    RETENTION,
    Edges,
    changes,
    claim,
    fail,
    field,
    launch,
    snapshot,
    status_of,
    succeed,
)

pytestmark = pytest.mark.anyio

DIAMOND: Edges = {"a": "", "b": "a", "c": "a", "d": "b c"}


async def stands(store: Store, ids: dict[str, str]) -> dict[str, str]:
    return {name: await status_of(store, task_id) for name, task_id in ids.items()}


async def end(store: Store, *ids: str) -> None:
    """Claim all that is ready and let these succeed."""
    await claim(store)
    assert await succeed(store, list(ids)) == []


async def test_it_is_there_whole_and_its_roots_are_ready(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    assert await stands(store, ids) == {"a": "queued", "b": "blocked", "c": "blocked", "d": "blocked"}
    assert await status_of(store, run) == "blocked"
    plan = await store.runs.plan(run)
    assert plan.name == "test"
    assert [node.name for node in plan.nodes] == ["a", "b", "c", "d"]
    assert plan.output == Ref(ids["d"])
    assert [task.id for task in await claim(store)] == [ids["a"]]
    records = await store.inspect.records(list(ids.values()))
    assert [record.arguments for record in records if record] == [
        ["someone"],
        ["x" * 200],
        ["someone"],
        ["someone"],
    ]


async def test_one_that_exists_is_left_alone(store: Store) -> None:
    run, _ = await launch(store, DIAMOND)
    before = await snapshot(store)
    await launch(store, DIAMOND, run)
    assert await changes(store, before) == {}


async def test_each_end_moves_it_on_once(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await end(store, ids["a"])
    assert await stands(store, ids) == {"a": "succeeded", "b": "queued", "c": "queued", "d": "blocked"}
    await end(store, ids["b"])
    assert await succeed(store, [ids["b"]]) == []  # sent again
    assert await succeed(store, [ids["a"]], ANOTHER) == [ids["a"]]  # a zombie's
    assert await status_of(store, ids["d"]) == "blocked"
    assert await succeed(store, [ids["c"]]) == []
    assert await status_of(store, ids["d"]) == "queued"
    await end(store, ids["d"])
    assert await status_of(store, run) == "succeeded"


async def test_several_that_end_in_one_call_start_their_child_once(store: Store) -> None:
    _, ids = await launch(store, DIAMOND)
    await end(store, ids["a"])
    await end(store, ids["b"], ids["c"])
    assert [task.id for task in await claim(store)] == [ids["d"]]


async def test_what_needs_a_failed_one_is_skipped_and_the_run_fails(store: Store) -> None:
    run, ids = await launch(store, DIAMOND | {"e": "d", "aside": ""})
    await end(store, ids["a"])
    await claim(store)
    assert await fail(store, [ids["b"]]) == []
    assert (await stands(store, ids))["d"] == "blocked"  # c runs still
    assert await succeed(store, [ids["c"], ids["aside"]]) == []
    found = await stands(store, ids)
    assert found == {
        "a": "succeeded", "b": "failed", "c": "succeeded", "d": "skipped", "e": "skipped", "aside": "succeeded",
    }  # fmt: skip
    assert await status_of(store, run) == "failed"
    assert await field(store, run, "reason") == "node b did not succeed: broke"


async def test_one_that_waits_for_the_end_only_starts_whatever_it_was(store: Store) -> None:
    run, ids = await launch(store, {"a": "", "b": "a", "clean": "b"}, all_done="clean")
    await claim(store)
    assert await fail(store, [ids["a"]]) == []
    assert await stands(store, ids) == {"a": "failed", "b": "skipped", "clean": "queued"}
    await end(store, ids["clean"])
    assert await status_of(store, run) == "failed"


async def test_results_stay_as_long_as_the_run_and_go_with_it(store: Store) -> None:
    _, ids = await launch(store, {"a": "", "b": "a"})
    key = store.shards[0].task(ids["a"])
    await end(store, ids["a"])
    assert await store.gateway.command("PTTL", key) == -1
    assert await store.upkeep.repair_all(0, 1000, RETENTION, mend=False) == []
    await end(store, ids["b"])
    assert 0 < await store.gateway.command("PTTL", key) <= RETENTION


async def test_cancelled_whole(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await end(store, ids["a"])
    await claim(store, 1)
    assert await store.tasks.cancel([run], RETENTION, "enough") == {run: Status.BLOCKED}
    assert await stands(store, ids) == {
        "a": "succeeded",
        "b": "cancelled",
        "c": "cancelled",
        "d": "cancelled",
    }
    assert await status_of(store, run) == "cancelled"
    assert await succeed(store, [ids["b"]]) == [ids["b"]]
    assert await claim(store) == []


async def test_a_cancelled_task_fails_its_run(store: Store) -> None:
    run, ids = await launch(store, {"a": "", "b": "a"})
    await store.tasks.cancel([ids["a"]], RETENTION, "not this one")
    assert await stands(store, ids) == {"a": "cancelled", "b": "skipped"}
    assert await status_of(store, run) == "failed"


async def test_a_task_that_was_poison_fails_its_run(store: Store) -> None:
    run, ids = await launch(store, {"a": "", "b": "a"})
    await claim(store)
    await store.upkeep.reclaim_owner(0, OWNER, 0, RETENTION, crashed=True)
    assert await stands(store, ids) == {"a": "failed", "b": "skipped"}
    assert await status_of(store, run) == "failed"


async def test_a_second_life_of_a_task_does_not_move_the_run_again(store: Store) -> None:
    _, ids = await launch(store, {"a": "", "b": "", "c": "a b"})
    await claim(store)
    assert await fail(store, [ids["a"]]) == []
    await store.tasks.requeue({ids["a"]: b""}, "again")
    await end(store, ids["a"])
    assert await status_of(store, ids["c"]) == "blocked"  # b runs still
    assert await succeed(store, [ids["b"]]) == []
    assert await status_of(store, ids["c"]) == "skipped"


async def test_a_run_is_no_task_that_could_be_requeued(store: Store) -> None:
    run, ids = await launch(store, {"a": ""})
    await claim(store)
    assert await fail(store, [ids["a"]]) == []
    assert await store.tasks.requeue({run: b""}, "again") == {run: Status.FAILED}
    assert await status_of(store, run) == "failed"


async def test_a_long_chain_is_skipped_step_by_step(store: Store) -> None:
    names = [f"n{number}" for number in range(2000)]
    edges = {name: names[place - 1] if place else "" for place, name in enumerate(names)}
    run, ids = await launch(store, edges)
    await claim(store)
    assert await fail(store, [ids["n0"]]) == []
    assert await status_of(store, ids["n1"]) == "skipped"
    assert await status_of(store, ids["n1999"]) == "blocked"  # what one script may do was spent
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass
    assert await status_of(store, ids["n1999"]) == "skipped"
    assert await status_of(store, run) == "failed"


async def test_what_is_no_run(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no run"):
        await store.runs.plan(new_id())


async def revive(store: Store, run: str, ids: dict[str, str], edges: Edges) -> None:
    """What a handle does: those that did not succeed run again."""
    again = {name for name, status in (await stands(store, ids)).items() if status != "succeeded"}
    ends = [name for name in edges if not any(name in parents.split() for parents in edges.values())]
    tasks = [
        RevivedTask(ids[name], len(again.intersection(parents.split())), [
            *(ids[child] for child in again if name in edges[child].split()), *([run] if name in ends else []),
        ] if name in again else [])
        for name, parents in edges.items()
    ]  # fmt: skip
    await store.runs.revive(run, len(again.intersection(ends)), tasks)


async def test_a_failed_run_is_repeated_from_where_it_broke(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await end(store, ids["a"])
    await claim(store)
    assert await fail(store, [ids["b"]]) == []
    assert await succeed(store, [ids["c"]]) == []
    assert await status_of(store, run) == "failed"
    await revive(store, run, ids, DIAMOND)
    assert await stands(store, ids) == {"a": "succeeded", "b": "queued", "c": "succeeded", "d": "blocked"}
    assert await status_of(store, run) == "blocked"
    assert await store.gateway.command("PTTL", store.shards[0].task(ids["a"])) == -1
    await end(store, ids["b"])
    assert [task.attempt for task in await claim(store)] == [1]
    assert await succeed(store, [ids["d"]]) == []
    assert await status_of(store, run) == "succeeded"
    assert await field(store, run, "reason") is None


async def test_a_cancelled_run_is_repeated(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await store.tasks.cancel([run], RETENTION, "enough")
    await revive(store, run, ids, DIAMOND)
    assert await stands(store, ids) == {"a": "queued", "b": "blocked", "c": "blocked", "d": "blocked"}
    await end(store, ids["a"])
    await end(store, ids["b"], ids["c"])
    await end(store, ids["d"])
    assert await status_of(store, run) == "succeeded"


async def test_a_paused_run_starts_nothing(store: Store) -> None:
    run, ids = await launch(store, DIAMOND | {"aside": ""})
    assert [task.id for task in await claim(store, 1)] == [ids["a"]]
    await store.runs.hold(run, pause=True)
    before = await snapshot(store)
    await store.runs.hold(run, pause=True)
    assert await changes(store, before) == {}
    assert await succeed(store, [ids["a"]]) == []
    assert await claim(store) == []
    assert await stands(store, ids) == {
        "a": "succeeded", "b": "blocked", "c": "blocked", "d": "blocked", "aside": "blocked",
    }  # fmt: skip
    await store.runs.hold(run, pause=False)
    assert {task.id for task in await claim(store)} == {ids["b"], ids["c"], ids["aside"]}
    assert await succeed(store, [ids["b"], ids["c"], ids["aside"]]) == []
    await end(store, ids["d"])
    assert await status_of(store, run) == "succeeded"
    with pytest.raises(Conflict, match="has ended as succeeded"):
        await store.runs.hold(run, pause=True)
    with pytest.raises(NotFound, match="there is no run"):
        await store.runs.hold(new_id(), pause=True)


async def test_a_paused_run_is_cancelled(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await store.runs.hold(run, pause=True)
    await store.tasks.cancel([run], RETENTION, "enough")
    assert set((await stands(store, ids)).values()) == {"cancelled"}


async def test_a_run_whose_deadline_has_passed_fails_with_what_is_left(store: Store) -> None:
    run, ids = await launch(store, DIAMOND, deadline_ms=1)
    in_time, others = await launch(store, {"a": ""}, deadline_ms=60_000)
    await end(store, ids["a"])
    await claim(store, 1)
    await asyncio.sleep(0.01)
    moved, next_ms = await store.upkeep.promote(0, RETENTION)
    assert moved == 1
    assert next_ms is not None
    assert 50_000 < next_ms <= 60_000
    assert await stands(store, ids) == {
        "a": "succeeded",
        "b": "cancelled",
        "c": "cancelled",
        "d": "cancelled",
    }
    assert await field(store, run, "reason") == "its deadline has passed"
    assert await succeed(store, [ids["b"]]) == [ids["b"]]
    await end(store, others["a"])
    assert await status_of(store, in_time) == "succeeded"
    assert await store.upkeep.promote(0, RETENTION) == (0, None)


async def test_a_run_that_succeeded_is_repeated_from_a_node(store: Store) -> None:
    run, ids = await launch(store, DIAMOND)
    await end(store, ids["a"])
    await end(store, ids["b"], ids["c"])
    await end(store, ids["d"])
    tasks = [
        RevivedTask(ids["a"], 0, []), RevivedTask(ids["b"], 0, []),
        RevivedTask(ids["c"], 0, [ids["d"]]), RevivedTask(ids["d"], 1, [run]),
    ]  # fmt: skip
    await store.runs.revive(run, 1, tasks)
    assert await stands(store, ids) == {"a": "succeeded", "b": "succeeded", "c": "queued", "d": "blocked"}
    await end(store, ids["c"])
    await end(store, ids["d"])
    assert await status_of(store, run) == "succeeded"


async def test_runs_are_listed_and_forgotten_with_their_records(store: Store) -> None:
    runs = [(await launch(store, {"a": ""}))[0] for _ in range(3)]
    page = await store.inspect.list_runs(None, 2)
    rest = await store.inspect.list_runs(page.cursor, 2)
    assert sorted([*page.ids, *rest.ids]) == sorted(runs)
    await store.tasks.cancel(runs, RETENTION, "enough")
    assert await store.upkeep.forget_gone(0) == 0
    await store.gateway.command("DEL", store.shards[0].task(runs[0]))
    assert await store.upkeep.forget_gone(0) == 1
    assert sorted((await store.inspect.list_runs(None, 9)).ids) == sorted(runs[1:])


async def test_what_cannot_be_repeated_stays_as_it_is(store: Store) -> None:
    edges = {"a": "", "b": "a"}
    run, ids = await launch(store, edges)
    with pytest.raises(Conflict, match="has not ended"):
        await revive(store, run, ids, edges)
    await claim(store)
    assert await fail(store, [ids["a"]]) == []
    await store.tasks.requeue({ids["a"]: b""}, "by itself")
    before = await snapshot(store)
    with pytest.raises(Conflict, match="is under way by itself"):
        await revive(store, run, ids, edges)
    assert await changes(store, before) == {}
    await end(store, ids["a"])
    await revive(store, run, ids, edges)  # b was skipped, and a has succeeded meanwhile
    await end(store, ids["b"])
    assert await status_of(store, run) == "succeeded"
    other, others = await launch(store, edges)
    await store.tasks.cancel([other], RETENTION, "enough")
    await store.gateway.command("DEL", store.shards[0].task(others["a"]))
    with pytest.raises(NotFound, match="has expired"):
        await revive(store, other, others, edges)
