"""The verbs of a task's life: submit, claim, complete, renew, beat, cancel, requeue, watch. One script each."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from jobbers.core.ids import shard_of
from jobbers.core.lanes import Lane, parse_lane
from jobbers.core.limits import is_shared
from jobbers.core.status import Status
from jobbers.core.task import Claimed, Placement, TaskSpec
from jobbers.errors import InvalidId, LimitReached, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GROUP, GlobalKeys, ShardKeys
from jobbers.store.record import read_lane, read_status
from jobbers.store.wire import Argument, Disconnected, ReplyError

MAX_BATCH = 500
"""Most tasks in one script call: keeps the server's other callers waiting for some milliseconds at most."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
KEPT_ERRORS = 50

_CLAIM_STRIDE = 8
Row = TypeVar("Row")


class Success(NamedTuple):
    """An execution that ended well. ``where`` is ``result`` for a value, ``blob`` for the name of an offloaded one."""

    id: str
    owner: str
    retention_ms: int
    where: str
    value: bytes


class Succession(NamedTuple):
    """An execution that ended well, and the task that its worker would go on with."""

    id: str
    owner: str
    retention_ms: int
    where: str
    value: bytes
    heir: str


class Failure(NamedTuple):
    """An execution that ended the task as failed."""

    id: str
    owner: str
    retention_ms: int
    reason: str
    report: bytes


class Retrial(NamedTuple):
    """An execution to be repeated after ``delay_ms``."""

    id: str
    owner: str
    delay_ms: int
    reason: str
    report: bytes


class Skipping(NamedTuple):
    """An execution that ended the task as skipped."""

    id: str
    owner: str
    retention_ms: int
    reason: str


class Postponement(NamedTuple):
    """An execution that is put back for ``delay_ms`` without using an attempt."""

    id: str
    owner: str
    delay_ms: int
    reason: str


class Beat(NamedTuple):
    """Where an execution is; the last two are ms or ``""``."""

    id: str
    owner: str
    step: str
    progress: float | str
    overdue_ms: int | str
    slow_ms: int | str


class Taken(list[Claimed]):
    """What a claim took. ``more``: it left ready tasks behind on purpose, so claim again at once."""

    more = False


