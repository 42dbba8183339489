"""The verbs of a task's life: submit, claim, complete, renew, beat, cancel, requeue, watch. One script each."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from jobbers.core.ids import shard_of
from jobbers.core.lanes import Lane, parse_lane
from jobbers.core.status import Status
from jobbers.core.task import Claimed, TaskSpec
from jobbers.errors import StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GROUP, GlobalKeys, ShardKeys
from jobbers.store.queues import QueueStore
from jobbers.store.record import read_lane, read_status
from jobbers.store.rows import (
    MAX_BATCH,
    Beat,
    Failure,
    Postponement,
    Retrial,
    RetryBudget,
    Skipping,
    Success,
    Succession,
)
from jobbers.store.submissions import Submissions
from jobbers.store.wire import Argument, Disconnected, ReplyError

KEPT_ERRORS = 50
UNBLOCK_SECONDS = 0.05
"""How long a server may take to see that a connection is gone."""

_CLAIM_STRIDE = 8
Row = TypeVar("Row")


class Taken(list[Claimed]):
    """What a claim took. ``more``: it left ready tasks behind on purpose, so claim again at once. ``paused``: it left out
    lanes of paused queues, which may hold something."""

    more = False
    paused = False


class TaskStore:
    """The verbs, for all shards of a namespace."""

    def __init__(
        self, gateway: Gateway, shards: Sequence[ShardKeys], global_keys: GlobalKeys, queues: QueueStore
    ) -> None:
        self._gateway = gateway
        self._shards = shards
        self._global = global_keys
        self._submissions = Submissions(gateway, shards, queues)
        self.budget = RetryBudget()

    def _keys(self, task_id: str) -> ShardKeys:
        return self._shards[shard_of(task_id, len(self._shards))]

    def shard(self, task_id: str) -> int:
        """The shard of a task."""
        return shard_of(task_id, len(self._shards))

    async def submit_one(self, spec: TaskSpec) -> str:
        """Create a task; see :meth:`Submissions.one`."""
        return await self._submissions.one(spec)

    async def submit(self, specs: Iterable[TaskSpec]) -> dict[str, str]:
        """Create tasks; see :meth:`Submissions.many`."""
        return await self._submissions.many(specs)

    async def stand_ins(self, specs: Sequence[TaskSpec]) -> list[list[str]]:
        """Who may stand for tasks; see :meth:`Submissions.stand_ins`."""
        return await self._submissions.stand_ins(specs)

    async def absent(self, ids: Iterable[str]) -> int:
        """How many of these tasks do not exist."""
        found = await self._gateway.commands(("EXISTS", self._keys(it).task(it)) for it in ids)
        return sum(there != 1 for there in found)

    async def claim(
        self, shard: int, owner: str, lanes: Iterable[Lane], count: int, lease_ms: int, retention_ms: int
    ) -> Taken:
        """Take up to ``count`` ready tasks of a shard from ``lanes`` in order; ``owner`` must be new at every call."""
        counted = int(self.budget.share > 0)
        args: list[Argument] = [owner, lease_ms, min(count, MAX_BATCH), retention_ms, counted]
        args += map(str, lanes)
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

    async def end_wait(self, shard: int, waited: Sequence[Lane], dropped: Iterable[Lane]) -> None:
        """Give up the connection on which lanes were waited for. What it was woken for in vain rings once more in those
        that are dropped and hold something: an entry that names no task, which the claim that follows drops."""
        keys = self._shards[shard]
        await self._gateway.end_wait(keys.lane(waited[0]))
        lanes = [keys.lane(lane) for lane in dropped]
        if lanes:
            await asyncio.sleep(UNBLOCK_SECONDS)
            depths = await self._gateway.commands(("XLEN", lane) for lane in lanes)
            held = [
                lane for lane, depth in zip(lanes, depths, strict=True) if isinstance(depth, int) and depth
            ]
            await self._gateway.commands(("XADD", lane, "*", "id", "-") for lane in held)

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
        """Schedule another attempt, later than asked for where that is over the budget. Returns the ids that were
        refused."""
        return await self._ids("retry", shard, [KEPT_ERRORS, *self.budget, *_flat(done)], patience)

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
        args: list[Argument] = [retention_ms, reason, secrets.token_hex(4)]

        async def cancel(shard: int, chunk: list[str]) -> list[Status | None]:
            prefix = self._shards[shard].prefix
            reply = await self._gateway.run("cancel", prefix, [*args, 0, *chunk])
            left = reply[len(chunk) :]
            while left:  # of long runs; workers would go on with them, too
                left = (await self._gateway.run("cancel", prefix, [*args, 1, *left]))[len(left) :]
            return [read_status(word) for word in reply[: len(chunk)]]

        chunks = self._chunks(ids)
        found = await _all([cancel(shard, chunk) for shard, chunk in chunks])
        return dict(zip((it for _, chunk in chunks for it in chunk), itertools.chain(*found), strict=True))

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
        chunks = self._chunks(ids)
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

    def _chunks(self, ids: Iterable[str]) -> list[tuple[int, list[str]]]:
        return [
            (shard, chunk)
            for shard, group in self._by_shard(ids, lambda task_id: task_id).items()
            for chunk in chunked(group, MAX_BATCH)
        ]

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


_lanes: dict[bytes, Lane] = {}


def _lane(name: bytes) -> Lane:
    lane = _lanes.get(name)
    if lane is None:
        lane = _lanes[name] = parse_lane(name.decode())
    return lane


def _claimed(owner: str, reply: list[Any]) -> Taken:
    tasks = Taken()
    tasks.more, tasks.paused = reply[0] == 1, reply[0] == 2
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
