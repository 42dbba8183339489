"""Judges a history: one pass over its events, one function a rule. It knows nothing of who recorded them.

Kinds of events, and their fields beside ``at`` (seconds) and ``seq``:

========== ======================================================================================================
begun      ``lease`` seconds, ``crash_budget``, ``limits``: name to amount, ms (0 for no rate) and burst
submitting ``task``, ``attempts``: a client is about to submit
accepted   ``task``, ``holder``: the client was told so; the holder of its unique key is another task or itself
refused    ``task``: the client was told that it was not taken
unknown    ``task``: the client was told that nobody knows
moved      ``task``, ``from``, ``to``, ``attempt``, ``owner``, ``by`` (the script), and where they apply ``caller`` (the
           owner that a completion names), ``lease_left`` ms, ``lane`` and ``entry``, ``misplaced``, ``then``,
           ``run``, ``trigger``, ``need``, ``caught``, ``undoes``, ``map`` and ``index`` (of a run's task when it is made),
           ``parts`` (its tasks, of a run when it is made),
           ``total`` and ``enough`` (of a map that succeeds), ``gates`` (when it is made), ``first`` (it goes before
           others in its lane): the store changed; ``by`` is ``found`` where only the outcome is known, for nobody
           watched at that instant
started    ``task``, ``attempt``, ``owner``, ``process``: the task's function was called
returned   the same: it returned
told       ``task``, ``what``: a client was told of an end, that the task is ``gone`` or that the run is ``paused``
pausing    ``task``: a client is about to pause a run; or, ``resuming``, to have it go on
killed     ``process``; ``worker`` where one began by that name and no other ever will
snapshot   what happens after this may be lost
rolled_back  it was lost
healed     no more faults from here on
violation  ``what``: the store was found to be wrong after the end
crashed    ``process``, ``error``: a worker ended by itself
ended      all was looked at
========== ======================================================================================================
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from jobbers.core.status import FINAL, TRANSITIONS, Event, Status
from jobbers.testing.checker_limits import limits_hold
from jobbers.testing.checker_runs import (
    each_edge_once,
    maps_end_truly,
    paused_runs_start_nothing,
    runs_end_truly,
)
from jobbers.testing.finding import Finding, Run
from jobbers.testing.history import FINISHING
from jobbers.testing.history import Event as Happened

CLOCK_GRAIN_MS = 1.0
CREATING = ("submit", "submit_gated", "collapse", "launch", "prepare", "expand")

_RUN_MOVES = (Event.UNBLOCK, Event.SKIP, Event.JOIN, Event.FAIL)
"""What the end of a task may do to others: of its run, or in the line of a gate, where a permit is handed on."""
_MOVES: dict[str, tuple[Event, ...]] = {
    "claim": (Event.CLAIM, Event.HOLD, Event.PARK, Event.EXPIRE, Event.CANCEL, *_RUN_MOVES),
    "promote": (Event.PROMOTE, Event.HOLD, Event.PARK, Event.EXPIRE, Event.CANCEL, *_RUN_MOVES),
    "reclaim": (Event.RECLAIM, Event.FAIL, *_RUN_MOVES),
    "repair": (Event.RECLAIM, Event.PROMOTE, Event.RELEASE),
    "permits": (Event.UNBLOCK,),
    "launch": (Event.UNBLOCK, Event.PARK),
    "submit_gated": (Event.CANCEL, *_RUN_MOVES),
    # The last item of a map may have ended before the map's own execution does.
    "suspend": (Event.SUSPEND, Event.RELEASE, Event.SUCCEED, Event.FAIL, *_RUN_MOVES),
    "hold": (Event.HOLD, Event.UNBLOCK, Event.PARK),
    "follow": (Event.SUCCEED, Event.FOLLOW, *_RUN_MOVES),
    **{event.value: (event, *_RUN_MOVES) for event in (Event.SUCCEED, Event.FAIL, Event.SKIP, Event.CANCEL)},
    **{event.value: (event, Event.UNBLOCK) for event in (Event.RETRY, Event.SNOOZE, Event.RELEASE)},
    Event.REQUEUE.value: (Event.REQUEUE,),
}


Rule = Callable[[Run], Iterator[Finding]]


def check(events: Sequence[Happened]) -> list[Finding]:
    """Everything in a history that must not be."""
    run = Run(events)
    return [finding for rule in RULES for finding in rule(run)]


def no_loss(run: Run) -> Iterator[Finding]:
    """What was accepted is there, and has ended when the faults were over."""
    if not run.of_kind["ended"]:
        return
    for accepted in run.of_kind["accepted"]:
        if accepted["seq"] in run.lost:
            continue
        task = accepted["holder"]
        moves = run.moves[task]
        if not moves:
            if not any(event["task"] == task and event["seq"] in run.lost for event in run.of_kind["moved"]):
                yield Finding("no_loss", task, "was accepted, but never written")
        elif moves[-1]["to"] not in FINAL:
            yield Finding("no_loss", task, f"was accepted and is {moves[-1]['to'] or 'gone'} at the end")


def refused_is_not_written(run: Run) -> Iterator[Finding]:
    """What a client was told was refused, each time that it tried, is not there."""
    outcomes: dict[str, list[str]] = defaultdict(list)
    for event in run.events:
        if event["kind"] in ("accepted", "refused", "unknown"):
            outcomes[event["task"]].append(event["kind"])
    for task, kinds in outcomes.items():
        if set(kinds) == {"refused"} and run.moves[task]:
            yield Finding("refused_is_not_written", task, "was refused, and is there")


def created_once(run: Run) -> Iterator[Finding]:
    """An id is created once, whoever submits it how often."""
    for task, moves in run.moves.items():
        created = [move for move in moves if move["by"] in CREATING]
        if len(created) > 1:
            yield Finding("created_once", task, f"was created {len(created)} times")


def legal_transitions(run: Run) -> Iterator[Finding]:
    """Every move is one of the table's, and begins where the last one ended."""
    for task, moves in run.moves.items():
        status = ""
        for move in moves:
            if move["from"] != status:
                yield Finding(
                    "legal_transitions", task, f"was {status or 'nothing'} and moved from {move['from']}"
                )
            status = move["to"]
            if not _legal(move):
                yield Finding(
                    "legal_transitions", task, f"{move['by']}: {move['from'] or 'nothing'} to {move['to']}"
                )


