"""Garbage in every field and member of every key, one at a time, under a running worker, the API and the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from jobbers import Jobbers, Retry, Status
from jobbers.api import create_app
from jobbers.doctor import examine
from jobbers.testing import running_worker
from jobbers.testing.keyspace import fresh_namespace
from tests.api.support import call
from tests.scenarios.harness import PATIENCE, until

pytestmark = [pytest.mark.anyio, pytest.mark.leaves_garbage("that is what is tried")]

VALUES = (b"", b"\xff\xfe\x00 garbage", b"9" * 400, b"-1", b"nan", b"1e400", b"[1]", b"x" * 100_000)
SCORES = (0.0, -1.0, 1e300, float("inf"), float("-inf"))
MEMBERS = (b"", b"\xff\xfe\x00", b"junk", b"x" * 10_000)
PARTS = 8


@pytest.fixture
async def app(jobbers_server: str, tmp_path: Path) -> AsyncIterator[Jobbers]:
    app = Jobbers(
        jobbers_server,
        namespace=fresh_namespace(),
        poll_interval=0.2,
        lease=5.0,
        grace=0.5,
        blob_dir=tmp_path,
    )

    @app.task
    async def stay(seconds: int) -> None:
        await asyncio.sleep(600 * seconds)

    @app.task
    async def note(value: Any = None) -> Any:
        return value

    @app.task
    async def hang() -> None:
        await asyncio.sleep(600)

    @app.task
    async def breaks(message: str) -> None:
        raise RuntimeError(message)

    @app.task(retry=Retry(attempts=2, delay=600))
    async def fails(message: str) -> None:
        raise RuntimeError(message)

    async with app:
        yield app


async def population(app: Jobbers) -> dict[Status, str]:
    """A task in each status, long and short, with everything that a record may hold."""
    types = app.task_types
    ids = {
        Status.SUCCEEDED: (await types["note"].submit("y" * 300)).id,
        Status.FAILED: (await types["breaks"].submit("no " * 90)).id,
        Status.RUNNING: (await types["hang"].submit()).id,
    }
    ids[Status.SCHEDULED] = (await types["fails"].submit("not yet")).id
    ids[Status.QUEUED] = (
        await types["note"].options(queue="nobody", unique="k", deadline=900).submit("z" * 300)
    ).id
    ids[Status.CANCELLED] = (await types["note"].options(delay=900).submit()).id
    await app.handle(ids[Status.CANCELLED]).cancel()
    dag = app.dag("stays", deadline=900)
    dag.map(types["stay"], [0, 1])
    run = await dag.submit()
    ids[Status.BLOCKED] = run.id

    async def half_done() -> bool:
        (node,) = await run.nodes()
        return node.items == (2, 1, 1)

    await until(half_done, "a map is half done")
    for status, task_id in ids.items():

        async def there(task_id: str = task_id, status: Status = status) -> bool:
            return await app.handle(task_id).status() is status

        await until(there, f"a task is {status}")
    return ids


def harms(client: redis.Redis, key: bytes) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What garbage can be written into a key: a word on it, and the command."""
    kind = client.type(key)
    if kind == b"hash":
        for field in client.hkeys(key):
            yield from ((f"{field!r} {value[:9]!r}", ("HSET", key, field, value)) for value in VALUES)
            yield f"{field!r} gone", ("HDEL", key, field)
        yield "unknown field", ("HSET", key, MEMBERS[1], MEMBERS[1])
    elif kind == b"zset":
        for member in client.zrange(key, 0, 0):
            yield from ((f"score {score}", ("ZADD", key, score, member)) for score in SCORES)
        yield from ((f"member {member[:9]!r}", ("ZADD", key, 1, member)) for member in MEMBERS)
    elif kind == b"set":
        yield from ((f"member {member[:9]!r}", ("SADD", key, member)) for member in MEMBERS)
    elif kind == b"list":
        yield from ((f"item {value[:9]!r}", ("LPUSH", key, value)) for value in VALUES)
    elif kind == b"stream":
        yield from ((f"entry {value[:9]!r}", ("XADD", key, "*", value, value)) for value in MEMBERS)
        yield "entry of three", ("XADD", key, "*", "a", "b", "id", "junk")
    for value in (VALUES[0], VALUES[1]):
        yield f"a string {value[:9]!r}", ("SET", key, value)
    yield "nothing", ("DEL", key)


LISTS = ("/tasks", "/runs", "/queues", "/dead-letters")
OTHERS = ("/workers", "/task-types", "/health", "/ready")


def paths(ids: dict[Status, str]) -> list[str]:
    """Everything that can be read."""
    each = [path for task_id in ids.values() for path in of_task(task_id)]
    return [*LISTS, *OTHERS, f"/runs/{ids[Status.BLOCKED]}", *map(of_status, Status), *each]


def paths_that_read(key: bytes, ids: dict[Status, str]) -> list[str]:
    """Everything that reads a key: a record is read by lists, by its task's own paths and by the run's; another key by
    whatever there is. Records have most of the fields, and a look at everything costs much more than the harm."""
    before, _, task_id = key.decode().rpartition(":")
    if not before.endswith(":task"):
        return paths(ids)
    statuses = [status for status, other in ids.items() if other == task_id] or list(Status)
    return [*LISTS, f"/runs/{ids[Status.BLOCKED]}", *map(of_status, statuses), *of_task(task_id)]


def of_status(status: Status) -> str:
    return f"/tasks?status={status.value}"


def of_task(task_id: str) -> tuple[str, str]:
    return f"/tasks/{task_id}", f"/tasks/{task_id}/result?wait=0"


async def look(api: httpx2.AsyncClient, paths: list[str], what: str) -> None:
    """All of these are read; none of it may break."""
    for path in paths:
        response = await api.get(path)
        assert response.status_code < 500 or path == "/ready", f"{what}: GET {path}: {response.text[:300]}"


@pytest.mark.slow
@pytest.mark.timeout(600)  # nothing but work: half a minute alone, three where it has a sixth of a processor
@pytest.mark.parametrize("part", range(PARTS))
async def test_nothing_breaks(app: Jobbers, jobbers_server: str, part: int) -> None:
    """One key in so many: their names sort alike in each part."""
    found: list[str] = []
    with redis.Redis.from_url(jobbers_server, protocol=2) as client:
        async with running_worker(app, concurrency=20) as worker, call(create_app(app)) as api:
            ids = await population(app)
            keys = sorted(key for key in client.scan_iter(match=f"{{{app.settings.namespace}*", count=1000))
            assert {b"hash", b"zset", b"set", b"list", b"stream", b"string"} <= {
                client.type(key) for key in keys
            }
            for key in keys[part::PARTS]:
                reads = paths_that_read(key, ids)
                for word, command in list(harms(client, key)):
                    what = f"{key.decode()} {word}"
                    whole = client.dump(key)
                    life = max(0, client.pttl(key))
                    if command[0] == "SET":
                        client.delete(key)
                    with suppress(redis.ResponseError):
                        client.execute_command(*command)
                    try:
                        await look(api, paths(ids) if command[0] in ("SET", "DEL") else reads, what)
                        await examine(await app.inspector(), app.settings.durability)
                        task = await app.task_types["note"].submit(what)
                        assert await task.result(PATIENCE) == what
                    except Exception as error:
                        found.append(f"{what}: {type(error).__name__}: {error}")
                    if whole is not None:
                        client.restore(key, life, whole, replace=True)
            await examine(await app.inspector(), app.settings.durability, repair=True)
            assert worker.ready.is_set()
    assert not found, "\n".join(found)
