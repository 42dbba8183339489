"""A short soak keeps every promise, and one with a broken engine is found out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.harness import ROOT

LIMIT = 240
"""Seconds. A soak waits longer than other tests for what is slow: it takes 15 of its own."""
pytestmark = pytest.mark.timeout(LIMIT + 30)
FAULTS = ("--kill-every", "2", "--stop-every", "1", "--server-every", "4")


def soak(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.soak", "--history", str(folder / "history.jsonl"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)


@pytest.mark.slow
@pytest.mark.chaos
def test_kills_stops_and_a_server_that_dies(tmp_path: Path) -> None:
    done = soak(tmp_path, "--tasks", "800", "--rate", "80", "--lease", "1", *FAULTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise kept" in done.stdout


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.parametrize(
    ("bug", "tasks", "rules"),
    [
        ("no fence", 900, {"legal_transitions", "no_stale_acceptance", "one_acceptance"}),
        ("reclaim before the lease has ended", 200, {"lease_exclusion"}),
        ("due task leaves its set before it is laid into its lane", 200, {"no_loss"}),
    ],
)
def test_a_broken_engine_is_found_out(tmp_path: Path, bug: str, tasks: int, rules: set[str]) -> None:
    words = (
        "--tasks",
        str(tasks),
        "--rate",
        "60",
        "--seconds",
        "0.5",
        "--lease",
        "1",
        "--patience",
        "10",
        "--stop-every",
        "0.5",
    )
    done = soak(tmp_path, *words, "--bug", bug)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(f"{rule}: " in done.stdout for rule in rules), done.stdout
