"""Seeds for the tests of scripts: tasks in every status, and comparisons of the whole keyspace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from jobbers.client import new_id
from jobbers.core.ids import tail_of, with_tail
from jobbers.core.lanes import Lane
from jobbers.core.payload import Ref, pack_envelope
from jobbers.core.status import TRANSITIONS, Event, Status
from jobbers.core.task import Claimed, Placement, TaskSpec
from jobbers.store.inbox import Inbox
from jobbers.store.runs import LaunchedTask, StoredNode, StoredPlan
from jobbers.store.store import Store
from jobbers.store.tasks import Failure, Postponement, Retrial, Skipping, Success
from jobbers.testing.keyspace import read_keyspace

LANE = Lane("mail", 5)
TYPE = "send"
ENVELOPE = pack_envelope(["someone"], {}, None)
LONG_ENVELOPE = pack_envelope(["x" * 200], {}, None)
OWNER = "worker-1/aaaaaaaa"
ANOTHER = "worker-2/bbbbbbbb"
MINUTE = 60_000
LEASE = 10_000
RETENTION = 60 * MINUTE
FAILED_RETENTION = 24 * 60 * MINUTE
GARBAGE = b"\xff\xfe garbage"

Test = TypeVar("Test", bound=Callable[..., Any])


class Near:
    """Equals a time in ms that lies about ``offset`` ms from now; or, for what lives on, a length of about ``offset``."""

    TOLERANCE = 15_000

    def __init__(self, offset: float = 0, *, length: bool = False) -> None:
        self._offset = offset
        self._length = length

    def __eq__(self, other: object) -> bool:
        if other is None or other is GONE:
            return False
        expected = self._offset if self._length else time.time() * 1000 + self._offset
        return abs(float(str(other)) - expected) < self.TOLERANCE

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<about {self._offset} ms>" if self._length else f"<now {self._offset:+} ms>"


class _Gone:
    def __repr__(self) -> str:
        return "GONE"


GONE = _Gone()
NOW = Near()


def lasting(milliseconds: float) -> Near:
    """How long a key still has to live."""
    return Near(milliseconds, length=True)


def statuses_without(event: Event) -> list[Status]:
    """The statuses in which ``event`` must not happen."""
    return [status for status in Status if status not in TRANSITIONS[event].sources]


# Tasks


def placement(**changes: Any) -> Placement:
    """Where test tasks go."""
    return Placement(**{"type": TYPE, "queue": LANE.queue, "priority": LANE.priority, **changes})


async def submit(
    store: Store, *, envelope: bytes = ENVELOPE, id: str | None = None, gates: str = "", **changes: Any
) -> str:
    """Submit one task; returns its id."""
    where = placement(**changes)
    task_id = id or new_id(where.unique_key or None)
    await store.tasks.submit([TaskSpec(task_id, where, envelope, gates)])
    return task_id


async def claim(
    store: Store,
    count: int = 100,
    *,
    owner: str = OWNER,
    lanes: tuple[Lane, ...] = (LANE,),
    lease_ms: int = LEASE,
) -> list[Claimed]:
    """Claim from the lanes of shard 0."""
    return await store.tasks.claim(0, owner, lanes, count, lease_ms, FAILED_RETENTION)


async def claimed(store: Store, *, owner: str = OWNER, **changes: Any) -> str:
    """Submit a task and claim it; returns its id."""
    task_id = await submit(store, **changes)
    taken = await claim(store, owner=owner)
    assert task_id in [task.id for task in taken]
    return task_id


async def put(store: Store, status: Status, **changes: Any) -> str:
    """A task that :data:`OWNER` has claimed and that has come to ``status`` since; returns its id."""
    task_id = await claimed(store, **changes)
    match status:
        case Status.RUNNING:
            pass
        case Status.SCHEDULED:
            assert await store.tasks.retry(0, [Retrial(task_id, OWNER, MINUTE, "seed", b"")]) == []
        case Status.QUEUED:
            assert await store.tasks.release([(task_id, OWNER)], "seed") == []
        case Status.SUCCEEDED:
            assert await store.tasks.succeed(0, [Success(task_id, OWNER, RETENTION, "result", b"\xc0")]) == []
        case Status.FAILED:
            assert await store.tasks.fail(0, [Failure(task_id, OWNER, FAILED_RETENTION, "seed", b"")]) == []
        case Status.CANCELLED:
            await store.tasks.cancel([task_id], RETENTION, "seed")
        case Status.BLOCKED:  # no script makes blocked and skipped tasks yet
            await store.gateway.command("ZREM", store.shards[0].leases, task_id)
            await store.gateway.command("HSET", store.shards[0].task(task_id), "status", status)
        case Status.SKIPPED:
            await store.tasks.cancel([task_id], RETENTION, "seed")
            await store.gateway.command("HSET", store.shards[0].task(task_id), "status", status)
    assert await status_of(store, task_id) == status
    return task_id


async def status_of(store: Store, task_id: str) -> str:
    """What the record says."""
    return str((await field(store, task_id, "status")) or "")


async def field(store: Store, task_id: str, name: str) -> str | None:
    """One field of a record."""
    value = await store.gateway.command("HGET", store.shards[0].task(task_id), name)
    return None if value is None else value.decode()


# Runs

Edges = dict[str, str]
"""By node: the nodes that it waits for, separated by spaces."""


async def launch(
    store: Store,
    edges: Edges,
    run: str | None = None,
    *,
    all_done: str = "",
    triggers: Mapping[str, str] = MappingProxyType({}),
    fields: Mapping[str, Mapping[str, str | int]] = MappingProxyType({}),
    owner: str = "",
    deadline_ms: int = 0,
) -> tuple[str, dict[str, str]]:
    """Launch a run; returns its id and the ids of its nodes. A node of which enough parents must succeed leaves them to
    tell the run, too."""
    run = run or new_id()
    ids = {name: with_tail(new_id(), tail_of(run)) for name in edges}
    ends = [
        name
        for name in edges
        if all("need" in fields.get(child, ()) for child, of in edges.items() if name in of.split())
    ]
    tasks = [
        LaunchedTask(
            ids[name],
            TYPE,
            str(LANE),
            LONG_ENVELOPE if name == "b" else ENVELOPE,
            len(parents.split()),
            [
                *(ids[child] for child, of in edges.items() if name in of.split()),
                *([run] if name in ends else []),
            ],
            name,
            triggers.get(name, "all_done" if name in all_done.split() else "all_succeeded"),
            fields.get(name, {}),
        )
        for name, parents in edges.items()
    ]
    nodes = [
        StoredNode(ids[name], name, TYPE, [ids[it] for it in parents.split()])
        for name, parents in edges.items()
    ]
    plan = StoredPlan("test", nodes, Ref(ids[ends[0]]), [ids[name] for name in ends])
    await store.runs.launch(run, ENVELOPE, plan, tasks, owner=owner, deadline_ms=deadline_ms)
    return run, ids


# The keyspace


async def snapshot(store: Store) -> dict[str, Any]:
    """Everything in shard 0, one entry for each thing that can change on its own.

    ``task:<id> <field>``, ``due <id>`` (a score), ``paused <queue>``, ``lane:<lane>`` and ``recent`` (lists of ids and, in
    recent, statuses), ``stats <field>`` (of all minutes; not for how long
    executions ran), ``unique:<key>``, ``<key> ttl``.
    """
    flat: dict[str, Any] = {}
    prefix = store.shards[0].prefix
    stats: Counter[str] = Counter()
    for key, held in (await read_keyspace(store)).items():
        name = key.removeprefix(prefix).lstrip(":")
        if name.startswith("stats:"):
            stats.update(
                {counted: int(number) for counted, number in held.value.items() if "|ran|" not in counted}
            )
            continue
        match held.type:
            case "hash" | "zset":
                flat |= {f"{name} {member}": value for member, value in held.value.items()}
            case "set":
                flat |= {f"{name} {member}": True for member in held.value}
            case "stream" if name == "recent":
                flat[name] = [word for pairs in held.value.values() for pair in pairs for word in pair]
            case "stream":
                flat[name] = [value for pairs in held.value.values() for _, value in pairs]
            case _:
                flat[name] = held.value
        if held.ttl_ms is not None:
            flat[f"{name} ttl"] = held.ttl_ms
    return flat | {f"stats {counted}": number for counted, number in stats.items()}


async def changes(store: Store, before: dict[str, Any]) -> dict[str, Any]:
    """What is different now: the new value, or :data:`GONE`."""
    after = await snapshot(store)
    return {
        name: after.get(name, GONE)
        for name in before.keys() | after.keys()
        if not _same(name, before.get(name), after.get(name))
    }


def _same(name: str, old: Any, new: Any) -> bool:
    if name.endswith(" ttl") and old is not None and new is not None:
        return bool(Near(old, length=True) == new)  # time goes by meanwhile
    return bool(old == new)


def record(task_id: str, **fields: Any) -> dict[str, Any]:
    """Fields of a record, as :func:`snapshot` shows them."""
    return {f"task:{task_id} {name}": value for name, value in fields.items()}


# What all verbs of an owner have in common

Verb = Callable[[Store, list[str], str], Awaitable[list[str]]]
"""Speaks for executions: store, ids, owner; returns the ids that were refused."""


async def succeed(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    return await store.tasks.succeed(
        0, [Success(task_id, owner, RETENTION, "result", b"\x01") for task_id in ids]
    )


async def fail(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    rows = [Failure(task_id, owner, FAILED_RETENTION, "broke", b"report") for task_id in ids]
    return await store.tasks.fail(0, rows)


async def retry(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    return await store.tasks.retry(
        0, [Retrial(task_id, owner, MINUTE, "again", b"report") for task_id in ids]
    )


async def snooze(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    return await store.tasks.snooze(0, [Postponement(task_id, owner, MINUTE, "later") for task_id in ids])


async def skip(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    return await store.tasks.skip(0, [Skipping(task_id, owner, RETENTION, "not now") for task_id in ids])


async def release(store: Store, ids: list[str], owner: str = OWNER) -> list[str]:
    return await store.tasks.release([(task_id, owner) for task_id in ids], "stopped")


async def refuses(store: Store, verb: Verb, status: Status) -> None:
    """``verb`` changes nothing about a task in ``status``, even for the one who ran it before.

    To one in the status that the verb itself leads to, this would be the same call again: so it is another's.
    """
    task_id = await put(store, status)
    before = await snapshot(store)
    event = Event(verb.__name__)  # type: ignore[attr-defined]
    owner = ANOTHER if status is TRANSITIONS[event].target else OWNER
    assert await verb(store, [task_id], owner) == [task_id]
    assert await changes(store, before) == {}


async def is_fenced(store: Store, verb: Verb) -> None:
    """``verb`` is refused to everybody but the one claim that holds the task, and to that one when it holds no more."""
    task_id = await put(store, Status.RUNNING)
    before = await snapshot(store)
    for stranger in (ANOTHER, "worker-1/cccccccc", "worker-1", ""):
        assert await verb(store, [task_id], stranger) == [task_id]
    assert await changes(store, before) == {}

    await store.upkeep.reclaim_owner(0, OWNER, 3, FAILED_RETENTION, crashed=True)
    assert [task.id for task in await claim(store, owner=ANOTHER)] == [task_id]
    before = await snapshot(store)
    assert await verb(store, [task_id], OWNER) == [task_id]
    assert await changes(store, before) == {}


async def is_idempotent(store: Store, verb: Verb) -> None:
    """The same call again is accepted and changes nothing."""
    task_id = await put(store, Status.RUNNING)
    assert await verb(store, [task_id], OWNER) == []
    before = await snapshot(store)
    assert await verb(store, [task_id], OWNER) == []
    assert await changes(store, before) == {}


async def knows_nothing_of(store: Store, verb: Verb) -> None:
    """A task whose record is gone is refused, and nothing comes into being."""
    before = await snapshot(store)
    task_id = new_id()
    assert await verb(store, [task_id], OWNER) == [task_id]
    assert await changes(store, before) == {}


async def spares_the_neighbours_of_garbage(store: Store, verb: Verb) -> None:
    """What lies where a record should be does not keep the tasks beside it from ending well."""
    first, garbled, last = [await put(store, Status.RUNNING) for _ in range(3)]
    await garble(store, garbled)
    event = Event(verb.__name__)  # type: ignore[attr-defined]
    assert await verb(store, [first, garbled, last], OWNER) == [garbled]
    for task_id in (first, last):
        assert await status_of(store, task_id) == TRANSITIONS[event].target
    await tidy(store)


async def garble(store: Store, task_id: str) -> None:
    """Put something else where a record is."""
    key = store.shards[0].task(task_id)
    await store.gateway.commands([("DEL", key), ("SET", key, GARBAGE)])


async def tidy(store: Store) -> None:
    """What happens in time: upkeep puts garbage aside, entries and leases that nobody has are dropped."""
    await store.upkeep.put_garbage_aside(0, FAILED_RETENTION)
    await store.upkeep.repair_all(0, LEASE, FAILED_RETENTION, mend=True)
    await claim(store, owner=ANOTHER)
    leases = store.shards[0].leases
    for task_id in await store.gateway.command("ZRANGE", leases, 0, -1):
        if await status_of(store, task_id.decode()) != Status.RUNNING:
            await store.gateway.command("ZREM", leases, task_id)


async def due_now(store: Store, *ids: str) -> None:
    """Let scheduled tasks become due, in this order."""
    for score, task_id in enumerate(ids, 1):
        due = store.shards[0].due
        await store.gateway.commands(
            [("ZADD", due, score, task_id), ("HSET", store.shards[0].task(task_id), "due", score)]
        )


async def end_leases(store: Store, *ids: str) -> None:
    """Let the leases of running tasks end, in this order."""
    for score, task_id in enumerate(ids, 1):
        await store.gateway.command("ZADD", store.shards[0].leases, score, task_id)


@contextlib.asynccontextmanager
async def listening(store: Store, channel: str) -> AsyncIterator[asyncio.Queue[str]]:
    """What is published on a channel meanwhile."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    inbox = Inbox(store.connector, [channel], lambda _, message: heard.put_nowait(message))
    inbox.start()
    await inbox.ready.wait()
    try:
        yield heard
    finally:
        await inbox.stop()
