"""Jobbers: a graph with a node for each task, a map over a list, and chains through the queue and in place."""

from __future__ import annotations

from typing import Any

from benchmarks.flows.adapters.base import CONCURRENCY, PATIENCE, Adapter, Flow, fan_of, main, run
from jobbers import Jobbers
from jobbers.worker import Worker

WIDEST = 990
"""A graph takes at most 1,000 nodes; a map takes more."""


async def root(width: int) -> int:
    return width


async def numbers(width: int) -> list[int]:
    return list(range(width))


async def child(before: int, number: int) -> int:
    return number


async def item(number: int) -> int:
    return number


async def join(found: list[int]) -> int:
    return sum(found)


async def step(value: int) -> int:
    return value + 1


class JobbersAdapter(Adapter):
    """Defaults: lease 10 s, results kept, up to 1,000 items of a map under way at a time."""

    packages = ("jobbers", "redis", "hiredis", "uvloop")
    settings = f"asyncio worker, concurrency {CONCURRENCY}, defaults; static: {WIDEST} wide"
    flows = ("fan:static", "fan:map", "chain:queued", "chain:inline")

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.app = Jobbers(url)
        bodies: tuple[Any, ...] = (root, numbers, child, item, join, step)
        for body in bodies:
            self.app.task(name=body.__name__)(body)
        self.graphs = 0

    async def close(self) -> None:
        await self.app.close()

    def build(self, flow: str, width: int, length: int) -> Flow:
        self.graphs += 1
        dag = self.app.dag(f"{flow.replace(':', '-')}-{self.graphs}")
        tasks: dict[str, Any] = self.app.task_types

        async def run_it() -> Any:
            return await (await dag.submit()).result(timeout=PATIENCE)

        if flow == "fan:static":
            width = min(width, WIDEST)
            first = dag.node(tasks["root"], width)
            dag.node(tasks["join"], [dag.node(tasks["child"], first, number) for number in range(width)])
            return fan_of(width, run_it)
        if flow == "fan:map":
            dag.node(tasks["join"], dag.map(tasks["item"], dag.node(tasks["numbers"], width)))
            return fan_of(width, run_it)
        last = dag.node(tasks["step"], 0)
        for _ in range(length - 1):
            last = dag.node(tasks["step"], last).inline(flow == "chain:inline")
        return Flow(length, length, run_it)

    def work(self) -> None:
        run(Worker(self.app, concurrency=CONCURRENCY).run())


if __name__ == "__main__":
    main(JobbersAdapter)
