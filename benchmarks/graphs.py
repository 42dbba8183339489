"""How long do runs of many nodes take to launch, cancel and repeat, and for how long is the server kept from others?

``python -m benchmarks.graphs`` measures runs of 1,000 and 5,000 nodes of four shapes, several times each: the time that the
client waits and, in brackets, the longest single call as the server's slow log has it. Medians, in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable

from benchmarks.server import Server, find_binary
from jobbers import Dag, Jobbers, TaskType, new_id
from jobbers.errors import TaskFailed
from jobbers.store.store import Store
from jobbers.testing import running_worker

LAYER = 100
SHAPES = ("wide", "chain", "layers", "fan")


def build(app: Jobbers, name: str, shape: str, nodes: int, first: TaskType[..., None]) -> Dag:
    """A graph: all at once, one behind the other, layers of 100 that each wait for two, or one before all before one."""
    noop, dag = app.find("noop"), app.dag(name)
    if shape == "wide":
        for _ in range(nodes):
            dag.node(noop)
    elif shape == "chain":
        last = dag.node(first)
        for _ in range(nodes - 1):
            last = dag.node(noop).after(last)
    elif shape == "layers":
        layer = [dag.node(first) for _ in range(LAYER)]
        for _ in range(nodes // LAYER - 1):
            layer = [dag.node(noop).after(layer[i], layer[(i + 1) % LAYER]) for i in range(LAYER)]
    else:
        root = dag.node(first)
        dag.node(noop).after(*[dag.node(noop).after(root) for _ in range(nodes - 2)])
    return dag


class Samples:
    """What verbs took, and their longest calls, in ms."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[str, list[tuple[float, float]]] = defaultdict(list)

    async def take(self, verb: str, work: Awaitable[object]) -> None:
        """Measure something once."""
        await self._store.gateway.command("SLOWLOG", "RESET")
        begun = time.perf_counter()
        with contextlib.suppress(TaskFailed):
            await work
        took = time.perf_counter() - begun
        calls = await self._store.gateway.command("SLOWLOG", "GET", 1000)
        self._found[verb].append((took * 1000, max((call[2] / 1000 for call in calls), default=0.0)))

    def told(self) -> str:
        """The medians, as cells of a table."""
        medians = [map(statistics.median, zip(*found, strict=True)) for found in self._found.values()]
        return " | ".join(f"{took:.0f} ({longest:.0f})" for took, longest in medians)


async def measure(url: str, shape: str, nodes: int, times: int) -> str:
    """A row of the table: launch, cancel, repeat, and the end of a run whose first node fails."""
    app = Jobbers(url, namespace=f"graphs-{shape}-{nodes}")

    @app.task
    async def noop() -> None: ...

    @app.task
    async def broken() -> None:
        raise ValueError

    good, bad = build(app, "good", shape, nodes, noop), build(app, "bad", shape, nodes, broken)
    async with app:
        store = (await app.client()).store
        await store.gateway.command("CONFIG", "SET", "slowlog-log-slower-than", 1000)
        samples = Samples(store)
        for _ in range(times):
            run_id = new_id()
            await samples.take("launch", good.submit_as(run_id, {}))
            await samples.take("cancel", app.run(run_id).cancel())
            await samples.take("repeat", app.run(run_id).retry())
            await app.run(run_id).cancel()
            run = await bad.submit()
            async with running_worker(app, concurrency=100):
                await samples.take("fail", run.result(60))
    return samples.told()


def main() -> None:
    """Obey the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--server")
    options = parser.parse_args()
    logging.getLogger("jobbers").setLevel(logging.CRITICAL)
    print("| nodes | shape | launch | cancel | repeat | first fails |")
    print("| ---: | --- | ---: | ---: | ---: | ---: |")
    for nodes in (1000, 5000):
        for shape in SHAPES:
            with Server(find_binary(options.server)) as server:
                wire = f"| {nodes:,} | {shape} | {asyncio.run(measure(server.url, shape, nodes, options.times))} |"
            print(wire, flush=True)


if __name__ == "__main__":
    main()
