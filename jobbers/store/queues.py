"""Rules for queues, which every submission is held against: what is drained, what has a limit, which types go elsewhere."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobbers.core.lanes import Lane
from jobbers.core.names import check_name
from jobbers.core.queue_rules import QueueLimit, QueueRules
from jobbers.errors import InvalidName, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys, ShardKeys
from jobbers.store.live_policies import PolicyStore
from jobbers.store.wire import Argument, ReplyError

log = logging.getLogger("jobbers.store")

DRAIN, LIVE, CODE = "drain", "live", "code"
"""What a field of the hash begins with: a queue is drained, its limit as operators want it, and as the code says."""
POLICIES = {"refuse": "refuse", "drop_oldest": "drop"}
FRESH_SECONDS = 1.0
"""For how long a client goes by what it has read."""
MADE_ROOM = 200
"""How many tasks one call drops at most."""


class QueueStore:
    """The rules of a namespace. Each shard has a copy, which its script of submissions reads."""

    def __init__(
        self, gateway: Gateway, shards: Sequence[ShardKeys], keys: GlobalKeys, policies: PolicyStore
    ) -> None:
        self._gateway = gateway
        self._shards = shards
        self._keys = keys
        self._policies = policies
        self._known = QueueRules()
        self._until = 0.0
        self._reading: asyncio.Task[QueueRules] | None = None

    async def rules(self) -> QueueRules:
        """The rules as they are now. Raises :class:`StoreError`."""
        limits, routes, policies = await asyncio.gather(
            self._gateway.command("HGETALL", self._shards[0].queues, patience=0),
            self._gateway.command("HGETALL", self._keys.routes, patience=0),
            self._policies.look(),
        )
        return replace(read_rules(limits, routes), policies=policies)

    @property
    def recent(self) -> QueueRules | None:
        """The rules if they were read less than a second ago."""
        return self._known if time.monotonic() < self._until else None

    async def refreshed(self) -> QueueRules:
        """The rules, read if that was a second ago. While the server is away they are what they were: what is done by them
        will tell."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="jobbers-queue-rules")
        return await asyncio.shield(self._reading)

    async def _read(self) -> QueueRules:
        try:
            begun = time.monotonic()
            self._known = await self.rules()
            self._until = begun + FRESH_SECONDS
        except StoreError:
            pass
        finally:
            self._reading = None
        return self._known

    async def drain(self, queue: str) -> None:
        """Take nothing more that is submitted to a queue."""
        await self._set({f"{DRAIN}:{queue}": "1"})

    async def undrain(self, queue: str) -> None:
        """Take submissions again."""
        await self._drop(f"{DRAIN}:{queue}")

    async def limit(self, queue: str, limit: QueueLimit, retention_ms: int) -> None:
        """Set a limit live; dropped tasks are dead letters for ``retention_ms``."""
        await self._set({f"{LIVE}:{queue}": self._written(limit, retention_ms)})

    async def unlimit(self, queue: str) -> None:
        """Let the code say again how long a queue may become."""
        await self._drop(f"{LIVE}:{queue}")

    async def define(self, limits: Mapping[str, QueueLimit], retention_ms: int) -> None:
        """Write what the code says; what was set live goes before. Where garbage lies in the place of the rules nothing is
        written: upkeep puts it aside, and the next app to open writes."""
        if limits:
            try:
                await self._set(
                    {f"{CODE}:{queue}": self._written(limit, retention_ms) for queue, limit in limits.items()}
                )
            except StoreError as error:
                if type(error) is not StoreError:
                    raise
                log.warning("the limits of queues in code do not hold: %s", error)

    def _written(self, limit: QueueLimit, retention_ms: int) -> str:
        """Each shard takes its even part; the whole number is for reading."""
        part = -(-limit.max_length // len(self._shards))
        return f"{part} {POLICIES[limit.when_full]} {limit.max_length} {retention_ms}"

    async def _set(self, fields: Mapping[str, str]) -> None:
        pairs = [word for pair in fields.items() for word in pair]
        for keys in self._shards:
            await self._write(keys.prefix, ("HSET", keys.queues, *pairs))

    async def _drop(self, field: str) -> None:
        for keys in self._shards:
            await self._write(keys.prefix, ("HDEL", keys.queues, field))

    async def _write(self, prefix: str, command: tuple[Argument, ...]) -> None:
        (reply,) = await self._gateway.essential(prefix, [command])
        if isinstance(reply, ReplyError):
            raise StoreError(f"the rules in {command[1]!s} cannot be changed: {reply}")
        self._until = 0.0

    async def route(self, kind: str, queue: str) -> None:
        """Send the tasks of a type to this queue."""
        await self._write(self._keys.prefix, ("HSET", self._keys.routes, kind, queue))

    async def unroute(self, kind: str) -> bool:
        """Send them where their type says; tells whether they went elsewhere."""
        known = kind in (await self.rules()).routes
        await self._write(self._keys.prefix, ("HDEL", self._keys.routes, kind))
        return known

    async def depth(self, queue: str) -> int:
        """How many tasks are ready in a queue."""
        lanes = [keys.lane(Lane(queue, priority)) for keys in self._shards for priority in range(10)]
        depths = await self._gateway.commands(("XLEN", lane) for lane in lanes)
        return sum(depth for depth in depths if isinstance(depth, int))

    async def length(self, queue: str) -> int:
        """How many tasks are ready in a queue, or parked: what is held against its limit where one more is refused."""
        parked = await self._gateway.commands(("HGET", keys.parked, queue) for keys in self._shards)
        return await self.depth(queue) + sum(
            int(number) for number in parked if isinstance(number, bytes) and number.isdigit()
        )

    async def make_room(self, shard: int, queue: str) -> int:
        """Drop the oldest tasks of a queue above its limit, up to a batch. Returns how many."""
        prefix = self._shards[shard].prefix
        return int(await self._gateway.run("make_room", prefix, [queue, MADE_ROOM]))

    async def entries(
        self, shard: int, lane: Lane, after: str, until_ms: int, count: int
    ) -> list[tuple[str, str]]:
        """Entries of a lane with their ids of tasks: those behind ``after`` that were made before a time."""
        key = self._shards[shard].lane(lane)
        start = f"({after}" if after else "-"
        (reply,) = await self._gateway.commands([("XRANGE", key, start, until_ms, "COUNT", count)])
        found = reply if isinstance(reply, list) else []
        return [(entry.decode(), words[1].decode(errors="replace")) for entry, words in found]

    async def purge(self, shard: int, queue: str, ids: Sequence[str], call: str, *, retention_ms: int) -> int:
        """Cancel those of these tasks that wait in the queue. Returns how many; the same when the call is repeated."""
        args: list[Argument] = [retention_ms, "purged by an operator", call, queue, *ids]
        return int(await self._gateway.run("purge", self._shards[shard].prefix, args))


def read_rules(limits: Any, routes: Any) -> QueueRules:
    """The rules as two hashes hold them. What makes no sense is left out."""
    draining = set()
    found: dict[str, dict[str, QueueLimit]] = {LIVE: {}, CODE: {}}
    for field, text in _pairs(limits):
        kind, _, queue = field.partition(":")
        if kind == DRAIN:
            draining.add(queue)
        elif kind in found and (
            match := re.fullmatch(r"[0-9]{1,12} (refuse|drop) ([0-9]{1,12}) [0-9]{1,15}", text)
        ):
            when_full = "refuse" if match[1] == "refuse" else "drop_oldest"
            found[kind][queue] = QueueLimit(int(match[2]), when_full)  # type: ignore[arg-type]
    both = found[CODE] | found[LIVE]
    return QueueRules(
        frozenset(draining),
        {queue: limit for queue, limit in both.items() if limit.max_length},
        {kind: queue for kind, queue in _pairs(routes) if _legal(queue)},
    )


def _pairs(reply: Any) -> Iterable[tuple[str, str]]:
    words = [word.decode(errors="replace") for word in reply] if isinstance(reply, list) else []
    return zip(words[::2], words[1::2], strict=False)


def _legal(queue: str) -> bool:
    try:
        check_name(queue, "the queue")
    except InvalidName:
        return False
    return True
