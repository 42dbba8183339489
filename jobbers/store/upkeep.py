"""What keeps the store in order: promote, renew, reclaim, repair. Any number of workers may do any of it at any time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jobbers.core.ids import shard_of
from jobbers.core.status import Status
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.rows import MAX_BATCH
from jobbers.store.tasks import chunked
from jobbers.store.wire import Argument


class Reclaimed(NamedTuple):
    """A task that was taken back from a dead worker: *queued*, or *failed* when its crash budget is used up."""

    id: str
    owner: str
    status: Status


class Promotion(NamedTuple):
    """How many due tasks were moved, and in how many ms the next one is due (``None``: nothing waits)."""

    moved: int
    next_ms: int | None


class Finding(NamedTuple):
    """A task that was not where its status demands."""

    id: str
    what: str


class UpkeepStore:
    """The verbs of upkeep, shard by shard."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards

    async def hold_duty(self, shard: int, name: str, worker: str, lease_ms: int) -> bool:
        """Whether this worker does a duty of a shard now. A guard against doing work twice, not against harm."""
        key = self._shards[shard].duty(name)
        taken, holder, left = await self._gateway.essential(
            self._shards[shard].prefix,
            [("SET", key, worker, "NX", "PX", lease_ms), ("GET", key), ("PTTL", key)],
        )
        if left == -1:  # not a guard, which ends: with it the duty would never be done again
            await self._gateway.command("DEL", key)
        elif taken is None and holder == worker.encode():
            await self._gateway.command("PEXPIRE", key, lease_ms)
        return bool(holder == worker.encode())

    async def drop_duty(self, shard: int, name: str, worker: str) -> None:
        """Let another worker take a duty over at once."""
        key = self._shards[shard].duty(name)
        if await self._gateway.command("GET", key, patience=0) == worker.encode():
            await self._gateway.command("DEL", key, patience=0)

    async def promote(self, shard: int, retention_ms: int) -> Promotion:
        """Move what is due into its lanes, up to a batch."""
        args = [MAX_BATCH, retention_ms]
        moved, next_ms = await self._gateway.run("promote", self._shards[shard].prefix, args, patience=0)
        return Promotion(moved, next_ms if next_ms >= 0 else None)

    async def reclaim(self, shard: int, crash_budget: int, retention_ms: int) -> list[Reclaimed]:
        """Take back what workers left behind whose leases have ended, up to a batch."""
        args: list[Argument] = [MAX_BATCH, crash_budget, retention_ms, "", 1]
        return _reclaimed(await self._gateway.run("reclaim", self._shards[shard].prefix, args, patience=0))

    async def reclaim_owner(
        self, shard: int, owner: str, crash_budget: int, retention_ms: int, *, crashed: bool
    ) -> list[Reclaimed]:
        """Take back at once what a worker (or one claim, ``worker/nonce``) holds that is known to be dead.

        ``crashed`` says whether the work may have begun, which counts against the crash budget.
        """
        keys = self._shards[shard]
        leased = [
            item.decode(errors="replace")
            for item in await self._gateway.command("ZRANGE", keys.leases, 0, -1)
        ]
        taken: list[Reclaimed] = []
        for chunk in chunked(leased, MAX_BATCH):
            args: list[Argument] = [MAX_BATCH, crash_budget, retention_ms, owner, int(crashed), *chunk]
            taken += _reclaimed(await self._gateway.run("reclaim", keys.prefix, args))
        return taken

    async def put_garbage_aside(self, shard: int, retention_ms: int) -> list[str]:
        """Rename what lies where an index should be and is none; repairs then fill the index again. Returns the keys."""
        keys = self._shards[shard]
        lanes = await self._gateway.commands([("SMEMBERS", keys.lanes)])
        types = {
            keys.lanes: b"set",
            keys.paused: b"set",
            keys.gates: b"set",
            keys.refill: b"zset",
            keys.limits: b"hash",
            keys.breakers: b"hash",
            keys.tripped: b"zset",
            keys.parked: b"hash",
            keys.queues: b"hash",
            keys.due: b"zset",
            keys.leases: b"zset",
            keys.dead: b"zset",
            keys.runs: b"zset",
            keys.expiring: b"zset",
            keys.holding: b"zset",
            keys.untold: b"zset",
            keys.schedules: b"zset",
            keys.recent: b"stream",
            **{keys.lane(lane.decode(errors="replace")): b"stream" for lane in _listed(lanes[0])},
            **{keys.first(lane.decode(errors="replace")): b"list" for lane in _listed(lanes[0])},
        }
        found = await self._gateway.commands(("TYPE", key) for key in types)
        wrong = [key for key, kind in zip(types, found, strict=True) if kind not in (types[key], b"none")]
        for key in wrong:
            aside = keys.garbage(key.removeprefix(keys.prefix + ":"))
            await self._gateway.commands([("RENAME", key, aside), ("PEXPIRE", aside, retention_ms)])
        return wrong

    async def scan(self, shard: int, cursor: int, count: int) -> tuple[int, list[str]]:
        """Some ids of records; start with cursor 0 and go on until it is 0 again."""
        keys = self._shards[shard]
        cursor_after, found = await self._gateway.command(
            "SCAN", cursor, "MATCH", keys.task_pattern, "COUNT", count
        )
        return int(cursor_after), [keys.task_id(key.decode(errors="replace")) for key in found]

    async def repair(
        self, shard: int, ids: Iterable[str], lease_ms: int, retention_ms: int, *, mend: bool
    ) -> list[Finding]:
        """Find tasks that are not where their status demands, and with ``mend`` put them there."""
        findings: list[Finding] = []
        for chunk in chunked(list(ids), MAX_BATCH):
            args: list[Argument] = [lease_ms, retention_ms, int(mend), *chunk]
            reply = await self._gateway.run("repair", self._shards[shard].prefix, args)
            words = [item.decode(errors="replace") for item in reply]
            findings += [Finding(*pair) for pair in zip(words[::2], words[1::2], strict=True)]
        return findings

    async def repair_all(self, shard: int, lease_ms: int, retention_ms: int, *, mend: bool) -> list[Finding]:
        """Look at every record of a shard. Cost: one SCAN of the server's whole keyspace, in steps."""
        findings: list[Finding] = []
        cursor = 0
        while True:
            cursor, ids = await self.scan(shard, cursor, MAX_BATCH)
            findings += await self.repair(shard, ids, lease_ms, retention_ms, mend=mend)
            if cursor == 0:
                return findings

    async def forget_gone(self, shard: int) -> int:
        """Drop dead letters and runs whose records have expired from their indexes, oldest first, up to a batch each."""
        keys = self._shards[shard]
        dropped = 0
        for index in (keys.dead, keys.runs):
            oldest = await self._gateway.command("ZRANGE", index, 0, MAX_BATCH - 1)
            there = await self._gateway.commands(("EXISTS", keys.task("").encode() + item) for item in oldest)
            gone = [item for item, exists in zip(oldest, there, strict=True) if exists == 0]
            if gone:
                await self._gateway.command("ZREM", index, *gone)
            dropped += len(gone)
        return dropped

    async def drop_dead(self, ids: Iterable[str]) -> int:
        """Delete the records of dead letters for good; other tasks are left alone. Returns how many."""
        dropped = 0
        groups: dict[int, list[str]] = defaultdict(list)
        for task_id in ids:
            groups[shard_of(task_id, len(self._shards))].append(task_id)
        for shard, group in groups.items():
            for chunk in chunked(group, MAX_BATCH):
                dropped += await self._gateway.run("drop", self._shards[shard].prefix, chunk)
        return dropped

    async def misplaced(self, shard: int) -> Counter[str]:
        """Count index entries without a record that belongs there: what the invariants of the store forbid."""
        keys = self._shards[shard]
        wrong: Counter[str] = Counter()
        for key, statuses in (
            (keys.due, ("scheduled",)),
            (keys.leases, ("running",)),
            (keys.dead, ("failed",)),
        ):
            ids = [
                item.decode(errors="replace") for item in await self._gateway.command("ZRANGE", key, 0, -1)
            ]
            found = await self._gateway.commands(("HGET", keys.task(task_id), "status") for task_id in ids)
            for status in found:
                if not isinstance(status, bytes) or status.decode(errors="replace") not in statuses:
                    wrong[f"{key.rpartition(':')[2]} holds a task that is {_word(status)}"] += 1
        return wrong


def _listed(reply: object) -> list[bytes]:
    return reply if isinstance(reply, list) else []


def _word(status: object) -> str:
    return status.decode(errors="replace") if isinstance(status, bytes) else "gone"


def _reclaimed(reply: list[object]) -> list[Reclaimed]:
    words = [item.decode(errors="replace") for item in reply[1:] if isinstance(item, bytes)]
    return [
        Reclaimed(task_id, owner, Status(status))
        for task_id, owner, status in zip(words[::3], words[1::3], words[2::3], strict=True)
    ]
