"""Seeds of the simulation: all promises are kept, every planted bug is found, and equal seeds give equal histories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from jobbers.testing.simulate import FAULTS, Plan, Report, simulate
from tests.sim.planted import BUGS

SEEDS = int(os.environ.get("JOBBERS_SIM_SEEDS", "200"))
CHUNK = 2
SEEDS_FOR_A_BUG = 200
CORPUS = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "corpus.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def _kept(report: Report) -> None:
    assert not report.findings, report


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_all_promises_are_kept(first: int) -> None:
    for seed in range(first, first + CHUNK):
        _kept(simulate(seed, Plan(shards=4) if seed % 10 == 9 else None))


@pytest.mark.parametrize("seed", CORPUS)
def test_what_once_failed(seed: int) -> None:
    _kept(simulate(seed))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone(fault: str) -> None:
    report = simulate(1, Plan(faults=(fault,)))
    assert sum(event["kind"] == "fault" for event in report.events) > 5
    _kept(report)


def test_without_faults_every_task_is_claimed_as_often_as_planned() -> None:
    report = simulate(1, Plan(faults=()))
    _kept(report)
    kinds = [event["kind"] for event in report.events]
    assert kinds.count("accepted") == 30
    # (Some tasks are planned to take their worker along.)
    assert not {"refused", "unknown", "crashed", "violation"}.intersection(kinds)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    plan = Plan(rewrite=BUGS[bug])
    assert any(simulate(seed, plan).findings for seed in range(SEEDS_FOR_A_BUG))


_DIGESTS = """
import gc, sys
from jobbers.testing.history import digest
from jobbers.testing.simulate import Plan, simulate
if sys.argv[1] == "uncollected": gc.disable()
for word in sys.argv[2:]:
    seed, shards = map(int, word.split("/"))
    print(word, digest(simulate(seed, Plan(shards=shards)).events))
"""


def _begin(hash_seed: str, collects: str, runs: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _DIGESTS, collects, *runs],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_equal_seeds_give_equal_histories_in_any_interpreter_and_after_any_others() -> None:
    """Each run comes first, last and again, with and without collections: objects lie elsewhere in memory each time."""
    runs = ["0/4", "15/4", "1/4", "8/1"]
    began = [
        _begin("1", "collected", [*runs, *runs]),
        _begin("2", "uncollected", [*runs[::-1], *runs[::-1]]),
    ]
    digests: dict[str, set[str]] = {run: set() for run in runs}
    for interpreter in began:
        lines = interpreter.communicate()[0].splitlines()
        assert interpreter.returncode == 0
        assert len(lines) == 2 * len(runs)
        for line in lines:
            run, told = line.split()
            digests[run].add(told)
    assert {run: len(told) for run, told in digests.items()} == dict.fromkeys(runs, 1)
    assert len(set().union(*digests.values())) == len(runs)
