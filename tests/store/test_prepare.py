"""prepare.lua and launch.lua: runs of many tasks, launched in several calls."""

from __future__ import annotations

from typing import Any

import pytest

from jobbers.client import new_id
from jobbers.core.ids import tail_of, with_tail
from jobbers.core.payload import pack
from jobbers.core.status import Status
from jobbers.errors import ServerUnavailable
from jobbers.store import runs
from jobbers.store.runs import KEPT_MS
from jobbers.store.store import Store
from jobbers.store.wire import Argument
from jobbers.testing.audit import audit_store
from tests.store.kit import (
    ENVELOPE,
    LANE,
    LONG_ENVELOPE,
    RETENTION,
    TYPE,
    Edges,
    changes,
    claim,
    field,
    lasting,
    launch,
    snapshot,
    status_of,
    succeed,
)

pytestmark = pytest.mark.anyio

EDGES: Edges = {"a": "", "b": "", "c": "a b", "d": "", "e": "d"}


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PART", 2)


async def prepare(store: Store, run: str, *tasks: tuple[str, int, bytes]) -> int:
    """The first call of a client that dies then: tasks, for how many each waits, and their envelopes."""
    words: list[Argument] = [run, KEPT_MS]
    for task_id, waits, envelope in tasks:
        words += (task_id, TYPE, str(LANE), envelope, waits, run, "name", "all_succeeded", "")
    return int(await store.gateway.run("prepare", store.shards[0].prefix, words))


async def launch_prepared(store: Store, run: str, *ids: str) -> bytes:
    """The last call of a client."""
    plan = pack(["test", [], list(ids)])
    words: list[Argument] = [run, "run.test", ENVELOPE, plan, pack(None), len(ids), "", 0, " ".join(ids)]
    return bytes(await store.gateway.run("launch", store.shards[0].prefix, words))


def named(run: str, count: int = 1) -> list[str]:
    return [with_tail(new_id(), tail_of(run)) for _ in range(count)]


async def test_it_is_there_whole_and_runs_to_its_end(store: Store) -> None:
    run, ids = await launch(store, EDGES)
    assert await status_of(store, run) == "blocked"
    assert await field(store, run, "holding") is None
    assert await audit_store(store) == []
    assert [task.id for task in await claim(store)] == [ids[name] for name in "abd"]
    assert [await status_of(store, ids[name]) for name in "ce"] == ["blocked"] * 2
    assert await succeed(store, [ids[name] for name in "abd"]) == []
    await claim(store)
    assert await succeed(store, [ids["c"], ids["e"]]) == []
    assert await status_of(store, run) == "succeeded"


async def test_one_that_exists_is_left_alone(store: Store) -> None:
    run, _ = await launch(store, EDGES)
    before = await snapshot(store)
    await launch(store, EDGES, run)
    assert await changes(store, before) == {}


async def test_what_is_not_launched_does_not_start_and_goes_by_itself(store: Store) -> None:
    run = new_id()
    short, long = named(run, 2)
    assert await prepare(store, run, (short, 0, ENVELOPE), (long, 0, LONG_ENVELOPE)) == 1
    keys = store.shards[0]
    assert await claim(store) == []
    lives = [
        await store.gateway.command("PTTL", key)
        for key in (keys.task(short), keys.task(long), keys.args(long))
    ]
    assert lives == [lasting(KEPT_MS)] * 3
    assert await audit_store(store) == []
    assert await store.upkeep.repair(0, [short, long], 1000, RETENTION, mend=True) == []


async def test_it_goes_on_without_its_client(store: Store) -> None:
    run = new_id()
    ids = named(run, 3)
    await prepare(store, run, *((task_id, 0, LONG_ENVELOPE) for task_id in ids))
    assert await launch_prepared(store, run, *ids) == b"more"
    assert await launch_prepared(store, run, *ids) == b"more"  # sent again
    assert await prepare(store, run, (ids[0], 0, ENVELOPE)) == 0
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass
    assert [task.id for task in await claim(store)] == ids
    assert await audit_store(store) == []
    assert await launch_prepared(store, run, *ids) == b"done"


async def test_what_is_launched_is_so_though_the_server_goes_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.gateway.run

    async def away(name: str, *args: Any, **options: Any) -> Any:
        if name == "hold":
            raise ServerUnavailable("it is away")
        return await run(name, *args, **options)

    monkeypatch.setattr(store.gateway, "run", away)
    launched, ids = await launch(store, EDGES)
    assert await field(store, launched, "holding") is not None
    monkeypatch.undo()
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass
    assert [task.id for task in await claim(store)] == [ids[name] for name in "abd"]


async def test_what_took_too_long_is_made_again(store: Store) -> None:
    run = new_id()
    ids = named(run, 2)
    await prepare(store, run, *((task_id, 0, ENVELOPE) for task_id in ids))
    await store.gateway.command("DEL", store.shards[0].task(ids[0]))
    before = await snapshot(store)
    assert await launch_prepared(store, run, *ids) == b"gone"
    assert await changes(store, before) == {}
    await prepare(store, run, *((task_id, 0, ENVELOPE) for task_id in ids))
    assert await launch_prepared(store, run, *ids) == b"more"


async def test_it_is_paused_and_cancelled_before_all_of_it_is_let_go(store: Store) -> None:
    run = new_id()
    ids = named(run, 3)
    await prepare(store, run, *((task_id, 0, ENVELOPE) for task_id in ids))
    await launch_prepared(store, run, *ids)
    await store.runs.hold(run, pause=True)
    assert await claim(store) == []
    await store.runs.hold(run, pause=False)
    assert [task.id for task in await claim(store, 2)] == ids[:2]
    assert await store.tasks.cancel([run], RETENTION, "enough") == {run: Status.BLOCKED}
    assert [await status_of(store, task_id) for task_id in ids] == ["cancelled"] * 3


async def test_what_is_not_launched_yet_cannot_be_cancelled(store: Store) -> None:
    """Nobody could tell the run of that end, and it would wait for it for ever."""
    run = new_id()
    ids = named(run, 2)
    await prepare(store, run, *((task_id, 0, ENVELOPE) for task_id in ids))
    assert await store.tasks.cancel([ids[0]], RETENTION, "enough") == {ids[0]: None}
    await launch_prepared(store, run, *ids)
    while (await store.upkeep.promote(0, RETENTION)).moved:
        pass
    assert [task.id for task in await claim(store)] == ids
    await succeed(store, ids)
    assert await status_of(store, run) == "succeeded"
