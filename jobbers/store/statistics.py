"""Statistics: the counters of minutes, where the tasks of each queue stand, and who serves it. All reads are bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobbers.core.tallies import Tallies
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys, ShardKeys
from jobbers.store.record import read_lane
from jobbers.store.tasks import chunked

KEPT_MINUTES = 1440
"""For how many minutes there are counters; the scripts let each hash expire a day after its first count."""
MOST_LOOKED_AT = 10_000
"""Of one index, in all shards. Beyond that what is found in the first ones is scaled up."""
MOST_SAMPLED = 500
"""Queues in a sample of depth, the deepest ones; those in which nothing is ready need none."""
_AT_ONCE = 1_000


@dataclass(slots=True)
class Places:
    """How many tasks of each queue are in each of these statuses; ``exact`` unless an index was too long to read whole."""

    by_queue: dict[str, Counter[str]] = field(default_factory=dict)
    exact: bool = True


class StatisticsStore:
    """For all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys], keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._shards = shards
        self._global = keys

    async def minutes(self, last: int, count: int) -> dict[int, Tallies]:
        """The counters of ``count`` minutes, ``last`` being the last one in minutes since 1970."""
        wanted = [(minute, keys) for minute in range(last - count + 1, last + 1) for keys in self._shards]
        found = {minute: Tallies() for minute, _ in wanted}
        for chunk in chunked(wanted, _AT_ONCE):
            replies = await self._gateway.commands(("HGETALL", keys.stats(minute)) for minute, keys in chunk)
            for (minute, _), reply in zip(chunk, replies, strict=True):
                if isinstance(reply, list):
                    found[minute].read(zip(reply[::2], reply[1::2], strict=False))
        return found

    async def by_shard(self, last: int, count: int) -> list[Tallies]:
        """The counters of ``count`` minutes together, for each shard."""
        found = []
        for keys in self._shards:
            commands = [("HGETALL", keys.stats(minute)) for minute in range(last - count + 1, last + 1)]
            tallies = Tallies()
            for reply in await self._gateway.commands(commands):
                if isinstance(reply, list):
                    tallies.read(zip(reply[::2], reply[1::2], strict=False))
            found.append(tallies)
        return found

    async def sample(self, minute: int, ready: Mapping[str, int]) -> None:
        """Keep how many tasks are ready, once a minute: the first sample counts."""
        key = self._shards[0].stats(minute)
        deepest = sorted((item for item in ready.items() if item[1]), key=lambda item: -item[1])[
            :MOST_SAMPLED
        ]
        await self._gateway.commands(
            [
                ("HSETNX", key, "||ready|n", 1),
                *(("HSETNX", key, f"{queue}||ready|n", depth) for queue, depth in deepest),
                ("EXPIRE", key, KEPT_MINUTES * 60),
            ]
        )

    async def places(self) -> Places:
        """Which queues the scheduled, running and dead tasks belong to. Costs a read for each of them."""
        places = Places()
        for status in ("scheduled", "running", "dead"):
            await self._look(status, places)
        return places

    async def _look(self, status: str, places: Places) -> None:
        name = {"scheduled": "due", "running": "leases", "dead": "dead"}[status]
        most = -(-MOST_LOOKED_AT // len(self._shards))
        for keys in self._shards:
            index = getattr(keys, name)
            total, ids = await self._gateway.commands(
                [("ZCARD", index), ("ZRANGE", index, 0, most - 1)],
            )
            if not isinstance(ids, list) or not ids or not isinstance(total, int):
                continue
            found = await self._queues_of(keys, [item.decode(errors="replace") for item in ids])
            places.exact = places.exact and total <= len(ids)
            for queue, number in found.items():
                share = number if total <= len(ids) else round(number * total / len(ids))
                places.by_queue.setdefault(queue, Counter())[status] += share

    async def _queues_of(self, keys: ShardKeys, ids: Sequence[str]) -> Counter[str]:
        found: Counter[str] = Counter()
        for chunk in chunked(ids, _AT_ONCE):
            replies = await self._gateway.commands(("HGET", keys.task(task_id), "lane") for task_id in chunk)
            lanes = (read_lane(reply) for reply in replies if isinstance(reply, bytes))
            found.update(lane.queue for lane in lanes if lane is not None)
        return found

    async def served(self, since_ms: int) -> dict[str, set[str]]:
        """The workers that have served each queue at or after a time, up to a day ago."""
        (reply,) = await self._gateway.commands([("ZRANGEBYSCORE", self._global.served, since_ms, "+inf")])
        found: dict[str, set[str]] = {}
        for member in reply if isinstance(reply, list) else []:
            worker, _, queue = member.decode(errors="replace").partition(" ")
            found.setdefault(queue, set()).add(worker)
        return found