class TaskStore:
    """The verbs, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys], global_keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._shards = shards
        self._global = global_keys

    def _keys(self, task_id: str) -> ShardKeys:
        return self._shards[shard_of(task_id, len(self._shards))]

    def shard(self, task_id: str) -> int:
        """The shard of a task."""
        return shard_of(task_id, len(self._shards))

    async def submit_one(self, spec: TaskSpec) -> str:
        """Create a task; an id that exists is left alone. Returns its id, or that of the holder of its unique key."""
        if spec.gates:
            return (await self.submit([spec])).get(spec.id, spec.id)
        args = (*spec.placement.head, spec.id, spec.envelope)
        reply = await self._gateway.run("submit", self._keys(spec.id).prefix, args)
        return reply[1].decode() if reply else spec.id

    async def submit(self, specs: Iterable[TaskSpec]) -> dict[str, str]:
        """Create tasks. An id that exists is left alone.

        Returns the holders of unique keys, by the ids that were not created because of them. Raises :class:`LimitReached`.
        """
        groups: dict[tuple[int, bool, Placement], list[TaskSpec]] = defaultdict(list)
        count = len(self._shards)
        for spec in specs:
            shard = shard_of(spec.id, count)
            if shard and is_shared(spec.gates):
                raise InvalidId(
                    f"task id {spec.id} does not belong to the shard where limits are counted: make ids for limited tasks "
                    "with jobbers.new_id(limited=True)"
                )
            groups[shard, bool(spec.gates), spec.placement].append(spec)
        calls = [
            self._gateway.run("submit_gated" if gated else "submit", self._shards[shard].prefix, args)
            for (shard, gated, placement), group in groups.items()
            for args in _submissions(placement, group, gated)
        ]
        replies = [await calls[0]] if len(calls) == 1 else await _all(calls)
        holders: dict[str, str] = {}
        for reply in replies:
            if reply:
                names = [item.decode() for item in reply]
                if not names[0]:
                    raise LimitReached(
                        f"limit {names[1]!r} is full and refuses what is over it: submit again when a task of it has ended",
                        names[1],
                    )
                holders.update(zip(names[::2], names[1::2], strict=True))
        return holders

    async def claim(
        self, shard: int, owner: str, lanes: Iterable[Lane], count: int, lease_ms: int, retention_ms: int
    ) -> Taken:
        """Take up to ``count`` ready tasks of a shard from ``lanes`` in order; ``owner`` must be new at every call."""
        args: list[Argument] = [owner, lease_ms, min(count, MAX_BATCH), retention_ms, *map(str, lanes)]
        reply = await self._gateway.run("claim", self._shards[shard].prefix, args, patience=0)
        return _claimed(owner, reply)

    async def used_lanes(self, shard: int) -> set[Lane]:
        """The lanes of a shard that ever held a task."""
        names = await self._gateway.command("SMEMBERS", self._shards[shard].lanes, patience=0)
        return {lane for name in names if (lane := read_lane(name)) is not None}

    async def wait_ready(self, shard: int, lanes: Sequence[Lane], seconds: float) -> Lane | None:
        """Wait until something may be ready in one of the lanes, for up to ``seconds``, and return that lane.

        The group only serves as a bell here: Redis wakes one waiting reader for each new entry, and what the reader is
        given stays in the lane (NOACK leaves nothing pending) until a claim takes it. So nothing is lost if the reader
        dies. Raises :class:`Disconnected` or :class:`ReplyError`.
        """
        keys = self._shards[shard]
        streams = [keys.lane(lane) for lane in lanes]
        block_ms = max(1, int(seconds * 1000))
        command: list[Argument] = [
            "XREADGROUP",
            "GROUP",
            GROUP,
            "any",
            "COUNT",
            1,
            "BLOCK",
            block_ms,
            "NOACK",
        ]
        command += ["STREAMS", *streams, *([">"] * len(streams))]
        # Each set of lanes has a claimer, and each claimer a connection: one that waits must not hold up another.
        reply = await self._gateway.wait(streams[0], *command, seconds=seconds)
        return lanes[streams.index(reply[0][0].decode())] if reply else None

    async def open_lanes(self, shard: int, lanes: Iterable[Lane]) -> None:
        """Make sure that lanes can be waited for."""
        keys = self._shards[shard]
        replies = await self._gateway.essential(
            keys.prefix, (("XGROUP", "CREATE", keys.lane(lane), GROUP, "0", "MKSTREAM") for lane in lanes)
        )
        for reply in replies:
            if isinstance(reply, ReplyError) and reply.word not in ("BUSYGROUP", "WRONGTYPE"):
                raise StoreError(f"cannot open the lanes of shard {shard}: {reply}")

    async def succeed(self, shard: int, done: Sequence[Success], patience: float | None = None) -> list[str]:
        """Accept results. Returns the ids that were refused because another holds the task now."""
        args: list[Argument] = []
        for success in done:
            args += success
        return await self._ids("succeed", shard, args, patience)

    async def follow(
        self, shard: int, done: Sequence[Succession], lease_ms: int, patience: float | None = None
    ) -> tuple[list[str], dict[str, Claimed]]:
        """Accept results, and claim what may follow. Returns the ids that were refused, and what was claimed by the id of
        the task that it follows."""
        reply = await self._gateway.run(
            "follow", self._shards[shard].prefix, [lease_ms, *_flat(done)], patience
        )
        start = 1 + reply[0]
        claimed = {task.id: task for task in _claimed("", [0, *reply[start:]])}
        followed = {
            row.id: claimed[row.heir]._replace(owner=row.owner) for row in done if row.heir in claimed
        }
        return [item.decode() for item in reply[1:start]], followed

    async def fail(self, shard: int, done: Sequence[Failure], patience: float | None = None) -> list[str]:
        """End tasks as dead letters. Returns the ids that were refused."""
        return await self._ids("fail", shard, [KEPT_ERRORS, *_flat(done)], patience)

    async def retry(self, shard: int, done: Sequence[Retrial], patience: float | None = None) -> list[str]:
        """Schedule another attempt. Returns the ids that were refused."""
        return await self._ids("retry", shard, [KEPT_ERRORS, *_flat(done)], patience)

    async def snooze(
        self, shard: int, done: Sequence[Postponement], patience: float | None = None
    ) -> list[str]:
        """Put back with a delay, using no attempt. Returns the ids that were refused."""
        return await self._ids("snooze", shard, _flat(done), patience)

    async def skip(self, shard: int, done: Sequence[Skipping], patience: float | None = None) -> list[str]:
        """End tasks as skipped. Returns the ids that were refused."""
        return await self._ids("skip", shard, _flat(done), patience)

    async def release(
        self, held: Iterable[tuple[str, str]], reason: str, patience: float | None = None
    ) -> list[str]:
        """Put ``(id, owner)`` pairs back into their lanes at once. Returns the ids that were refused."""
        refused: list[str] = []
        for shard, pairs in self._by_shard(held, lambda pair: pair[0]).items():
            for chunk in chunked(pairs, MAX_BATCH):
                refused += await self._ids("release", shard, [reason, *_flat(chunk)], patience)
        return refused

    async def beat(self, beats: Iterable[Beat]) -> list[str]:
        """Note where executions are. Returns the ids that the caller no longer holds."""
        calls = [
            self._ids("beat", shard, _flat(chunk), 0)
            for shard, group in self._by_shard(beats, lambda beat: beat.id).items()
            for chunk in chunked(group, MAX_BATCH)
        ]
        return [task_id for lost in await _all(calls) for task_id in lost]

    async def cancel(self, ids: Iterable[str], retention_ms: int, reason: str) -> dict[str, Status | None]:
        """Cancel tasks. Returns the status that each had before; ``None`` for no such task."""
        call = secrets.token_hex(4)
        return await self._statuses("cancel", ids, lambda chunk: [retention_ms, reason, call, *chunk])

    async def requeue(self, envelopes: dict[str, bytes], reason: str) -> dict[str, Status | None]:
        """Give failed or cancelled tasks a new life; an envelope that is not empty replaces the old one.

        Returns the status that each had before; ``None`` for no such task.
        """
        call = secrets.token_hex(4)
        return await self._statuses(
            "requeue",
            envelopes,
            lambda chunk: [reason, call, *_flat((task_id, envelopes[task_id]) for task_id in chunk)],
        )

    async def watch(self, inbox: str, ids: Iterable[str]) -> dict[str, Status | None]:
        """Ask to hear of tasks on an inbox; returns their statuses now, ``None`` for no such task."""
        return await self._statuses("watch", ids, lambda chunk: [inbox, *chunk])

    async def _statuses(
        self, script: str, ids: Iterable[str], arguments: Callable[[list[str]], list[Argument]]
    ) -> dict[str, Status | None]:
        chunks = [
            (shard, chunk)
            for shard, group in self._by_shard(ids, lambda task_id: task_id).items()
            for chunk in chunked(group, MAX_BATCH)
        ]
        calls = [
            self._gateway.run(script, self._shards[shard].prefix, arguments(chunk)) for shard, chunk in chunks
        ]
        statuses: dict[str, Status | None] = {}
        for (_, chunk), reply in zip(chunks, await _all(calls), strict=True):
            for task_id, word in zip(chunk, reply, strict=True):
                statuses[task_id] = read_status(word)
        return statuses

    async def _ids(self, script: str, shard: int, args: list[Argument], patience: float | None) -> list[str]:
        reply = await self._gateway.run(script, self._shards[shard].prefix, args, patience)
        return [item.decode() for item in reply]

    def _by_shard(self, rows: Iterable[Row], key: Callable[[Row], str]) -> dict[int, list[Row]]:
        groups: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            groups[self.shard(key(row))].append(row)
        return groups


def chunked(rows: Sequence[Row], size: int) -> Iterable[list[Row]]:
    """``rows`` in lists of at most ``size``."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _flat(rows: Iterable[Iterable[Any]]) -> list[Argument]:
    return [value for row in rows for value in row]


