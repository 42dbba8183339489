"""Seeds of the simulation: all promises are kept, every planted bug is found, and equal seeds give equal histories."""

from __future__ import annotations

import os
import subprocess
import sys
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
    assert not {"refused", "unknown", "killed", "crashed", "violation"}.intersection(kinds)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    plan = Plan(rewrite=BUGS[bug])
    assert any(simulate(seed, plan).findings for seed in range(SEEDS_FOR_A_BUG))


def test_equal_seeds_give_equal_histories_in_any_interpreter() -> None:
    code = (
        "from jobbers.testing.history import digest\n"
        "from jobbers.testing.simulate import Plan, simulate\n"
        "for seed in (1, 8, 60): print(*(digest(simulate(seed, Plan(shards=shards)).events) for shards in (1, 4)))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 6
