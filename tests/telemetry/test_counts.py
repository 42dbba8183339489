"""Missed heartbeats and ends of runs have metrics of their own."""

from __future__ import annotations

import asyncio

from jobbers import Jobbers, chain
from jobbers.core.events import RunsCounted
from jobbers.telemetry.counting import Counting
from jobbers.worker.duties.measure import Measure
from tests.conftest import StartWorker


def series(counting: Counting, metric: str) -> dict[tuple[str, ...], object]:
    """By the values of the labels."""
    return {
        tuple(value for _, value in labels): number
        for family in counting.metrics.families()
        if family.name == metric
        for labels, number in family.series
    }


async def test_missed_heartbeats_are_counted_by_type(app: Jobbers, worker: StartWorker) -> None:
    counting = Counting(app.events)

    @app.task(heartbeat=0.1, queue="mail")
    async def silent() -> None:
        await asyncio.sleep(30)

    @app.task
    async def well() -> None: ...

    missed, fine = await silent.submit(), await well.submit()
    async with worker(app):
        await missed.wait(20)
        await fine.wait(20)
    assert series(counting, "jobbers.heartbeats.missed") == {("mail", "silent"): 1}


async def test_runs_are_counted_by_graph_and_outcome(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def half(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    pairs = app.dag("pairs")
    pairs.node(half, pairs.param("number"))
    store = (await app.client()).store
    heard: list[RunsCounted] = []
    app.events.subscribe(heard.append, RunsCounted)
    counting = Counting(app.events)
    async with worker(app):
        for number in (2, 4, 3):
            await (await pairs.submit(number=number)).wait(20)
        await (await chain(half.s(2)).submit()).wait(20)
    # What ended in this minute is told in the next: so that it need not be waited for, it is added to the last.
    now = await store.inspect.now_ms() // 60_000
    for keys in store.shards:
        pairs_of = iter(await store.gateway.command("HGETALL", keys.stats(now)))
        for name, number in zip(pairs_of, pairs_of, strict=True):
            await store.gateway.command("HINCRBY", keys.stats(now - 1), name, number)
        await store.gateway.command("EXPIRE", keys.stats(now - 1), 600)
    heard.clear()
    await Measure(store, app.events).tick(0)
    assert RunsCounted("pairs", "succeeded", 2) in heard
    assert RunsCounted("pairs", "failed", 1) in heard
    assert {it.name for it in heard} > {"pairs"}, "the chain, under its own name"
    assert series(counting, "jobbers.runs.last_minute")["pairs", "failed"] == 1
