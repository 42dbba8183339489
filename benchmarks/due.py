"""How late does what is due start, and does a schedule cost more when there are many others?

``python -m benchmarks.due`` submits tasks of which 1,000 become due each second, and says how late a worker began them.
Then it lets ten schedules fire every second, alone and beside 100,000 others that are not due, and says how late they were
and what the server spent on it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ulid import ULID

from benchmarks.child import Child
from benchmarks.server import Server, find_binary
from jobbers import Jobbers, TaskType, current_task
from jobbers.worker import Worker
from jobbers.worker.loop import run

SETTLE_SECONDS = 2.0
FIRING = 10
SECONDS_OF_SCHEDULES = 20
WRITERS = 200


class Lateness(NamedTuple):
    """Milliseconds between the time at which a task was due and its first line."""

    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Lateness:
        """Of some."""
        cuts = statistics.quantiles(samples, n=100, method="inclusive")
        return cls(cuts[49], cuts[98], max(samples))

    def __str__(self) -> str:
        return f"{self.p50:.1f} ms (median), {self.p99:.1f} ms (p99), {self.longest:.1f} ms (longest)"


def make_app(url: str, notes: Path) -> tuple[Jobbers, TaskType[[float], None], TaskType[[], None]]:
    """The app that both sides use. Its tasks note how late they are."""
    app = Jobbers(url, namespace="due")
    late: list[float] = []

    def note(ms: float) -> None:
        late.append(ms)
        if len(late) == 1:
            asyncio.get_running_loop().call_later(0.5, write)

    def write() -> None:
        with notes.open("a") as file:
            file.writelines(f"{ms}\n" for ms in late)
        late.clear()

    @app.task
    async def delayed(due: float) -> None:
        note((time.time() - due) * 1000)

    @app.task
    async def fired() -> None:
        slot = ULID.from_str(current_task().id).milliseconds
        note(time.time() * 1000 - slot)

    return app, delayed, fired


def work(url: str, notes: str) -> None:
    """One worker, until it is terminated."""
    run(Worker(make_app(url, Path(notes))[0], concurrency=100).run(signals=True))


class Bench:
    """A server, one worker, and what its tasks have noted."""

    def __init__(self, server: Server, notes: Path) -> None:
        self._server = server
        self._notes = notes
        self.app, self.delayed, self.fired = make_app(server.url, notes)
        code = f"from benchmarks.due import work; work({server.url!r}, {str(notes)!r})"
        self._worker = Child([sys.executable, "-c", code], name="worker")

    def stop(self) -> None:
        """End the worker."""
        self._worker.stop()

    async def noted(self) -> Lateness:
        """Since the last time this was asked."""
        await asyncio.sleep(SETTLE_SECONDS)
        samples = [float(line) for line in self._notes.read_text().split()]
        self._notes.write_text("")
        return Lateness.of(samples)

    async def of_delayed(self, rate: int, seconds: int) -> Lateness:
        """So many tasks become due a second."""
        begin = time.time() + 3 + rate * seconds / 3_000
        for number in range(rate * seconds):
            due = begin + number / rate
            await self.delayed.options(delay=due - time.time()).submit(due)
        await asyncio.sleep(begin + seconds - time.time())
        return await self.noted()

    async def of_schedules(self) -> tuple[Lateness, float]:
        """Ten that fire every second, for a while: how late they are, and the server's milliseconds of work a second."""
        for number in range(FIRING):
            await self.app.schedules.create(f"firing-{number}", self.fired.s(), every=1, replace=True)
        await asyncio.sleep(2)
        await self.noted()
        before = self._server_seconds()
        await asyncio.sleep(SECONDS_OF_SCHEDULES)
        spent = self._server_seconds() - before
        return await self.noted(), 1000 * spent / SECONDS_OF_SCHEDULES

    async def add_schedules(self, many: int) -> None:
        """That are not due within this run."""
        for first in range(0, many, WRITERS):
            await asyncio.gather(
                *(
                    self.app.schedules.create(f"waiting-{number}", self.fired.s(), cron="0 0 29 2 *")
                    for number in range(first, min(first + WRITERS, many))
                )
            )

    def _server_seconds(self) -> float:
        facts = self._server.info("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])


async def measure(bench: Bench, rate: int, seconds: int, many: int) -> None:
    """Print it all."""
    async with bench.app:
        inspector = await bench.app.inspector()
        while not await inspector.workers():  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.05)
        print(f"{rate:,} tasks due a second, {seconds} s: late by {await bench.of_delayed(rate, seconds)}")
        late, spent = await bench.of_schedules()
        print(f"{FIRING} schedules a second, alone: late by {late}; server {spent:.2f} ms a second")
        await bench.add_schedules(many)
        late, spent = await bench.of_schedules()
        print(f"{FIRING} schedules a second, of {many:,}: late by {late}; server {spent:.2f} ms a second")


def main() -> None:
    """Obey the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=1_000, help="tasks that become due each second")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--many", type=int, default=100_000, help="schedules that are not due")
    parser.add_argument("--server", help="the server's binary")
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile(suffix=".late") as notes, Server(find_binary(options.server)) as server:
        bench = Bench(server, Path(notes.name))
        try:
            asyncio.run(measure(bench, options.rate, options.seconds, options.many))
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
