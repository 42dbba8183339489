"""The rules of the checker about runs: each edge once, triggers kept, and ends that are true."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jobbers.core.status import FINAL, Status
from jobbers.testing.finding import Finding, Run
from jobbers.testing.history import Event as Happened

_WRONG = (Status.FAILED, Status.CANCELLED)


class _End(NamedTuple):
    """When a task ended first, and how."""

    seq: int
    at: float
    how: str


def each_edge_once(run: Run) -> Iterator[Finding]:
    """A task of a run leaves its wait when its trigger says so: when all that it waits for have ended, or enough of them
    well; and it starts only if its trigger allows it."""
    parents: dict[str, list[str]] = defaultdict(list)
    born = _born(run)
    ends = _ends(run)
    for task, move in born.items():
        of_run = born.get(move.get("run", ""), {}).get("parts", [task])
        if move["by"] == "prepare" and task not in of_run:
            continue  # it was made for a launch of which nobody heard again
        for child in move.get("then", ()):
            parents[child].append(task)
    for task, waits_for in parents.items():
        left = next((move for move in run.moves[task] if move["from"] == Status.BLOCKED), None)
        if left is None or left["to"] == Status.CANCELLED:
            continue
        of = [ends.get(parent) for parent in waits_for]
        over = [end for end in of if end is not None and _before(end, left)]
        need = int(born[task].get("need") or 0) if task in born else 0
        well = sum(end.how == Status.SUCCEEDED for end in over)
        if len(over) < len(of) and (need == 0 or well < need):
            late = waits_for[next(place for place, end in enumerate(of) if end is None or end not in over)]
            yield Finding("each_edge_once", task, f"was {left['to']} before {late} had ended")
        elif left["to"] == Status.QUEUED and task in born:
            yield from _started(task, born[task], [end.how for end in over], need)


def _started(task: str, birth: Happened, ended: Sequence[str], need: int) -> Iterator[Finding]:
    """What is wrong about the start of a task before which others have ended so."""
    trigger = birth.get("trigger")
    well = sum(how == Status.SUCCEEDED for how in ended)
    bad = next((how for how in ended if how in _WRONG), None)
    if birth.get("undoes"):
        return
    if trigger == "all_succeeded" and well < len(ended):
        wrong = next(how for how in ended if how != Status.SUCCEEDED)
        yield Finding("each_edge_once", task, f"was started although one before it was {wrong}")
    elif trigger == "none_failed" and bad:
        yield Finding("each_edge_once", task, f"was started although one before it was {bad}")
    elif trigger == "any_failed" and well == len(ended):
        yield Finding("each_edge_once", task, "was started although none before it failed")
    elif need and well < need:
        yield Finding("each_edge_once", task, f"was started after {well} successes, and {need} are needed")


def runs_end_truly(run: Run) -> Iterator[Finding]:
    """When a run was cancelled, none of its tasks starts any more; one that succeeded has no task whose failure was not
    provided for."""
    for task, birth in _born(run).items():
        moves, of = run.moves[task], birth.get("run")
        ends = {move["to"]: move["seq"] for move in run.moves[of] if move["to"] in FINAL} if of else {}
        cancelled = ends.get(Status.CANCELLED)
        again = (
            move for move in moves if move["to"] == Status.RUNNING
        )  # a claim cancels what is still ready
        if cancelled is not None and any(move["seq"] > cancelled for move in again):
            yield Finding("runs_end_truly", task, f"started after run {of} had been cancelled")
        provided_for = birth.get("caught") or birth.get("map")
        if Status.SUCCEEDED in ends and moves[-1]["to"] == Status.FAILED and not provided_for:
            yield Finding("runs_end_truly", task, f"failed, and run {of} succeeded")


def paused_runs_start_nothing(run: Run) -> Iterator[Finding]:
    """When a client has been told that a run is paused, none of its tasks starts that was ready when it asked for that,
    until somebody has it go on. (What waits for a retry goes on, and so do items of maps.)"""
    born = _born(run)
    for told in run.of_kind["told"]:
        if told["what"] != "paused" or told["seq"] in run.lost:
            continue
        asked = max(
            event["seq"]
            for event in run.of_kind["pausing"]
            if event["task"] == told["task"] and event["seq"] < told["seq"]
        )
        resumed = [event["seq"] for event in run.of_kind["resuming"] if event["task"] == told["task"]]
        later = [*resumed, *(event["seq"] for event in run.of_kind["rolled_back"])]
        until = min((seq for seq in later if seq > asked), default=math.inf)
        for task, birth in born.items():
            if birth.get("run") != told["task"] or birth.get("map"):
                continue
            for before, move in itertools.pairwise(run.moves[task]):
                ready = before["to"] in (Status.QUEUED, Status.BLOCKED) and before["seq"] < asked
                starts = move["to"] == Status.RUNNING and move["by"] != "found"
                if ready and starts and told["seq"] < move["seq"] < until:
                    yield Finding(
                        "paused_runs_start_nothing", task, f"started, and its run {told['task']} was paused"
                    )


def maps_end_truly(run: Run) -> Iterator[Finding]:
    """A map succeeds only when none of its tasks is under way, and enough items have succeeded, each counted once."""
    tasks: dict[str, list[str]] = defaultdict(list)
    born, ends = _born(run), _ends(run)
    for task, birth in born.items():
        if birth.get("map"):
            tasks[birth["map"]].append(task)
    for task, moves in list(run.moves.items()):
        for move in moves:
            if move["to"] != Status.SUCCEEDED or "total" not in move:
                continue
            over = {item: ends[item] for item in tasks[task] if item in ends and _before(ends[item], move)}
            if len(over) < len(tasks[task]):
                yield Finding("maps_end_truly", task, "succeeded, and one of its tasks was still under way")
            good = {born[item]["index"] for item, end in over.items() if end.how == Status.SUCCEEDED}
            if len(good) < move["enough"]:
                yield Finding("maps_end_truly", task, f"succeeded with {len(good)} items of {move['enough']}")


def _born(run: Run) -> dict[str, Happened]:
    """The move by which each task of a run was made."""
    makers = ("launch", "prepare", "expand")
    return {task: moves[0] for task, moves in list(run.moves.items()) if moves and moves[0]["by"] in makers}


def _ends(run: Run) -> dict[str, _End]:
    found: dict[str, _End] = {}
    for task, moves in run.moves.items():
        for move in moves:
            if move["to"] in FINAL:
                found.setdefault(task, _End(int(move["seq"]), float(move["at"]), str(move["to"])))
    return found


def _before(end: _End, move: Happened) -> bool:
    """Whether an end came before a move; of one command one may be noted before the other."""
    return end.seq < int(move["seq"]) or end.at == move["at"]