def one_acceptance(run: Run) -> Iterator[Finding]:
    """A life ends once."""
    for task in run.moves:
        for life in run.lives(task):
            ends = [move for move in life if move["to"] in FINAL]
            if len(ends) > 1:
                yield Finding("one_acceptance", task, f"ended {len(ends)} times in one life")


def no_stale_acceptance(run: Run) -> Iterator[Finding]:
    """Only the latest claim's owner completes."""
    for task, moves in run.moves.items():
        owner = ""
        for move in moves:
            if move["to"] == Status.RUNNING or move["by"] == "found":
                owner = move["owner"]
            elif move["by"] in FINISHING and move["from"] != Status.BLOCKED and move.get("caller") != owner:
                yield Finding(
                    "no_stale_acceptance", task, f"{move['by']} by {move.get('caller')}, held by {owner}"
                )


def attempt_budget(run: Run) -> Iterator[Finding]:
    """A life starts at most as often as its policy allows, and once more for each worker it may lose."""
    attempts = {event["task"]: event["attempts"] for event in run.of_kind["submitting"]}
    for task in run.moves:
        for life in run.lives(task):
            starts = sum(move["by"] in ("claim", "follow") and move["to"] == Status.RUNNING for move in life)
            free = sum(_is_free(before, move) for before, move in itertools.pairwise(life))
            allowed = attempts.get(task, starts) + run.crash_budget + free
            if starts > allowed:
                yield Finding("attempt_budget", task, f"started {starts} times, allowed are {allowed}")


def lease_exclusion(run: Run) -> Iterator[Finding]:
    """What is leased is taken from its owner only when the lease has ended, its start was never heard of, or its worker
    was killed."""
    stepped = bool(run.of_kind["clock_stepped"])
    for task, moves in run.moves.items():
        for move in moves:
            left = 0 if stepped or move["by"] != "reclaim" else move.get("lease_left", 0)
            if left > CLOCK_GRAIN_MS and not (_was_unheard(run, move) or run.known_dead(move)):
                yield Finding("lease_exclusion", task, f"was taken back {left} ms before its lease ended")


def recovery_bound(run: Run) -> Iterator[Finding]:
    """After the faults, no lease outlives its end by more than a sweep and a second, unless the worker that would have
    swept died, too."""
    if not run.of_kind["healed"]:
        return
    healed = run.of_kind["healed"][0]["at"]
    for task, moves in run.moves.items():
        for move in moves:
            late = -move.get("lease_left", 0) / 1000
            ended = move["at"] - late
            too_late = move["by"] == "reclaim" and ended > healed + RECOVERY_GRACE and late > RECOVERY_SECONDS
            if too_late and not run.any_killed(ended - run.lease / 2, move["at"]):
                yield Finding(
                    "recovery_bound", task, f"was taken back {late:.1f} s after its lease had ended"
                )


