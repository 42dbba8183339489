"""Render a results file as Markdown: ``python -m benchmarks.report FILE``; ``--plain`` for terminals.

Each cell is the median over the rounds and, in brackets, how many times better it is than the best peer
(more than 1 is better, whether the metric is a rate or a cost).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Results
from benchmarks.systems import is_peer

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column."""

    workload: str
    name: str
    title: str
    digits: int = 0
    more_is_better: bool = True


METRICS = (
    Metric("W1", "per_second", "W1 one by one /s"),
    Metric("W2", "per_second", "W2 bulk /s"),
    Metric("W3", "per_second", "W3 drain /s"),
    Metric("W4", "per_second", "W4 four workers /s"),
    Metric("W6", "per_second", "W6 10 ms naps /s"),
    Metric("W5", "p50_ms", "W5 p50 ms", 2, more_is_better=False),
    Metric("W5", "p95_ms", "p95 ms", 2, more_is_better=False),
    Metric("W5", "p99_ms", "p99 ms", 2, more_is_better=False),
    Metric("W3", "redis_calls", "Redis calls/task", 2, more_is_better=False),
    Metric("W3", "redis_us", "Redis µs/task", 1, more_is_better=False),
    Metric("W3", "worker_us", "worker µs/task", 1, more_is_better=False),
    Metric("W7", "bytes", "W7 bytes/task", more_is_better=False),
    Metric("W7", "bytes_payload", "with 200 B", more_is_better=False),
)


def ratio_to_best_peer(metric: Metric, system: str, medians: dict[Key, float]) -> float | None:
    """How many times better than the best other peer; ``None`` if there is nothing to compare with."""
    own = medians.get((metric.workload, metric.name, system))
    peers = [
        value
        for (workload, name, other), value in medians.items()
        if (workload, name) == (metric.workload, metric.name) and other != system and is_peer(other)
    ]
    if not own or not peers:
        return None
    return own / max(peers) if metric.more_is_better else min(peers) / own


def cell(metric: Metric, system: str, medians: dict[Key, float]) -> str:
    """Median and ratio, or a dash."""
    value = medians.get((metric.workload, metric.name, system))
    if value is None:
        return "-"
    text = f"{value:,.{metric.digits}f}"
    ratio = ratio_to_best_peer(metric, system, medians)
    return text if ratio is None else f"{text} ({ratio:.2f})"


def median_rows(results: Results) -> list[list[str]]:
    """Header and one row per system, with the columns that were measured."""
    medians = results.medians()
    measured = {(workload, name) for workload, name, _ in medians}
    metrics = [metric for metric in METRICS if (metric.workload, metric.name) in measured]
    header = ["system", *(metric.title for metric in metrics)]
    return [
        header,
        *([name, *(cell(metric, name, medians) for metric in metrics)] for name in results.systems),
    ]


def spread_rows(results: Results) -> list[list[str]]:
    """The same table with (largest - smallest) / median over the rounds, rates and latencies only."""
    spreads = results.spreads()
    measured = {(workload, name) for workload, name, _ in spreads}
    metrics = [metric for metric in METRICS[:8] if (metric.workload, metric.name) in measured]

    def text(metric: Metric, system: str) -> str:
        spread = spreads.get((metric.workload, metric.name, system))
        return "-" if spread is None else f"{spread:.0%}"

    header = ["system", *(metric.title for metric in metrics)]
    return [header, *([name, *(text(metric, name) for metric in metrics)] for name in results.systems)]


def markdown(rows: list[list[str]]) -> str:
    """A Markdown table."""
    rule = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def plain(rows: list[list[str]]) -> str:
    """The table turned on its side, one line per metric, for terminals."""
    turned = list(zip(*rows, strict=True))
    widths = [max(len(row[column]) for row in turned) for column in range(len(rows))]

    def line(row: Iterable[str]) -> str:
        name, *cells = row
        return "  ".join(
            [name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]
        )

    return "\n".join(line(row) for row in turned)


def facts(results: Results) -> list[str]:
    """Machine, server, rounds, and what each system was."""
    machine = results.machine
    lines = [
        f"{results.date}: {machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}, {results.server} on loopback without persistence; "
        f"median of {results.rounds} interleaved rounds; in brackets times better than the best other peer.",
        "",
    ]
    for name, system in results.systems.items():
        versions = ", ".join(f"{package} {version}" for package, version in system["versions"].items())
        what = f"concurrency {system['concurrency']}; {system['settings']}"
        lines.append(f"- {name}: {versions}; {system['runtime']}; {what}")
    lines += [f"- {name}: skipped ({reason})" for name, reason in results.skipped.items()]
    lines += [f"- failed: {error.splitlines()[0]}" for error in results.errors()]
    return lines


def main() -> None:
    """Print one results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--plain", action="store_true", help="one line per metric instead of Markdown")
    parser.add_argument("--spread", action="store_true", help="add a table of how far the rounds lie apart")
    options = parser.parse_args()
    results = Results.load(options.file)
    render = plain if options.plain else markdown
    print("\n".join(facts(results)), render(median_rows(results)), sep="\n\n")
    if options.spread:
        print(
            "\nSpread over the rounds, (largest - smallest) / median:\n",
            render(spread_rows(results)),
            sep="\n",
        )


if __name__ == "__main__":
    main()
