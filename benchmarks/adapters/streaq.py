"""streaQ: streams and a function library, on coredis; bulk is ``enqueue_many``."""

from __future__ import annotations

from typing import Any

from streaq import Worker

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, main, run

CHUNK = 1000


class StreaqAdapter(Adapter):
    """streaQ with silent tasks and its default prefetch."""

    packages = ("streaq", "coredis", "uvloop")
    settings = "silent tasks, default prefetch, results kept five minutes (default)"

    def __init__(self, url: str, kind: str, concurrency: int) -> None:
        super().__init__(url, kind, concurrency)
        self.worker = Worker(redis_url=url, concurrency=concurrency, handle_signals=False)
        self.tasks: dict[str, Any] = {
            name: self.worker.task(name=name, silent=True)(body) for name, body in bodies.BODIES.items()
        }

    async def open(self) -> None:
        await self.worker.__aenter__()

    async def close(self) -> None:
        await self.worker.__aexit__(None, None, None)

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.tasks[kind].enqueue(**arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        enqueue = self.tasks[kind].enqueue
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            await self.worker.enqueue_many([enqueue(**arguments) for _ in range(size)])

    def work(self) -> None:
        run(self.worker.run_async())


if __name__ == "__main__":
    main(StreaqAdapter)