RECOVERY_SECONDS = 2.0
RECOVERY_GRACE = 10.0
"""The guard of the duties may lie with a dead worker, and connections are made anew."""


def first_in_first_out(run: Run) -> Iterator[Finding]:
    """Within a lane, claims take entries in their order, but for tasks that were at the head before, which go first."""
    first: set[str] = set()
    last: dict[str, tuple[tuple[int, ...], str]] = {}
    moves = sorted(
        (move for moves in run.moves.values() for move in moves), key=lambda move: int(move["seq"])
    )
    for move in moves:
        if move["by"] == "found" and move["to"] == Status.QUEUED:
            # The server died before the claim was safe, and its entry will be claimed again.
            last = {lane: mark for lane, mark in last.items() if mark[1] != move["task"]}
        if move["to"] == Status.QUEUED and move["by"] != "found":
            (first.add if "first" in move else first.discard)(move["task"])
        if move["by"] == "claim" and "entry" in move and move["task"] not in first:
            entry = tuple(int(part) for part in move["entry"].split("-"))
            before, task = last.get(move["lane"], ((0,), ""))
            if entry <= before:
                yield Finding(
                    "first_in_first_out", move["task"], f"was claimed after {task}, which came later"
                )
            last[move["lane"]] = (entry, move["task"])


def in_its_place(run: Run) -> Iterator[Finding]:
    """After every script a task lies in exactly the containers that its status demands."""
    for event in run.of_kind["moved"]:
        if "misplaced" in event:
            what = f"{event['by']} left it {event['to']}, and it {', '.join(event['misplaced'])}"
            yield Finding("in_its_place", event["task"], what)


def told_the_truth(run: Run) -> Iterator[Finding]:
    """What a client is told of an end has happened before, and success means that the function returned."""
    reached: dict[str, set[str]] = defaultdict(set)
    returned: set[tuple[str, str]] = set()
    for event in run.events:
        match event["kind"]:
            case "moved":
                reached[event["task"]].add(event["to"])
                by_itself = (
                    event["by"] in ("succeed", "follow")
                    and event["to"] == Status.SUCCEEDED
                    and event["from"] != Status.BLOCKED
                    and "total" not in event  # it was its run that succeeded
                )
                if by_itself and (event["task"], event["owner"]) not in returned:
                    yield Finding(
                        "told_the_truth", event["task"], "succeeded, and its function never returned"
                    )
            case "returned":
                returned.add((event["task"], event["owner"]))
            case "told" if event["what"] in FINAL and event["what"] not in reached[event["task"]]:
                yield Finding(
                    "told_the_truth", event["task"], f"a client heard of {event['what']}, which never was"
                )


def nobody_crashes(run: Run) -> Iterator[Finding]:
    """Workers do not end by themselves, but for a server that is not there when they start."""
    for event in run.of_kind["crashed"]:
        if not str(event["error"]).startswith(("ServerUnavailable", "UnknownOutcome", "OutOfMemory")):
            yield Finding("nobody_crashes", event["process"], event["error"])


def quiescence(run: Run) -> Iterator[Finding]:
    """At the end the whole store obeys its invariants, key by key."""
    for event in run.of_kind["violation"]:
        yield Finding("quiescence", "", event["what"])


RULES: tuple[Rule, ...] = (
    no_loss, refused_is_not_written, created_once, legal_transitions, one_acceptance, no_stale_acceptance, attempt_budget,
    lease_exclusion, recovery_bound, first_in_first_out, in_its_place, told_the_truth, each_edge_once, runs_end_truly,
    paused_runs_start_nothing, maps_end_truly, limits_hold, nobody_crashes, quiescence,
)  # fmt: skip


def _legal(move: Happened) -> bool:
    if move["by"] == "found":
        return True
    if move["by"] in CREATING and move["from"] == "":
        return move["to"] in (Status.QUEUED, Status.SCHEDULED, Status.BLOCKED)
    rows = [TRANSITIONS[event] for event in _MOVES.get(str(move["by"]), ())]
    return any(move["from"] in row.sources and row.target == move["to"] for row in rows)


def _is_free(before: Happened, move: Happened) -> bool:
    """Whether a running task was put back without using an attempt."""
    put_back = before["to"] == Status.RUNNING and move["to"] in (
        Status.QUEUED,
        Status.SCHEDULED,
        Status.BLOCKED,
    )
    return bool(put_back and move["attempt"] < before["attempt"])


def _was_unheard(run: Run, move: Happened) -> bool:
    """Whether the execution that was taken back had never started."""
    return not any(
        event["task"] == move["task"] and event["owner"] == move["owner"] and event["seq"] < move["seq"]
        for event in run.of_kind["started"]
    )
