"""What is global and changes while workers run: the layout, pauses, and the roll of workers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobbers.core.lanes import Lane
from jobbers.errors import ConfigError, NotFound, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import LAYOUT_VERSION, WORKER_ORDER, GlobalKeys, ShardKeys
from jobbers.store.live_policies import PolicyStore
from jobbers.store.wire import ReplyError

ORDERS = ("pause", "drain")
"""What a worker can be told: to claim nothing; to claim nothing, and to end when what runs has ended."""
SERVED_MS = 86_400_000
"""For how long it is known which worker served which queue."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself: all values are text, times of the server's clock."""

    id: str
    seen: datetime
    silent_seconds: float
    facts: Mapping[str, str]


class ControlStore:
    """Layout, pauses and workers of a namespace."""

    def __init__(
        self, gateway: Gateway, shards: Sequence[ShardKeys], keys: GlobalKeys, policies: PolicyStore
    ) -> None:
        self._gateway = gateway
        self._shards = shards
        self._keys = keys
        self._policies = policies

    async def check_layout(self) -> None:
        """Write the layout if the namespace is new, else check that ours agrees. Raises :class:`ConfigError`."""
        meta = self._keys.meta
        await self._gateway.essential(
            self._keys.prefix,
            [("HSETNX", meta, "shards", len(self._shards)), ("HSETNX", meta, "layout", LAYOUT_VERSION)],
        )
        (reply,) = await self._gateway.commands([("HMGET", meta, "shards", "layout")])
        if isinstance(reply, ReplyError) and reply.word != "WRONGTYPE":
            raise StoreError(f"the layout of namespace {self._keys.prefix} cannot be read: {reply}")
        shards, layout = map(_number, reply) if isinstance(reply, list) else (None, None)
        if shards is None or layout is None:
            raise ConfigError(
                f"key {meta} does not say how many shards namespace {self._keys.prefix} has: something else was written "
                f"there; write it again (HSET {meta} shards {len(self._shards)} layout {LAYOUT_VERSION}) if this app is "
                "the one that made the namespace, or use another namespace"
            )
        if shards != len(self._shards):
            raise ConfigError(
                f"namespace {self._keys.prefix} was made with {shards} shards and this app wants "
                f"{len(self._shards)}: the count cannot change; use shards={shards} or another namespace"
            )
        if layout > LAYOUT_VERSION:
            raise ConfigError(
                f"namespace {self._keys.prefix} has layout {layout} and this release knows up to "
                f"{LAYOUT_VERSION}: upgrade jobbers"
            )

    async def pause(self, queue: str) -> None:
        """Give nothing out of a queue any more; what runs goes on."""
        await self._gateway.commands(("SADD", keys.paused, queue) for keys in self._shards)

    async def resume(self, queue: str) -> None:
        """Give out of a queue again, and wake a waiting worker for each of its lanes that holds something: an entry that
        names no task rings the bell, and the claim that follows drops it."""
        await self._gateway.commands(("SREM", keys.paused, queue) for keys in self._shards)
        lanes = [keys.lane(Lane(queue, priority)) for keys in self._shards for priority in range(10)]
        depths = await self._gateway.commands(("XLEN", lane) for lane in lanes)
        held = [lane for lane, depth in zip(lanes, depths, strict=True) if isinstance(depth, int) and depth]
        await self._gateway.commands(("XADD", lane, "*", "id", "-") for lane in held)

    async def paused(self) -> set[str]:
        """The paused queues."""
        return {item.decode() for item in await self._gateway.command("SMEMBERS", self._shards[0].paused)}

    async def announce(self, worker: str, facts: Mapping[str, str | int | float], ttl_ms: int) -> str:
        """Enter a worker into the roll, or refresh it. Returns what an operator has told it: one of :data:`ORDERS`, or
        nothing. It also reads what operators have changed about task types."""
        seconds, _ = await self._gateway.command("TIME", patience=0)
        now = int(seconds) * 1000
        pairs = [part for pair in facts.items() for part in pair]
        served = [
            word for queue in str(facts.get("queues", "")).split(",") for word in (now, f"{worker} {queue}")
        ]
        *_, told, policies = await self._gateway.essential(
            self._keys.prefix,
            [
                ("ZADD", self._keys.workers, now, worker),
                ("HSET", self._keys.worker(worker), *pairs),
                ("PEXPIRE", self._keys.worker(worker), ttl_ms),
                ("ZADD", self._keys.served, *served),
                ("ZREMRANGEBYSCORE", self._keys.served, "-inf", now - SERVED_MS),
                ("HGET", self._keys.worker(worker), WORKER_ORDER),
                self._policies.read,
            ],
        )
        self._policies.heard(policies)
        return told.decode(errors="replace") if isinstance(told, bytes) else ""

    async def tell(self, worker: str, order: str) -> None:
        """Tell a worker one of :data:`ORDERS`, or with nothing to go on; it hears of it when it next announces itself.
        Raises :class:`NotFound`."""
        key = self._keys.worker(worker)
        write = ("HSET", key, WORKER_ORDER, order) if order else ("HDEL", key, WORKER_ORDER)
        *_, left = await self._gateway.essential(self._keys.prefix, [write, ("PTTL", key)])
        if not isinstance(left, int) or left < 0:
            if left == -1:  # it has gone, and this would stay
                await self._gateway.command("DEL", key)
            raise NotFound(f"there is no worker {worker!r}: see the list of workers for their ids")

    async def leave(self, workers: Sequence[str]) -> None:
        """Strike workers from the roll."""
        if workers:
            await self._gateway.commands(
                [
                    ("ZREM", self._keys.workers, *workers),
                    *(("DEL", self._keys.worker(name)) for name in workers),
                ]
            )

    async def workers(self) -> list[WorkerInfo]:
        """The roll. A worker that has been silent for long keeps its line until it is pruned."""
        (seconds, _), scored = await self._gateway.commands(
            [("TIME",), ("ZRANGE", self._keys.workers, 0, -1, "WITHSCORES")]
        )
        if not isinstance(scored, list):
            return []
        names = [item.decode(errors="replace") for item in scored[::2]]
        facts = await self._gateway.commands(("HGETALL", self._keys.worker(name)) for name in names)
        roll = []
        for name, score, pairs in zip(names, scored[1::2], facts, strict=True):
            words = [item.decode(errors="replace") for item in pairs] if isinstance(pairs, list) else []
            seen = min(max(float(score) / 1000, 0.0), float(seconds))  # it may have been written by anybody
            roll.append(
                WorkerInfo(
                    id=name,
                    seen=datetime.fromtimestamp(seen, UTC),
                    silent_seconds=max(0.0, int(seconds) - seen),
                    facts=dict(zip(words[::2], words[1::2], strict=False)),
                )
            )
        return roll

    async def prune_workers(self, silent_seconds: float) -> int:
        """Strike workers that have been silent for longer than this."""
        silent = [worker.id for worker in await self.workers() if worker.silent_seconds > silent_seconds]
        await self.leave(silent)
        return len(silent)


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, bytes) and re.fullmatch(rb"[0-9]{1,9}", value) else None
