"""Nodes that follow another one on the same worker."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from jobbers import Dag, Jobbers, current_task
from tests.conftest import StartWorker


def line(app: Jobbers, task: Any, inline: bool | None, length: int = 6) -> Dag:
    """A chain."""
    dag = app.dag(f"line-{inline}-{length}")
    node = dag.node(task, 0)
    for _ in range(length - 1):
        node = dag.node(task, node)
        if inline is not None:
            node.inline(inline)
    return dag


async def test_a_chain_stays_on_one_worker(app: Jobbers, worker: StartWorker) -> None:
    workers: dict[str, set[str]] = defaultdict(set)

    @app.task
    async def step(number: int) -> int:
        task = current_task()
        workers[task.headers["jobbers-run"]].add(task.worker)
        await asyncio.sleep(0.005)
        return number + 1

    dag = line(app, step, True)
    async with worker(app, name="left", concurrency=3), worker(app, name="right", concurrency=3):
        runs = [await dag.submit() for _ in range(12)]
        assert [await run.result(20) for run in runs] == [6] * 12
    assert {len(seen) for seen in workers.values()} == {1}
    assert len(set().union(*workers.values())) == 2


async def test_a_place_is_never_used_twice(app: Jobbers, worker: StartWorker) -> None:
    running = most = 0

    @app.task
    async def step(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return number + 1

    dag = line(app, step, True)
    runs = [await dag.submit() for _ in range(20)]
    async with worker(app, concurrency=2):
        assert [await run.result(20) for run in runs] == [6] * 20
    assert most == 2


async def done(run: Any) -> int:
    return [str(node.status) for node in await run.nodes()].count("succeeded")


async def test_short_tasks_follow_by_themselves_and_a_paused_queue_is_respected(
    app: Jobbers, worker: StartWorker
) -> None:
    gate = asyncio.Event()

    @app.task
    async def step(number: int) -> int:
        if number == 3:
            await (await app.inspector()).pause("default")
            gate.set()
        return number + 1

    async with worker(app):
        run = await line(app, step, None).submit()
        await asyncio.wait_for(gate.wait(), 20)
        async with asyncio.timeout(20):
            while await done(run) < 4:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert await done(run) == 4
        await (await app.inspector()).resume("default")
        assert await run.result(20) == 6
