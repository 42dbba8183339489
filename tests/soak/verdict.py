"""Puts what clients, executions and the watcher wrote into one history, has it judged, and sums it up."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobbers.testing.checker import check
from jobbers.testing.finding import Finding, Run
from jobbers.testing.history import Event

Recovery = tuple[float, float]
"""Seconds from a worker's death until its task lay in a lane again, and until it was started again."""


def merge(events: Sequence[Event], files: Iterable[Path]) -> list[Event]:
    """One history in the order of the machine's clock."""
    parts = [list(events), *([json.loads(line) for line in path.open()] for path in files)]
    merged = sorted((event for part in parts for event in part), key=lambda event: float(event["at"]))
    history: list[Event] = []
    standing: dict[str, tuple[str, str, int]] = {}
    owners: dict[tuple[str, int], str] = {}
    for event in merged:
        if event["kind"] == "moved":
            task = event["task"]
            now = event["to"], event["owner"], event["attempt"]
            if event["by"] == "found":
                if standing.get(task) == now:
                    continue
                event["from"] = standing.get(task, ("", "", 0))[0]
            standing[task] = now
            owners[task, event["attempt"]] = event["owner"]
        elif event["kind"] in ("started", "returned"):
            event["owner"] = owners.get((event["task"], event["attempt"]), "")
        history.append({**event, "seq": len(history)})
    return history


def judge(history: Sequence[Event]) -> list[Finding]:
    """What must not be."""
    return check(history)


def shown(findings: Sequence[Finding]) -> Iterable[str]:
    """Each rule that was broken, how often, and the first that broke it."""
    firsts: dict[str, Finding] = {}
    for finding in findings:
        firsts.setdefault(finding.rule, finding)
    counts = Counter(finding.rule for finding in findings)
    return [f"{first} ({counts[rule]} times)" for rule, first in firsts.items()]


def recoveries(history: Sequence[Event]) -> list[Recovery]:
    """Of every task that a killed worker was running."""
    running: dict[str, set[str]] = defaultdict(set)
    held: dict[str, str] = {}
    deaths: dict[str, float] = {}
    returned: dict[str, float] = {}
    found: list[Recovery] = []
    for event in history:
        match event["kind"]:
            case "killed":
                for task in running.pop(event["worker"], ()):
                    deaths[task] = event["at"]
            case "moved":
                task = event["task"]
                running[held.pop(task, "")].discard(task)
                if event["to"] == "running":
                    held[task] = str(event["owner"]).partition("/")[0].rpartition("-")[0]
                    running[held[task]].add(task)
                elif task in deaths:
                    returned.setdefault(task, event["at"])
                    if event["to"] not in ("queued", "running"):
                        deaths.pop(task)  # it had ended just before
                        returned.pop(task, None)
            case "started" if event["task"] in returned:
                death = deaths.pop(event["task"])
                found.append((returned.pop(event["task"]) - death, event["at"] - death))
    return found


def returns(history: Sequence[Event]) -> list[float]:
    """Seconds from each return of the server to the first claim."""
    up: float | None = None
    found: list[float] = []
    for event in history:
        if event["kind"] == "server_loaded":
            up = event["at"]
        elif up is not None and event["kind"] == "moved" and event["by"] == "claim":
            found.append(event["at"] - up)
            up = None
    return found


def summary(history: Sequence[Event], findings: Sequence[Finding], lease: float) -> Iterable[str]:
    """Lines in the manner of Jepsen's reports."""
    run = Run(history)
    kinds = Counter(event["kind"] for event in history)
    starts = Counter(event["task"] for event in run.of_kind["started"])
    completed = Counter(event["task"] for event in run.of_kind["returned"])
    broken = Counter(finding.rule for finding in findings)
    yield from (f"{name:<26}{number:>10,}" for name, number in {
        "attempted": kinds["submitting"],
        "acknowledged": kinds["accepted"],
        "reported as unknown": kinds["unknown"],
        "ended": kinds["told"],
        "executions": kinds["started"],
        "tasks begun again": sum(count > 1 for count in starts.values()),
        "tasks done more than once": sum(count > 1 for count in completed.values()),
        "workers killed": kinds["killed"],
        "workers stopped": kinds["stopped"],
        "server killed": kinds["server_down"],
        "lost": broken["no_loss"],
        "accepted twice": broken["one_acceptance"],
        "stale acceptances": broken["no_stale_acceptance"],
        "workers that crashed": kinds["crashed"],
    }.items())  # fmt: skip
    found = recoveries(history)
    if found:
        for what, values in zip(("back in a lane", "started again"), zip(*found, strict=True), strict=True):
            yield (
                f"after a kill, {what}: median {statistics.median(values):.2f} s, longest {max(values):.2f} s "
                f"({len(values)} tasks, lease {lease:g} s)"
            )
    back = returns(history)
    if back:
        yield (
            f"server back, first claim: median {statistics.median(back):.2f} s, longest {max(back):.2f} s "
            f"({len(back)} times)"
        )
    yield from _flatness(run.of_kind["usage"])


def _flatness(samples: Sequence[Event]) -> Iterable[str]:
    """How the use of resources changed. The first quarter is left out: that is warming up."""
    quarter = len(samples) // 4
    for name in sorted({key for sample in samples for key in sample} - {"at", "kind", "seq"}):
        parts = (samples[quarter : 2 * quarter], samples[-quarter:] if quarter else ())
        early, late = ([sample[name] for sample in part if name in sample] for part in parts)
        if early and late:
            before, after = statistics.median(early), statistics.median(late)
            yield f"{name.replace('_', ' '):<26}{before:>10.1f} in the second quarter, {after:.1f} in the last"
