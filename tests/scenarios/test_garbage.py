"""Somebody writes garbage over what the store holds: one task may be lost to it, and never its neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from jobbers import Status, TaskHandle
from jobbers.errors import StoreError
from jobbers.inspector import Inspector
from tests.scenarios.harness import FAILED, PATIENCE, SUCCEEDED, Scene, until

GARBAGE = b"\xff\xfe garbage"


@pytest.fixture(autouse=True)
def harmed(scene: Scene) -> None:
    scene.harmed = True


def _fill(client: redis.Redis, key: str, kind: str) -> None:
    """Put a value of this kind where something else was, with nobody coming in between."""
    with client.pipeline(transaction=True) as both:
        both.delete(key)
        match kind:
            case "string":
                both.set(key, GARBAGE)
            case "list":
                both.rpush(key, GARBAGE)
            case "hash":
                both.hset(key, GARBAGE, GARBAGE)
            case "zset":
                both.zadd(key, {GARBAGE: 1.0})
        both.execute()


async def _settled(
    scene: Scene, victims: Sequence[TaskHandle[Any]], neighbours: Sequence[TaskHandle[Any]]
) -> None:
    """Victims may have become dead letters; their neighbours and everything else are well."""
    assert await scene.final(neighbours) == {SUCCEEDED: len(neighbours)}
    await until(lambda: _in_order(scene), "the store is in order again")
    last = [await scene.submit("note"), await scene.submit("note", delay=0.1), await scene.submit("flaky", 1)]
    assert await scene.final(last) == {SUCCEEDED: 3}
    assert {worker.code for worker in scene.workers} == {None}
    await _lists_work(await scene.inspector())
    for victim in victims:
        record = await victim.record()
        if record.type.startswith("\ufffd") and not record.status.final:  # a type that no worker knows
            assert "does not know task type" in str(record.reason)
            await victim.cancel()
        await victim.wait(PATIENCE)  # not stuck, whatever became of it
        scene.forget(victim)
    await until(lambda: _in_order(scene), "the store is in order again")


async def _in_order(scene: Scene) -> bool:
    inspector = await scene.inspector()
    try:
        return await inspector.check() == [] and not await inspector.store.upkeep.misplaced(0)
    except StoreError:
        return False


async def _lists_work(inspector: Inspector) -> None:
    for status in Status:
        await inspector.tasks(status)
    await inspector.queues()
    await inspector.counts()
    await inspector.stats()
    await inspector.workers()


async def test_queued_records(scene: Scene) -> None:
    tasks = [await scene.submit("note", number) for number in range(12)]
    victims = [tasks.pop(8), tasks.pop(5), tasks.pop(2)]
    with scene.server.client() as client:
        for victim, kind in zip(victims, ("string", "list", "zset"), strict=True):
            _fill(client, f"{scene.prefix}:task:{victim.id}", kind)
    await scene.worker()
    await _settled(scene, victims, tasks)
    for victim in victims:
        assert await victim.status() is FAILED
        assert "garbled" in str((await victim.record()).reason)
        with scene.server.client() as client:
            assert client.exists(f"{scene.prefix}:garbage:{victim.id}")
    assert await (await scene.inspector()).drop_dead([victim.id for victim in victims]) == 3


@pytest.mark.scene(lease=1.0)
async def test_running_records(scene: Scene) -> None:
    await scene.worker()
    tasks = [await scene.submit("nap", 3.0) for _ in range(8)]
    tasks.append(await scene.submit("walk", 30, 0.1))
    victims = [await scene.submit("walk", 30, 0.1), await scene.submit("nap", 3.0)]
    await scene.started(*tasks, *victims)
    with scene.server.client() as client:
        for victim, kind in zip(victims, ("string", "list"), strict=True):
            _fill(client, f"{scene.prefix}:task:{victim.id}", kind)
    await _settled(scene, victims, tasks)
    assert {scene.effects.count("start", task) for task in tasks} == {1}


async def test_fields_of_queued_records(scene: Scene) -> None:
    """One record for each field that garbage can be written into, and sound ones between them."""
    fields = "status type lane created entry env attempt crashes snoozes deadline unique watch due"
    tasks, victims = [], []
    with scene.server.client() as client:
        for field in fields.split():
            tasks.append(await scene.submit("nap", 0.3))
            victims.append(await scene.submit("flaky", 1))
            key = f"{scene.prefix}:task:{victims[-1].id}"
            client.hset(key, mapping={"attempt": "1", "gated": "1", field: GARBAGE})
    await scene.worker()
    await _settled(scene, victims, tasks)
    assert {scene.effects.count("start", task) for task in tasks} == {1}


@pytest.mark.scene(lease=1.0)
async def test_fields_of_running_records(scene: Scene) -> None:
    await scene.worker()
    fields = ["status", "type", "lane", "attempt", "crashes", "owner", "started", "watch", "gated"]
    tasks = [await scene.submit("nap", 2.0) for _ in fields]
    victims = [await scene.submit("nap", 2.0) for _ in fields]
    await scene.started(*tasks, *victims)
    with scene.server.client() as client:
        for victim, field in zip(victims, fields, strict=True):
            client.hset(f"{scene.prefix}:task:{victim.id}", field, GARBAGE)
    await _settled(scene, victims, tasks)
    assert {scene.effects.count("start", task) for task in tasks} == {1}


async def test_long_arguments(scene: Scene) -> None:
    tasks = [await scene.submit("note", "x" * 500) for _ in range(9)]
    victims = [tasks.pop(6), tasks.pop(3)]
    with scene.server.client() as client:
        for victim, kind in zip(victims, ("list", "hash"), strict=True):
            _fill(client, f"{scene.prefix}:args:{victim.id}", kind)
    await scene.worker()
    assert await scene.final(victims) == {FAILED: 2}
    for victim in victims:
        assert "cannot be read" in str((await victim.record()).reason)
        with scene.server.client() as client:
            assert client.exists(f"{scene.prefix}:args:{victim.id}")  # kept with the dead letter
    await _settled(scene, victims, tasks)
    assert {scene.effects.count("start", task) for task in tasks} == {1}


@pytest.mark.scene(lease=1.0)
@pytest.mark.parametrize(
    "name", ["due", "leases", "dead", "lanes", "paused", "recent", "lane:default:5", "duty:upkeep"]
)
async def test_an_index(scene: Scene, name: str) -> None:
    """It is filled again from the records. What only it knew, as which queues were paused, is gone."""
    await scene.worker(crash_budget=9)
    dead = await scene.app.task_types["say"].submit("fail", "gone")
    await dead.wait(PATIENCE)
    running = [await scene.submit("nap", 1.5) for _ in range(5)]
    scheduled = [await scene.submit("note", delay=1.0) for _ in range(5)]
    await scene.started(*running)
    with scene.server.client() as client:
        _fill(client, f"{scene.prefix}:{name}", "hash" if name in ("due", "lanes", "recent") else "string")
    await _settled(scene, [dead], [*running, *scheduled])
    assert await scene.final(await scene.map("note", range(5))) == {SUCCEEDED: 5}
    assert (await (await scene.inspector()).counts())["dead"] >= 1


async def test_members_of_indexes_that_are_no_ids(scene: Scene) -> None:
    await scene.worker()
    with scene.server.client() as client:
        for name in ("due", "leases", "dead"):
            client.zadd(
                f"{scene.prefix}:{name}", {GARBAGE: 1.0, "junk": 2.0, "01ARZ3NDEKTSV4RRFFQ69G5FAV": 3.0}
            )
        client.sadd(f"{scene.prefix}:lanes", GARBAGE, "junk", "default:x", "default:99999")
        client.xadd(f"{scene.prefix}:lane:default:5", {"id": "junk", "more": "fields"})
        client.xadd(f"{scene.prefix}:lane:default:5", {GARBAGE: GARBAGE})
        client.set(f"{scene.prefix}:task:junk", GARBAGE)
        client.hset(f"{scene.prefix}:task:rubbish", "status", "queued")
        minute = int(client.time()[0]) // 60
        client.hset(f"{scene.prefix}:stats:{minute}", mapping={GARBAGE: GARBAGE, "a|b": "1", "a|b|c": "x"})
    tasks = await scene.map("note", range(10))
    await _lists_work(await scene.inspector())
    await _settled(scene, [], tasks)


async def test_the_guard_of_the_upkeep_without_an_end(scene: Scene) -> None:
    """A guard that never ends would keep everybody from the upkeep."""
    with scene.server.client() as client:
        client.set(f"{scene.prefix}:duty:upkeep", "somebody")
    await scene.worker()
    task = await scene.submit("note", delay=0.2)
    assert await task.wait(PATIENCE) is SUCCEEDED


@pytest.mark.parametrize("what", ["lane", "group", "lanes", "entries"])
async def test_streams_and_groups_that_are_deleted(scene: Scene, what: str) -> None:
    """The records are the truth: what they say is put back."""
    tasks = await scene.map("note", range(10))
    key = f"{scene.prefix}:lane:default:5"
    with scene.server.client() as client:
        match what:
            case "lane":
                client.delete(key)
            case "group":
                client.xgroup_destroy(key, "workers")
            case "lanes":
                client.delete(f"{scene.prefix}:lanes")
            case "entries":
                entries = client.xrange(key)
                client.xdel(key, entries[3][0], entries[7][0])
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: 10}
    with scene.server.client() as client:
        client.delete(key)
    await asyncio.sleep(0.1)
    assert await scene.final(await scene.map("note", range(10))) == {SUCCEEDED: 10}
