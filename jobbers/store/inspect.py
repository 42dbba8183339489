"""Reads: single tasks, outcomes, lists with cursors, queues and counters. Nothing here writes, and all of it is bounded."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jobbers.core.ids import shard_of
from jobbers.core.lanes import Lane
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys, ShardKeys
from jobbers.store.parked import list_parked
from jobbers.store.queues import read_rules
from jobbers.store.record import read_lane, read_record, read_status
from jobbers.store.wire import ReplyError

_BEGUN = frozenset({b"attempt", b"crashes", b"finished", b"gated"})
"""Who has none of these fields has never run, so it has neither errors nor a lease."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task stands: a final status comes with its result (encoded), the name of its blob, or a reason."""

    status: Status
    result: bytes | None = None
    blob: str | None = None
    reason: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue as it stands: ``depth`` tasks are ready, the oldest for ``oldest_seconds``, and ``parked`` ones wait for a
    limit, a rate, a turn or a breaker. Without a limit ``max_length`` is ``None``."""

    name: str
    depth: int
    oldest_seconds: float
    paused: bool
    by_priority: Mapping[int, int]
    draining: bool = False
    max_length: int | None = None
    when_full: str | None = None
    parked: int = 0


class Standing(NamedTuple):
    """Where a task stands, in short. ``status`` is ``None`` where there is no such task; times are ms."""

    status: Status | None
    reason: str | None = None
    worker: str | None = None
    step: str | None = None
    started: int | None = None
    finished: int | None = None


class Page(NamedTuple):
    """A page of ids and the cursor of the next one (``None``: that was all)."""

    ids: list[str]
    cursor: str | None


class InspectStore:
    """The reads, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys], keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._shards = shards
        self._global = keys

    def _keys(self, task_id: str) -> ShardKeys:
        try:
            return self._shards[shard_of(task_id, len(self._shards))]
        except KeyError:  # an index may hold what is no id, and the list that shows it must go on
            return self._shards[0]

    async def now_ms(self) -> int:
        """The server's clock."""
        seconds, micros = await self._gateway.command("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def records(self, ids: Sequence[str], *, brief: bool = False) -> list[TaskRecord | None]:
        """Everything known of tasks; ``None`` where there is no such task. For lists, ``brief`` leaves out arguments of
        more than 64 bytes and all errors but the last."""
        if brief:
            return await self._brief_records(ids)
        commands: list[tuple[Any, ...]] = [("TIME",)]
        for task_id in ids:
            keys = self._keys(task_id)
            commands += [
                ("HGETALL", keys.task(task_id)),
                ("GET", keys.args(task_id)),
                ("LRANGE", keys.errors(task_id), 0, -1),
                ("ZSCORE", keys.leases, task_id),
            ]
        now, replies = _timed(await self._gateway.commands(commands))
        return [
            read_record(task_id, now, *map(_readable, parts))
            for task_id, parts in zip(ids, _in_groups(replies, 4), strict=True)
        ]

    async def _brief_records(self, ids: Sequence[str]) -> list[TaskRecord | None]:
        """Errors and leases are asked for only of those that can have them, for most of a long list have none."""
        wanted = [("HGETALL", self._keys(task_id).task(task_id)) for task_id in ids]
        now, replies = _timed(await self._gateway.commands([("TIME",), *wanted]))
        records = [
            read_record(task_id, now, _readable(pairs), None, None, None)
            for task_id, pairs in zip(ids, replies, strict=True)
        ]
        begun = [
            index
            for index, pairs in enumerate(replies)
            if records[index] is not None and not _BEGUN.isdisjoint(pairs[::2])
        ]
        if not begun:
            return records
        more: list[tuple[Any, ...]] = []
        for index in begun:
            keys = self._keys(ids[index])
            more += [("LRANGE", keys.errors(ids[index]), -1, -1), ("ZSCORE", keys.leases, ids[index])]
        for index, parts in zip(begun, _in_groups(await self._gateway.commands(more), 2), strict=True):
            records[index] = read_record(
                ids[index], now, _readable(replies[index]), None, *map(_readable, parts)
            )
        return records

    async def outcomes(self, ids: Sequence[str]) -> list[Outcome | None]:
        """Statuses and results of tasks; ``None`` where there is no such task."""
        commands: list[tuple[Any, ...]] = []
        for task_id in ids:
            keys = self._keys(task_id)
            fields = ("status", "result", "blob", "reason", "type")
            commands += [("HMGET", keys.task(task_id), *fields), ("GET", keys.result(task_id))]
        outcomes: list[Outcome | None] = []
        for fields_of, long_result in _in_groups(await self._gateway.commands(commands), 2):
            if isinstance(fields_of, ReplyError) or read_status(fields_of[0]) is None:
                outcomes.append(None)
                continue
            status, result, blob, reason, kind = fields_of
            outcomes.append(
                Outcome(
                    Status(status.decode()),
                    result if result is not None else long_result if isinstance(long_result, bytes) else None,
                    blob.decode(errors="replace") if blob else None,
                    reason.decode(errors="replace") if reason else "",
                    kind.decode(errors="replace") if kind else "",
                )
            )
        return outcomes

    async def standings(self, ids: Sequence[str]) -> list[Standing]:
        """Where each of many tasks stands, without what it was given and what it returned."""
        fields = ("status", "reason", "owner", "step", "started", "finished")
        commands = (("HMGET", self._keys(task_id).task(task_id), *fields) for task_id in ids)
        return [_standing(reply) for reply in await self._gateway.commands(commands)]

    async def lanes(self) -> list[Lane]:
        """Every lane that ever held a task, on any shard."""
        replies = await self._gateway.commands(("SMEMBERS", keys.lanes) for keys in self._shards)
        names = {item for reply in replies if isinstance(reply, list) for item in reply}
        return sorted(lane for lane in map(read_lane, names) if lane is not None)

    async def queues(self) -> list[QueueInfo]:
        """All queues with depth, age of the oldest ready task, and pause. O(lanes), whatever their depth."""
        lanes = await self.lanes()
        places = [(lane, keys) for lane in lanes for keys in self._shards]
        first_shard = self._shards[0]
        commands: list[tuple[Any, ...]] = [
            ("TIME",),
            ("SMEMBERS", first_shard.paused),
            ("HGETALL", first_shard.queues),
            *(("HGETALL", keys.parked) for keys in self._shards),
        ]
        for lane, keys in places:
            commands += [("XLEN", keys.lane(lane)), ("XRANGE", keys.lane(lane), "-", "+", "COUNT", 1)]
        (seconds, micros), paused, said, *replies = await self._gateway.commands(commands)
        parked = _sums(replies[: len(self._shards)])
        replies = replies[len(self._shards) :]
        now = int(seconds) * 1000 + int(micros) // 1000
        depth: dict[str, Counter[int]] = {}
        oldest: dict[str, int] = {}
        for (lane, _), (length, first) in zip(places, _in_groups(replies, 2), strict=True):
            counts = depth.setdefault(lane.queue, Counter())
            counts[lane.priority] += length if isinstance(length, int) else 0
            if isinstance(first, list) and first:
                since = int(first[0][0].partition(b"-")[0])
                oldest[lane.queue] = min(since, oldest.get(lane.queue, since))
        halted = {item.decode(errors="replace") for item in paused} if isinstance(paused, list) else set()
        rules = read_rules(said, None)
        return [
            QueueInfo(
                name=queue,
                depth=counts.total(),
                oldest_seconds=max(0.0, (now - oldest[queue]) / 1000) if queue in oldest else 0.0,
                paused=queue in halted,
                by_priority={priority: number for priority, number in sorted(counts.items()) if number},
                draining=queue in rules.draining,
                max_length=limit.max_length if limit else None,
                when_full=limit.when_full if limit else None,
                parked=parked[queue],
            )
            for queue in sorted({*depth, *halted, *rules.draining, *rules.limits, *parked})
            for counts, limit in [(depth.get(queue, Counter()), rules.limits.get(queue))]
        ]

    async def counts(self) -> dict[str, int]:
        """How many tasks are scheduled, running and dead letters."""
        commands = [("ZCARD", key) for keys in self._shards for key in (keys.due, keys.leases, keys.dead)]
        replies = await self._gateway.commands(commands)
        sums = [sum(number for number in replies[i::3] if isinstance(number, int)) for i in range(3)]
        return dict(zip(("scheduled", "running", "dead"), sums, strict=True))

    async def stats(self, minutes: int) -> dict[int, Counter[tuple[str, str, str]]]:
        """Counts by (queue, type, outcome) for each of the last ``minutes``, newest last."""
        last = await self.now_ms() // 60_000
        wanted = [(minute, keys) for minute in range(last - minutes + 1, last + 1) for keys in self._shards]
        replies = await self._gateway.commands(("HGETALL", keys.stats(minute)) for minute, keys in wanted)
        sums: dict[int, Counter[tuple[str, str, str]]] = {minute: Counter() for minute, _ in wanted}
        for (minute, _), reply in zip(wanted, replies, strict=True):
            pairs = reply if isinstance(reply, list) else []
            for field, number in zip(pairs[::2], pairs[1::2], strict=False):
                words = field.decode(errors="replace").split("|")
                if len(words) == 3 and number.isdigit():
                    sums[minute][words[0], words[1], words[2]] += int(number)
        return sums

    async def list_ids(self, status: Status, queue: str | None, cursor: str | None, limit: int) -> Page:
        """Ids of tasks in a status. Scheduled, running and failed come by time; queued in the order of their lanes;
        blocked, of those that stand in a line; finished newest first, from the capped list of recent ones. A cursor is
        opaque text from the page before.
        """
        if status is Status.QUEUED:
            return await self._list_queued(queue, cursor, limit)
        if status in (Status.SCHEDULED, Status.RUNNING, Status.FAILED):
            name = {Status.SCHEDULED: "due", Status.RUNNING: "leases", Status.FAILED: "dead"}[status]
            return await self._list_indexed(name, cursor, limit, newest_first=status is Status.FAILED)
        if status is Status.BLOCKED:
            return Page(*await list_parked(self._gateway, self._shards, cursor, limit))
        return await self._list_recent(status, cursor, limit)

    async def _list_queued(self, queue: str | None, cursor: str | None, limit: int) -> Page:
        lanes = [lane for lane in await self.lanes() if queue is None or lane.queue == queue]
        places = [(str(lane), shard) for lane in lanes for shard in range(len(self._shards))]
        first, after = read_cursor(cursor)
        ids: list[str] = []
        for number in range(first, len(places)):
            lane, shard = places[number]
            wanted = limit - len(ids)
            (reply,) = await self._gateway.commands(
                [
                    (
                        "XRANGE",
                        self._shards[shard].lane(lane),
                        f"({after}" if after else "-",
                        "+",
                        "COUNT",
                        wanted,
                    )
                ]
            )
            entries = reply if isinstance(reply, list) else []
            ids += [entry[1][1].decode(errors="replace") for entry in entries]
            if len(ids) >= limit:
                return Page(ids, f"{number}/{entries[-1][0].decode(errors='replace')}")
            after = ""
        return Page(ids, None)

    async def list_runs(self, cursor: str | None, limit: int) -> Page:
        """Ids of runs that were launched by clients, shard by shard, the newest first. Those whose record has expired are
        among them until the janitor comes by."""
        return await self._list_indexed("runs", cursor, limit, newest_first=True)

    async def _list_indexed(self, name: str, cursor: str | None, limit: int, *, newest_first: bool) -> Page:
        """Shard by shard, by time within a shard. A cursor names the last task and its score, so that a page goes on where
        the one before ended, even if that task has moved on meanwhile."""
        first, last = read_cursor(cursor)
        ids: list[str] = []
        for number in range(first, len(self._shards)):
            key = getattr(self._shards[number], name)
            start = await self._rank_after(key, last, newest_first=newest_first) if last else 0
            command = "ZREVRANGE" if newest_first else "ZRANGE"
            stop = start + limit - len(ids) - 1
            (reply,) = await self._gateway.commands([(command, key, start, stop, "WITHSCORES")])
            pairs = reply if isinstance(reply, list) else []
            ids += [item.decode(errors="replace") for item in pairs[::2]]
            if len(ids) >= limit:
                return Page(ids, f"{number}/{int(float(pairs[-1]))}:{ids[-1]}")
            last = ""
        return Page(ids, None)

    async def _rank_after(self, key: str, last: str, *, newest_first: bool) -> int:
        score, _, task_id = last.partition(":")
        time_ms = int(score)
        rank, tail = await self._gateway.commands(
            [
                ("ZREVRANK" if newest_first else "ZRANK", key, task_id),
                ("ZCOUNT", key, f"({time_ms}", "+inf")
                if newest_first
                else ("ZCOUNT", key, "-inf", f"({time_ms}"),
            ]
        )
        return rank + 1 if isinstance(rank, int) else int(tail)

    async def _list_recent(self, status: Status, cursor: str | None, limit: int) -> Page:
        """Recent entries hold many ids each, so a page ends at an entry and may run a little over its limit."""
        if cursor is not None and not re.fullmatch(r"[1-9][0-9]{0,14}-[0-9]{1,15}", cursor):
            raise ValueError(cursor)
        end = f"({cursor}" if cursor else "+"
        replies = await self._gateway.commands(
            ("XREVRANGE", keys.recent, end, "-", "COUNT", limit) for keys in self._shards
        )
        entries = [entry for reply in replies if isinstance(reply, list) for entry in reply]
        entries.sort(key=lambda entry: _entry_order(entry[0]), reverse=True)
        ids: list[str] = []
        for entry_id, fields in entries:
            found = [
                task_id.decode(errors="replace")
                for task_id, word in zip(fields[::2], fields[1::2], strict=True)
                if word.decode(errors="replace") == status
            ]
            ids += reversed(found)
            if len(ids) >= limit:
                return Page(ids, entry_id.decode(errors="replace"))
        full = any(isinstance(reply, list) and len(reply) == limit for reply in replies)
        return Page(ids, entries[-1][0].decode(errors="replace") if full and entries else None)

    async def server_info(self) -> dict[str, str]:
        """What INFO says, and under ``latency_ms`` the median of five round trips."""
        trips = []
        for _ in range(5):
            begun = time.perf_counter()
            await self._gateway.command("PING")
            trips.append((time.perf_counter() - begun) * 1000)
        return await self.info() | {"latency_ms": f"{sorted(trips)[2]:.3f}"}

    async def info(self) -> dict[str, str]:
        """What INFO says."""
        text = await self._gateway.command("INFO")
        lines = (line.partition(":") for line in text.decode(errors="replace").splitlines() if ":" in line)
        return {name: value for name, _, value in lines}


def read_cursor(cursor: str | None) -> tuple[int, str]:
    """The number of a place and the position in it. Raises ``ValueError`` for what no page gave."""
    if cursor is None:
        return 0, ""
    place, slash, position = cursor.partition("/")
    if not slash or not place.isdecimal() or not re.fullmatch(r"[0-9]+(-[0-9]+|:[0-9A-Z]+)", position):
        raise ValueError(cursor)
    return int(place), position


def _standing(reply: Any) -> Standing:
    if not isinstance(reply, list) or (status := read_status(reply[0])) is None:
        return Standing(None)
    reason, owner, step = (part.decode(errors="replace") if part else None for part in reply[1:4])
    started, finished = (int(part) if part and part.isdigit() else None for part in reply[4:])
    return Standing(status, reason, owner and owner.rpartition("/")[0], step, started, finished)


def _entry_order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def _sums(replies: Sequence[Any]) -> Counter[str]:
    """Counts of several hashes by field; what is no hash, or no count, is left out."""
    sums: Counter[str] = Counter()
    for reply in replies:
        pairs = reply if isinstance(reply, list) else []
        for field, number in zip(pairs[::2], pairs[1::2], strict=False):
            if number.isdigit():
                sums[field.decode(errors="replace")] += int(number)
    return sums


def _timed(replies: Sequence[Any]) -> tuple[int, Sequence[Any]]:
    """The server's clock in ms, for which the first command asked, and the other replies."""
    (seconds, micros), *others = replies
    return int(seconds) * 1000 + int(micros) // 1000, others


def _readable(part: Any) -> Any:
    """What a command answered; ``None`` if that was an error, as of a key that holds something else."""
    return None if isinstance(part, ReplyError) else part


def _in_groups(replies: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [replies[start : start + size] for start in range(0, len(replies), size)]
