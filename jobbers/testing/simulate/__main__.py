"""``python -m jobbers.testing.simulate --seeds 1000``: run seeds on all processors and print what they came to."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from jobbers.testing.history import save
from jobbers.testing.simulate import FAULTS, Plan, Report, simulate
from jobbers.testing.simulate.shrink import shrink
from jobbers.testing.simulate.summary import Summary


def main(words: Sequence[str] | None = None) -> int:
    """Run the seeds; 1 when a promise was broken."""
    given = _parser().parse_args(words)
    faults = None if given.faults is None else tuple(filter(None, given.faults.split(",")))
    unknown = set(faults or ()) - set(FAULTS)
    if unknown:
        sys.exit(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    plan = Plan(given.tasks, given.workers, shards=given.shards, faults=faults)
    summary, failed, begun = Summary(), list[Report](), time.monotonic()
    seeds = range(given.first, given.first + given.seeds)
    with ProcessPoolExecutor(given.jobs) as pool:
        for report in pool.map(simulate, seeds, [plan] * len(seeds), chunksize=10):
            summary.add(report)
            if report.findings:
                failed.append(report)
                print(report, flush=True)
    took = time.monotonic() - begun
    rate = len(seeds) / took / given.jobs
    print("\n".join(summary.lines()))
    print(f"seeds {seeds.start} to {seeds.stop - 1} in {took:.0f} s: {rate:.1f} a second and core")
    if failed:
        _explain(failed[0], plan, given.history)
    return 1 if failed else 0


def _explain(report: Report, plan: Plan, path: Path) -> None:
    small, smaller_plan = shrink(report, plan)
    save(small.events, path)
    print(f"seed {report.seed}, made smaller ({smaller_plan}):\n{small}\nits history: {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobbers.testing.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument(
        "--faults", help="names, separated by commas; by default each seed chooses half of them"
    )
    parser.add_argument(
        "--history", type=Path, default=Path("history.jsonl"), help="where a failure is written to"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
