"""Makes a failing simulation smaller, so that its history can be read: fewer faults, tasks and workers, less time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jobbers.testing.simulate.world import Plan, Report, simulate


def shrink(report: Report, plan: Plan) -> tuple[Report, Plan]:
    """The smallest run found, from a failing one, that breaks one of the same rules; and its plan.

    Greedy: of each candidate only whether it still fails counts. A smaller plan draws other chances from the same seed, so
    some failures do not get smaller.
    """
    rules = {finding.rule for finding in report.findings}
    plan = replace(plan, faults=report.faults)
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            found = simulate(report.seed, candidate)
            if rules.intersection(finding.rule for finding in found.findings):
                report, plan, smaller = found, candidate, True
                break
    return report, plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    faults = plan.faults or ()
    for fault in faults:
        yield replace(plan, faults=tuple(other for other in faults if other != fault))
    if plan.tasks > plan.clients:
        yield replace(plan, tasks=max(plan.clients, plan.tasks // 2))
    if plan.workers > 1:
        yield replace(plan, workers=plan.workers - 1)
    if plan.clients > 1:
        yield replace(plan, clients=1)
    if plan.seconds > 2:
        yield replace(plan, seconds=plan.seconds / 2)
