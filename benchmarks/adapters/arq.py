"""arq: sorted set, optimistic claims; no bulk API, so bulk is many submissions in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, func

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, gather_many, main, run


async def noop(ctx: dict[Any, Any], payload: str = "") -> int:
    """The no-op body behind arq's context."""
    bodies.hit()
    return 1


async def nap(ctx: dict[Any, Any]) -> int:
    """The nap behind arq's context."""
    await asyncio.sleep(bodies.NAP_SECONDS)
    bodies.hit()
    return 1


async def stamp(ctx: dict[Any, Any], index: int) -> int:
    """The stamp behind arq's context."""
    bodies.mark(index)
    bodies.hit()
    return 1


class ArqAdapter(Adapter):
    """arq with a poll delay of 1 ms instead of 500 ms."""

    packages = ("arq", "redis", "hiredis", "uvloop")
    settings = "poll_delay 1 ms, results kept an hour (default)"
    pool: ArqRedis

    async def open(self) -> None:
        self.pool = await create_pool(RedisSettings.from_dsn(self.url))

    async def close(self) -> None:
        await self.pool.aclose()

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.pool.enqueue_job(kind, **arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        await gather_many(lambda: self.pool.enqueue_job(kind, **arguments), count, 50)

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        worker = Worker(
            [func(noop, name="noop"), func(nap, name="nap"), func(stamp, name="stamp")],
            redis_settings=RedisSettings.from_dsn(self.url),
            max_jobs=self.concurrency,
            poll_delay=0.001,
            handle_signals=False,
        )
        await worker.async_run()


if __name__ == "__main__":
    main(ArqAdapter)