async def _all(calls: list[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls))


def _submissions(placement: Placement, specs: list[TaskSpec], gated: bool) -> Iterable[list[Argument]]:
    """The arguments of submit.lua or submit_gated.lua, in chunks bounded by count and bytes."""
    head: tuple[Argument, ...] = (*placement.head, placement.retention_ms) if gated else placement.head
    stride = 3 if gated else 2
    args: list[Argument] = []
    args += head
    size = 0
    for spec in specs:
        if size and (
            len(args) >= len(head) + stride * MAX_BATCH or size + len(spec.envelope) > MAX_BATCH_BYTES
        ):
            yield args
            args, size = [], 0
            args += head
        args += (spec.id, spec.envelope, spec.gates) if gated else (spec.id, spec.envelope)
        size += len(spec.envelope)
    yield args


_lanes: dict[bytes, Lane] = {}


def _lane(name: bytes) -> Lane:
    lane = _lanes.get(name)
    if lane is None:
        lane = _lanes[name] = parse_lane(name.decode())
    return lane


def _claimed(owner: str, reply: list[Any]) -> Taken:
    tasks = Taken()
    if len(reply) == 1:
        return tasks
    tasks.more = bool(reply[0])
    for i in range(1, len(reply), _CLAIM_STRIDE):
        task_id, lane_name, kind, attempt, crashes, snoozes, created, envelope = reply[i : i + _CLAIM_STRIDE]
        lane = _lane(lane_name)
        tasks.append(
            Claimed(
                task_id.decode(),
                owner,
                kind.decode(errors="replace"),
                lane.queue,
                lane.priority,
                int(attempt),
                int(crashes),
                int(snoozes),
                int(created),
                envelope or b"",
            )
        )
    return tasks


__all__ = [
    "Beat",
    "Disconnected",
    "Failure",
    "Postponement",
    "ReplyError",
    "Retrial",
    "Skipping",
    "Success",
    "Succession",
    "TaskStore",
]
