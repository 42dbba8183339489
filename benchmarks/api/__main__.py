"""``python -m benchmarks.api --rounds 3``: the HTTP API as users start it, measured in interleaved rounds.

``--stored 1000`` and ``--seconds 1`` are a quick check that everything works; the figures mean nothing then.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.api.crowd import crowd
from benchmarks.api.first_view import first_view
from benchmarks.api.measures import Row, batches, fill, medians, reads, submits
from benchmarks.api.service import PINNED, Service
from benchmarks.child import ChildError

PARTS = ("submits", "batches", "reads", "page", "crowd")


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


async def measure(given: argparse.Namespace) -> dict[str, dict[str, Row]]:
    """All rounds of all parts, and their medians."""
    rounds: dict[str, list[dict[str, Row]]] = {part: [] for part in given.only}
    async with Service() as service:
        ids = await fill(service, given.stored, say) if "reads" in given.only else []
        for number in range(given.rounds):
            for part, found in rounds.items():
                if part == "submits":
                    rows = await asyncio.to_thread(submits, service, given.seconds)
                elif part == "batches":
                    rows = await asyncio.to_thread(batches, service, given.seconds)
                elif part == "reads":
                    rows = await asyncio.to_thread(reads, service, ids, given.seconds)
                elif part == "page":
                    rows = await first_view(service)
                else:
                    rows = await crowd(given.connections, given.crowd_seconds, given.pace, say)
                found.append(rows)
                for name, row in rows.items():
                    say(f"round {number + 1}: {name}: {words(row)}")
    return {part: medians(found) for part, found in rounds.items()}


def words(row: Row) -> str:
    """A row in one line."""
    return "  ".join(f"{name} {value:,.{2 if value < 10 else 0}f}" for name, value in row.items())


def report(found: dict[str, dict[str, Row]], rounds: int) -> str:
    """Tables of medians."""
    cores = "two cores for the API and its server, two for load and workers" if PINNED else "nothing pinned"
    lines = [f"{os.cpu_count()} cores ({cores}); medians of {rounds} interleaved rounds"]
    for rows in found.values():
        columns = list(dict.fromkeys(figure for row in rows.values() for figure in row))
        lines += ["", f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
        for name, row in rows.items():
            cells = [f"{row[it]:,.{2 if row[it] < 10 else 0}f}" if it in row else "" for it in columns]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="for which each load is counted")
    parser.add_argument("--stored", type=int, default=1_000_000, help="tasks in the server while it is read")
    parser.add_argument("--connections", type=int, default=2_000, help="of the crowd")
    parser.add_argument("--crowd-seconds", type=float, default=60.0)
    parser.add_argument(
        "--pace", type=float, default=2.0, help="seconds between requests of one of the crowd"
    )
    parser.add_argument(
        "--only", nargs="*", default=list(PARTS), choices=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--output", type=Path, help="where to write the tables")
    given = parser.parse_args(arguments)
    try:
        table = report(asyncio.run(measure(given)), given.rounds)
    except ChildError as error:
        sys.exit(f"error: {error}")
    print(f"\n{table}")
    if given.output:
        given.output.write_text(table + "\n")


if __name__ == "__main__":
    main()
