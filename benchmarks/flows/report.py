"""Makes Markdown of the results: for each kind of flow a table with medians, and how many times faster Jobbers is."""

from __future__ import annotations

from benchmarks.report import markdown
from benchmarks.results import Results

OWN = "jobbers"
TITLES = {
    "fan": "A root, {0:,} no-ops, a join that gets all results",
    "chain": "A chain of {0:,} no-ops",
}


def _table(results: Results, flow: str) -> str:
    seconds, spreads = results.medians(), results.spreads()
    rates = {
        system: rate for (kind, name, system), rate in seconds.items() if (kind, name) == (flow, "per_second")
    }
    tasks = {one["system"]: one["tasks"] for one in results.samples if one["workload"] == flow}
    own = [system for system in rates if system.split()[0] == OWN]
    order = [*own, *(name for name in results.systems if name in rates and name not in own)]
    rows = [["system", "tasks", "seconds", "spread", "tasks/s", *(f"{name} is faster by" for name in own)]]
    for system in order:
        key = (flow, "seconds", system)
        cells = [f"{tasks[system]:,}", f"{seconds[key]:.3f}", f"{spreads[key]:.0%}", f"{rates[system]:,.0f}"]
        rows.append([system, *cells, *(f"{rates[name] / rates[system]:.2f}" for name in own)])
    return markdown(rows)


def report(results: Results) -> str:
    """All of a run."""
    machine = results.machine
    lines = [
        f"{results.date}: {machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_gib']} GiB, {machine['system']}, "
        f"{results.server} on loopback without persistence; one worker process per system; "
        f"median of {results.rounds} interleaved rounds; spread is (largest - smallest) / median. "
        "Ratios are of tasks per second.",
        "",
    ]
    for name, facts in results.systems.items():
        versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
        lines.append(f"- {name}: {versions}; {facts['runtime']}; {facts['settings']}")
    lines += [f"- {name}: skipped ({reason})" for name, reason in results.skipped.items()]
    lines += [f"- failed: {error.splitlines()[0]}" for error in results.errors()]
    for flow, title in TITLES.items():
        lines += ["", title.format(results.counts[flow]) + ":", "", _table(results, flow)]
    return "\n".join(lines)
