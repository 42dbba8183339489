"""What a number of histories came to, in the manner of Jepsen's reports."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobbers.testing.simulate.world import Report


@dataclass
class Summary:
    """Counts over runs; ``recoveries`` are the seconds from the end of a lease to the task's return to its lane."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Count one run."""
        self.runs += 1
        events = report.events
        kinds = Counter(event["kind"] for event in events)
        returned = Counter(event["task"] for event in events if event["kind"] == "returned")
        self.counts += Counter(
            attempted=kinds["submitting"],
            acknowledged=kinds["accepted"],
            unknown=kinds["unknown"],
            refused=kinds["refused"],
            kills=kinds["killed"],
            stops=kinds["stopped"],
            restarts=kinds["server_down"],
            power_failures=kinds["rolled_back"],
            executions=kinds["started"],
            repeated=sum(count - 1 for count in returned.values()),
            fenced=sum(event["count"] for event in events if event["kind"] == "fenced"),
        )
        taken_back = [event for event in events if event["kind"] == "moved" and event["by"] == "reclaim"]
        self.counts["recovered"] += len(taken_back)
        self.recoveries += [
            -event["lease_left"] / 1000 for event in taken_back if event.get("lease_left", 0) < 0
        ]
        self.broken.update({finding.rule for finding in report.findings})

    def lines(self) -> Iterable[str]:
        """The summary as text."""
        width = max(len(name) for name in self.counts)
        for name, count in self.counts.items():
            yield f"{name.replace('_', ' '):<{width}}  {count:>10,}"
        if self.recoveries:
            middle, longest = statistics.median(self.recoveries), max(self.recoveries)
            yield f"{'recovery':<{width}}  {middle:.2f} s after the lease had ended (median), {longest:.2f} s (longest)"
        for rule in ("no_loss", "one_acceptance", "no_stale_acceptance"):
            yield f"{rule.replace('_', ' '):<{width}}  {self.broken[rule]:>10,} runs broke it"
        others = {rule: count for rule, count in self.broken.items() if count}
        yield f"all {self.runs:,} runs kept every promise" if not others else f"broken: {others}"
