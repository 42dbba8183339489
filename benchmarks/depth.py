"""Does the depth of the backlog matter, and does a worker's memory grow?

``python -m benchmarks.depth`` measures the server's time for a claim of fifty with 1,000 and with 1,000,000 tasks queued,
then drains the million with one worker process and reads its memory on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import sys
from pathlib import Path

from benchmarks.server import Server, find_binary
from jobbers import Jobbers, TaskType
from jobbers.core.lanes import Lane
from jobbers.store.store import Store
from jobbers.worker import Worker
from jobbers.worker.loop import run

BATCH = 50
CLAIMS = 12
LANES = [Lane("default", 5)]


def make_app(url: str) -> tuple[Jobbers, TaskType[[], None]]:
    """The app that both sides use."""
    app = Jobbers(url, namespace="depth")

    @app.task
    async def noop() -> None:
        """Do nothing."""

    return app, noop


def work(url: str) -> None:
    """One worker, until it is terminated."""
    run(Worker(make_app(url)[0], concurrency=100).run(signals=True))


async def claim_micros(store: Store) -> float:
    """The server's microseconds for each of some claims of a batch: the fastest, as a shared machine only adds."""
    times = []
    for _ in range(CLAIMS):
        await store.gateway.command("CONFIG", "RESETSTAT")
        await store.tasks.claim(0, f"depth/{secrets.token_hex(4)}", LANES, BATCH, 60_000, 1000)
        text = (await store.gateway.command("INFO", "commandstats")).decode()
        line = next(line for line in text.splitlines() if line.startswith("cmdstat_evalsha"))
        times.append(float(line.partition("usec=")[2].partition(",")[0]))
    return min(times)


async def measure(url: str, many: int) -> tuple[float, float]:
    """Microseconds of a claim with 1,000 and with ``many`` tasks queued; leaves the queue full."""
    app, noop = make_app(url)
    async with app:
        store = (await app.client()).store
        shallow, deep = [], []
        for _ in range(5):
            await store.gateway.command("FLUSHALL")
            await noop.starmap([()] * 1000)
            shallow.append(await claim_micros(store))
        await store.gateway.command("FLUSHALL")
        for _ in range(many // 20_000):
            await noop.starmap([()] * 20_000)
        for _ in range(5):
            deep.append(await claim_micros(store))
            await noop.starmap([()] * BATCH * CLAIMS)
        return statistics.median(shallow), statistics.median(deep)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def drain(url: str) -> list[float]:
    """Resident MiB of one worker process, once a second while it drains the queue."""
    code = f"from benchmarks.depth import work; work({url!r})"
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    samples = []
    app, _ = make_app(url)
    try:
        async with app:
            inspector = await app.inspector()
            while (await inspector.counts())["queued"]:
                await asyncio.sleep(1.0)
                samples.append(resident_mib(worker.pid))
    finally:
        worker.terminate()
        await worker.wait()
    return samples


def main() -> None:
    """Obey the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--server")
    options = parser.parse_args()
    with Server(find_binary(options.server)) as server:
        shallow, deep = asyncio.run(measure(server.url, options.many))
        samples = asyncio.run(drain(server.url))
    print(
        f"claim of {BATCH}: {shallow:.0f} µs at 1,000 queued, {deep:.0f} µs at {options.many:,}: {deep / shallow:.2f}"
    )
    quarters = [samples[len(samples) * part // 4] for part in (1, 2, 3)] + [samples[-1]]
    print(
        f"worker memory at 25, 50, 75, 100 % of {options.many:,}: {', '.join(f'{mib:.1f}' for mib in quarters)} MiB"
    )


if __name__ == "__main__":
    main()
