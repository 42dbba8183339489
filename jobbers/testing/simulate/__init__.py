"""Deterministic simulation: an app's workers and clients, a server and its network in one thread, on a virtual clock, with
faults drawn from a seed and a checker that judges the history.

    from jobbers.testing.simulate import simulate

    report = simulate(seed=7)
    assert not report.findings, report
"""

from __future__ import annotations

from jobbers.testing.simulate.faults import FAULTS
from jobbers.testing.simulate.world import Plan, Report, simulate

__all__ = ["FAULTS", "Plan", "Report", "simulate"]
