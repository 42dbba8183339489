"""streaQ: tasks ``after`` others, which orders but passes nothing, so the join reads results; a chain of ``then``."""

from __future__ import annotations

import asyncio
from typing import Any

from streaq import Worker

from benchmarks.flows.adapters.base import CONCURRENCY, PATIENCE, Adapter, Flow, fan_of, main, run


class StreaqAdapter(Adapter):
    """Silent tasks, default prefetch. Tasks with dependencies are submitted one by one, as its documentation has it.

    The join reads all results in one command: ``result_by_id`` opens a subscription for each, which takes seconds.
    """

    packages = ("streaq", "coredis", "uvloop")
    settings = f"asyncio worker, concurrency {CONCURRENCY}, silent tasks; join reads results with one MGET"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.worker = Worker(redis_url=url, concurrency=CONCURRENCY, handle_signals=False)
        self.tasks: dict[str, Any] = {
            body.__name__: self.worker.task(name=body.__name__, silent=True)(body)
            for body in (self.root, self.child, self.join, self.step)
        }

    async def root(self, width: int) -> int:
        return width

    async def child(self, number: int) -> int:
        return number

    async def step(self, value: int) -> int:
        return value + 1

    async def join(self, ids: list[str]) -> int:
        found = await self.worker.redis.mget([self.worker.results_key + one for one in ids])
        return sum([(await self.worker.deserialize(one))["r"] for one in found])

    async def open(self) -> None:
        await self.worker.__aenter__()

    async def close(self) -> None:
        await self.worker.__aexit__(None, None, None)

    def build(self, flow: str, width: int, length: int) -> Flow:
        if flow == "chain":
            last = self.tasks["step"].enqueue(0)
            for _ in range(length - 1):
                last = last.then(self.tasks["step"])

            async def run_chain() -> Any:
                return (await (await last).result(timeout=PATIENCE)).result

            return Flow(length, length, run_chain)
        root = self.tasks["root"].enqueue(width)
        children = [self.tasks["child"].enqueue(number).start(after=root.id) for number in range(width)]
        ids = [one.id for one in children]
        join = self.tasks["join"].enqueue(ids).start(after=ids)

        async def run_fan() -> Any:
            await root
            await asyncio.gather(*children)
            return (await (await join).result(timeout=PATIENCE)).result

        return fan_of(width, run_fan)

    def work(self) -> None:
        run(self.worker.run_async())


if __name__ == "__main__":
    main(StreaqAdapter)
