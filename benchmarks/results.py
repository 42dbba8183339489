"""The results file: everything that a run measured, raw, so that a table can be made of it at any time.

Format, version 1::

    {"format": 1, "date": "2026-11-21", "machine": {...}, "server": "valkey 9.1.0", "rounds": 5,
     "counts": {"W1": 5000, ...},
     "systems": {"saq": {"versions": {"saq": "0.26.4"}, "runtime": "CPython 3.11.7", "settings": "...",
                         "concurrency": 100}},
     "skipped": {"docket": "why"},
     "samples": [{"round": 1, "workload": "W3", "system": "saq", "values": {"per_second": 2173.0, ...}},
                 {"round": 1, "workload": "W4", "system": "saq", "error": "why"}]}
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(slots=True)
class Results:
    """One run."""

    machine: dict[str, Any]
    server: str
    rounds: int
    counts: dict[str, int]
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    format: int = FORMAT

    def save(self, path: Path) -> None:
        """Write the file in one step, so that an interrupted run leaves the rounds it finished."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file of the current format."""
        data = json.loads(path.read_text())
        if data.get("format") != FORMAT:
            raise ValueError(f"{path}: format {data.get('format')}, not {FORMAT}")
        return cls(**data)

    def values(self) -> dict[tuple[str, str, str], list[float]]:
        """All measured values by workload, metric and system."""
        grouped: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for sample in self.samples:
            for metric, value in sample.get("values", {}).items():
                grouped[sample["workload"], metric, sample["system"]].append(value)
        return dict(grouped)

    def medians(self) -> dict[tuple[str, str, str], float]:
        """The median over the rounds by workload, metric and system."""
        return {key: statistics.median(values) for key, values in self.values().items()}

    def spreads(self) -> dict[tuple[str, str, str], float]:
        """How far the rounds lie apart, (largest - smallest) / median."""
        return {
            key: (max(values) - min(values)) / (statistics.median(values) or 1.0)
            for key, values in self.values().items()
        }

    def errors(self) -> list[str]:
        """What went wrong, one entry per failed measurement."""
        return [
            f"round {sample['round']}, {sample['workload']}: {sample['error']}"
            for sample in self.samples
            if "error" in sample
        ]


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (OSError, ValueError):
        return None


def machine_facts() -> dict[str, Any]:
    """What the figures depend on; no host name."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "python": platform.python_version(),
    }


def default_path(results: Results) -> Path:
    """``benchmarks/results/<date>-<machine>.json``."""
    facts = results.machine
    name = f"{results.date}-{platform.system().lower()}-{facts['architecture']}-{facts['cpus']}cpu.json"
    return Path(__file__).parent / "results" / name
