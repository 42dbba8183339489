"""The workloads W1 to W7: each makes one measurement of one system on an empty server.

A measurement is a mapping from the name of a metric to its value. What the metrics mean stands in ``METRICS``
and in README.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.child import Child, ChildError
from benchmarks.counter import Tally, TallyReader, create_stamps, create_tally, read_latencies
from benchmarks.server import Server
from benchmarks.systems import DEFAULT_CONCURRENCY, System

COUNTS = {"W1": 5_000, "W2": 20_000, "W3": 20_000, "W4": 20_000, "W5": 500, "W6": 10_000, "W7": 20_000}
SUBMIT_SECONDS = 300.0
READY_SECONDS = 60.0
STALL_SECONDS = 20.0
IDLE_SECONDS = 1.5
SETTLE_SECONDS = 0.2
POLL_SECONDS = 0.005
GAP_MS = 5.0
STAMP_WARM_UP = 20
PAYLOAD = 200

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement works with."""

    server: Server
    scratch: Path
    counts: dict[str, int]

    @property
    def tally(self) -> Path:
        """The file in which bodies are counted."""
        return self.scratch / "tally"

    @property
    def stamps(self) -> Path:
        """The file in which submits and bodies are stamped."""
        return self.scratch / "stamps"

    def submit(self, system: System, command: str, count: int, *options: str) -> dict[str, Any]:
        """Run one of the adapter's submitting commands to its end."""
        base = ["--url", self.server.url, "--count", str(count)]
        with system.child(command, *base, *options) as child:
            return child.answer(SUBMIT_SECONDS)

    def fill(self, system: System, count: int, kind: str = "noop") -> int:
        """Queue tasks; returns how many there are."""
        return int(self.submit(system, "submit-bulk", count, "--kind", kind)["submitted"])

    @contextmanager
    def workers(self, system: System, number: int, kind: str, concurrency: int) -> Iterator[list[Child]]:
        """Worker processes that are connected to the clock but not yet released."""
        create_tally(self.tally)
        base = ["--url", self.server.url, "--kind", kind, "--concurrency", str(concurrency)]
        files = ["--tally", str(self.tally), "--stamps", str(self.stamps)]
        with ExitStack() as stack:
            children = [
                stack.enter_context(system.child("worker", *base, *files, "--slot", str(slot)))
                for slot in range(number)
            ]
            for child in children:
                child.wait_for_line("ready", READY_SECONDS)
            yield children

    def wait(self, children: list[Child], total: int) -> Tally:
        """Wait until ``total`` bodies have run; a system that stands still for long has failed."""
        reader = TallyReader(self.tally)
        seen, moved = 0, time.monotonic()
        while (count := reader.count()) < total:
            if count != seen:
                seen, moved = count, time.monotonic()
            for child in children:
                child.check_alive()
            if time.monotonic() - moved > STALL_SECONDS:
                raise children[0].failure(f"stood still at {count} of {total} tasks")
            time.sleep(POLL_SECONDS)
        return reader.read()


def submit_one(bench: Bench, system: System) -> Values:
    """W1: submit one at a time, each awaited."""
    answer = bench.submit(system, "submit-one", bench.counts["W1"])
    return {"per_second": answer["count"] / answer["seconds"]}


def submit_bulk(bench: Bench, system: System) -> Values:
    """W2: submit by the fastest public way."""
    answer = bench.submit(system, "submit-bulk", bench.counts["W2"])
    return {"per_second": answer["count"] / answer["seconds"]}


def drain(bench: Bench, system: System) -> Values:
    """W3: drain queued no-ops with one worker process, and what that costs in CPU time and commands."""
    total = bench.fill(system, bench.counts["W3"])
    with bench.workers(system, 1, "noop", system.concurrency) as [worker]:
        bench.server.command("CONFIG", "RESETSTAT")
        server_before, worker_before = bench.server.cpu_seconds(), worker.cpu_seconds()
        worker.send_line("go")
        tally = bench.wait([worker], total)
        time.sleep(SETTLE_SECONDS)
        values = {
            "per_second": tally.count / tally.seconds,
            "redis_calls": bench.server.calls() / total,
            "redis_us": (bench.server.cpu_seconds() - server_before) / total * 1e6,
        }
        worker_after = worker.cpu_seconds()
        if worker_before is not None and worker_after is not None:
            values["worker_us"] = (worker_after - worker_before) / total * 1e6
        return values


def drain_four(bench: Bench, system: System) -> Values:
    """W4: drain queued no-ops with four worker processes, released together."""
    total = bench.fill(system, bench.counts["W4"])
    with bench.workers(system, 4, "noop", system.concurrency) as workers:
        for worker in workers:
            worker.send_line("go")
        tally = bench.wait(workers, total)
    return {"per_second": tally.count / tally.seconds}


def latency(bench: Bench, system: System) -> Values:
    """W5: an idle worker; from just before the submit to the first line of the body."""
    count = bench.counts["W5"] + STAMP_WARM_UP
    create_stamps(bench.stamps, count)
    with bench.workers(system, 1, "stamp", system.concurrency) as [worker]:
        worker.send_line("go")
        time.sleep(IDLE_SECONDS)
        bench.submit(system, "latency", count, "--stamps", str(bench.stamps), "--gap-ms", str(GAP_MS))
        bench.wait([worker], count)
    cuts = statistics.quantiles(read_latencies(bench.stamps, STAMP_WARM_UP), n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def drain_naps(bench: Bench, system: System) -> Values:
    """W6: drain queued naps of ten milliseconds with one worker process, a hundred at a time."""
    total = bench.fill(system, bench.counts["W6"], "nap")
    with bench.workers(system, 1, "nap", DEFAULT_CONCURRENCY) as [worker]:
        worker.send_line("go")
        tally = bench.wait([worker], total)
    return {"per_second": tally.count / tally.seconds}


def memory(bench: Bench, system: System) -> Values:
    """W7: bytes of the server per queued no-op, and per queued task with a payload."""
    values = {}
    for name, payload in (("bytes", 0), ("bytes_payload", PAYLOAD)):
        bench.server.flush()
        time.sleep(SETTLE_SECONDS)
        before = bench.server.used_memory()
        answer = bench.submit(system, "submit-bulk", bench.counts["W7"], "--payload", str(payload))
        time.sleep(SETTLE_SECONDS)
        values[name] = (bench.server.used_memory() - before) / answer["submitted"]
    return values


MEASURES: dict[str, Callable[[Bench, System], Values]] = {
    "W1": submit_one,
    "W2": submit_bulk,
    "W3": drain,
    "W4": drain_four,
    "W5": latency,
    "W6": drain_naps,
    "W7": memory,
}
ONCE = {"W7"}
"""Workloads whose figures do not vary, measured in the first round only."""


def measure(bench: Bench, workload: str, system: System) -> Values:
    """One measurement on an empty server; ``ChildError`` if the system failed."""
    bench.server.flush()
    create_stamps(bench.stamps, 1)
    try:
        return MEASURES[workload](bench, system)
    except (ValueError, ZeroDivisionError) as error:
        raise ChildError(f"{system.name}: {error}") from error
