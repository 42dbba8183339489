"""SAQ: list with BLMOVE, one connection per concurrent dequeue; bulk is many submissions in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from saq import Worker
from saq.queue.redis import RedisQueue

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, gather_many, main, run


async def noop(ctx: dict[str, Any], *, payload: str = "") -> int:
    """The no-op body behind SAQ's context."""
    bodies.hit()
    return 1


async def nap(ctx: dict[str, Any]) -> int:
    """The nap behind SAQ's context."""
    await asyncio.sleep(bodies.NAP_SECONDS)
    bodies.hit()
    return 1


async def stamp(ctx: dict[str, Any], *, index: int) -> int:
    """The stamp behind SAQ's context."""
    bodies.mark(index)
    bodies.hit()
    return 1


class SaqAdapter(Adapter):
    """SAQ with room for its connections."""

    packages = ("saq", "redis", "hiredis", "uvloop")
    settings = "max_concurrent_ops 200, pool of 2,000, results kept ten minutes (default)"
    queue: RedisQueue

    def _queue(self) -> RedisQueue:
        return RedisQueue(Redis.from_url(self.url, max_connections=2000), max_concurrent_ops=200)

    async def open(self) -> None:
        self.queue = self._queue()

    async def close(self) -> None:
        await self.queue.disconnect()

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.queue.enqueue(kind, **arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        await gather_many(lambda: self.queue.enqueue(kind, **arguments), count, 50)

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        functions: list[Any] = [("noop", noop), ("nap", nap), ("stamp", stamp)]
        await Worker(self._queue(), functions, concurrency=self.concurrency).start()


if __name__ == "__main__":
    main(SaqAdapter)
