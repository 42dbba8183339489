"""Batches: a thousand tasks in a few calls, each with a result, an error and retries of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jobbers import Batch, Fail, Jobbers, Retry, TaskFailed, current_batch
from jobbers.worker import Worker

app = Jobbers()
calls: list[set[str]] = []


@dataclass
class Event:
    tenant: str
    amount: int


@app.task(batch=Batch(size=100, linger="50ms", by="tenant"), retry=Retry(3, delay=0.1))
async def store(events: list[Event]) -> list[int | Exception]:
    """One statement for many rows; what is wrong with one row is no harm to the others."""
    calls.append({event.tenant for event in events})
    outcomes: list[int | Exception] = []
    for event, task in zip(events, current_batch().tasks, strict=True):
        if event.amount < 0:
            outcomes.append(Fail("a negative amount"))
        elif event.amount == 13 and task.attempt == 1:
            outcomes.append(ConnectionError("this row only"))
        else:
            outcomes.append(event.amount)
    return outcomes


async def main() -> None:
    async with app:
        # Each event is a task of its own: submitted, retried, cancelled and looked at like any other.
        handles = await store.map([Event("acme" if n % 2 else "initech", 100 + n) for n in range(1000)])
        worker = Worker(app, concurrency=500)
        running = asyncio.create_task(worker.run())
        stored = [await handle.result(30) for handle in handles]
        print(f"{len(stored):,} events stored")
        print(f"in fewer than 100 calls: {len(calls) < 100}")
        print(f"no call for two tenants: {all(len(tenants) == 1 for tenants in calls)}")

        bad, unlucky = await store.map([Event("acme", -1), Event("acme", 13)])
        try:
            await bad.result(30)
        except TaskFailed as failed:
            print(f"failed: {failed.reason}")
        await unlucky.result(30)
        print(f"stored at the second attempt: {(await unlucky.record()).attempt == 2}")

        worker.stop()
        await running


if __name__ == "__main__":
    asyncio.run(main())
