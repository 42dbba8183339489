"""The checker: a good history passes, and for each rule a history that breaks just that rule is rejected by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobbers.testing.checker import RULES, check
from jobbers.testing.history import History, load, save

Events = list[dict[str, Any]]


def _history(*events: dict[str, Any]) -> Events:
    return [{"seq": seq, "at": float(seq), **event} for seq, event in enumerate(events)]


def _moved(start: str, end: str, by: str, attempt: int = 0, owner: str = "", **more: Any) -> dict[str, Any]:
    return {
        "kind": "moved", "task": "A", "from": start, "to": end, "by": by, "attempt": attempt, "owner": owner, **more,
    }  # fmt: skip


BEGUN = {"kind": "begun", "lease": 3.0, "crash_budget": 3}
SUBMITTING = {"kind": "submitting", "task": "A", "attempts": 2}
CREATED = _moved("", "queued", "submit")
ACCEPTED = {"kind": "accepted", "task": "A", "holder": "A"}
REFUSED = {"kind": "refused", "task": "A"}
CLAIMED = _moved("queued", "running", "claim", 1, "w/1", lane="default:5", entry="5-0")
STARTED = {"kind": "started", "task": "A", "attempt": 1, "owner": "w/1", "process": "w"}
RETURNED = STARTED | {"kind": "returned"}
SUCCEEDED = _moved("running", "succeeded", "succeed", 1, "w/1", caller="w/1", lease_left=2000)
TOLD = {"kind": "told", "task": "A", "what": "succeeded"}
HEALED = {"kind": "healed"}
ENDED = {"kind": "ended"}
RECLAIMED = _moved("running", "queued", "reclaim", 1, "w/1", lease_left=-300)
GOOD = (BEGUN, SUBMITTING, CREATED, ACCEPTED, CLAIMED, STARTED, RETURNED, SUCCEEDED, TOLD, HEALED, ENDED)


def _again(attempt: int, entry: str) -> tuple[dict[str, Any], ...]:
    return RECLAIMED | {"attempt": attempt - 1}, CLAIMED | {
        "attempt": attempt,
        "owner": f"w/{attempt}",
        "entry": entry,
    }


def _without(*left_out: dict[str, Any]) -> Events:
    return _history(*(event for event in GOOD if event not in left_out))


def _with(after: dict[str, Any], *more: dict[str, Any]) -> Events:
    at = GOOD.index(after) + 1
    return _history(*GOOD[:at], *more, *GOOD[at:])


def _instead(old: dict[str, Any], **changed: Any) -> Events:
    return _history(*(event | changed if event is old else event for event in GOOD))


BAD: dict[str, Callable[[], Events]] = {
    "no_loss": lambda: _without(SUCCEEDED, TOLD),
    "refused_is_not_written": lambda: _history(BEGUN, SUBMITTING, CREATED, REFUSED),
    "created_once": lambda: _with(CREATED, CREATED),
    "legal_transitions": lambda: _with(SUCCEEDED, _moved("succeeded", "queued", "promote")),
    "one_acceptance": lambda: _with(SUCCEEDED, SUCCEEDED),
    "no_stale_acceptance": lambda: _instead(SUCCEEDED, caller="w/0"),
    "attempt_budget": lambda: _with(
        CLAIMED, *(event for n in range(2, 7) for event in _again(n, f"{n + 5}-0"))
    ),
    "lease_exclusion": lambda: _with(STARTED, RECLAIMED | {"lease_left": 500}),
    "recovery_bound": lambda: [
        *_with(STARTED, RECLAIMED)[:-2],
        {"seq": 50, "at": 50.0, **HEALED},
        {"seq": 51, "at": 90.0, **RECLAIMED, "lease_left": -9000},
    ],
    "first_in_first_out": lambda: _with(CLAIMED, CLAIMED | {"task": "B", "entry": "4-0"}),
    "in_its_place": lambda: _instead(CLAIMED, misplaced=["does not lie with what is running"]),
    "told_the_truth": lambda: _without(RETURNED),
    "each_edge_once": lambda: _with(
        BEGUN,
        _moved("", "queued", "launch", task="B", then=["C"], trigger="all_succeeded", run=""),
        _moved("", "blocked", "launch", task="C", then=[], trigger="all_succeeded", run=""),
        _moved("blocked", "queued", "succeed", task="C"),
    ),
    "runs_end_truly": lambda: _with(
        BEGUN,
        _moved("", "queued", "launch", task="B", then=["R"], trigger="all_succeeded", run="R"),
        _moved("", "blocked", "launch", task="R", then=[], trigger="", run=""),
        _moved("blocked", "cancelled", "cancel", task="R"),
        _moved("queued", "running", "claim", 1, "w/9", task="B", lane="mail:5", entry="1-0"),
    ),
    "paused_runs_start_nothing": lambda: _with(
        BEGUN,
        _moved("", "queued", "launch", task="B", then=["R"], trigger="all_succeeded", run="R"),
        {"kind": "pausing", "task": "R"},
        {"kind": "told", "task": "R", "what": "paused"},
        _moved("queued", "running", "claim", 1, "w/9", task="B", lane="mail:5", entry="1-0"),
    ),
    "maps_end_truly": lambda: _with(
        BEGUN,
        _moved("", "blocked", "launch", task="M", then=[], trigger="all_succeeded", run="R"),
        _moved("", "queued", "expand", task="B", then=[], run="R", map="M", index="0"),
        _moved("blocked", "succeeded", "succeed", task="M", total=1, enough=1),
    ),
    "limits_hold": lambda: _history(
        BEGUN | {"limits": {"one": [1, 0, 0], "rate": [1, 2000, 0]}},
        *(
            event
            for task in "PQ"
            for event in (
                _moved("", "queued", "submit_gated", task=task, gates="w1/one"),
                _moved("queued", "running", "claim", 1, f"w/{task}", task=task),
            )
        ),
    ),
    "nobody_crashes": lambda: _with(CLAIMED, {"kind": "crashed", "process": "w", "error": "KeyError: 'x'"}),
    "quiescence": lambda: _with(HEALED, {"kind": "violation", "what": "key x is in no table"}),
}


def test_a_good_history_passes() -> None:
    assert check(_history(*GOOD)) == []


def test_every_rule_has_a_bad_history() -> None:
    assert set(BAD) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_rejects(rule: str) -> None:
    assert rule in {finding.rule for finding in check(BAD[rule]())}


def test_starts_that_come_too_soon_break_a_rate() -> None:
    history = _history(
        BEGUN | {"limits": {"rate": [1, 10_000, 0]}},
        _moved("", "queued", "submit_gated", task="P", gates="w1/rate=a"),
        _moved("queued", "running", "claim", 1, "w/1", task="P"),
        _moved("running", "queued", "release", 0, "w/1", task="P"),
        _moved("queued", "running", "claim", 1, "w/2", task="P"),
    )
    assert [finding.rule for finding in check(history) if finding.rule == "limits_hold"] == ["limits_hold"]
    late = [{**event, "at": 30.0} if event.get("owner") == "w/2" else event for event in history]
    assert "limits_hold" not in {finding.rule for finding in check(late)}


def test_a_client_that_heard_of_an_end_that_never_was() -> None:
    findings = check(_instead(TOLD, what="cancelled"))
    assert [finding.rule for finding in findings] == ["told_the_truth"]


@pytest.mark.parametrize(
    ("by", "end"),
    [("retry", "scheduled"), ("snooze", "scheduled"), ("release", "queued"), ("fail", "failed")],
)
def test_the_fence_holds_for_every_way_to_end(by: str, end: str) -> None:
    stale = _moved("running", end, by, 1, "w/1", caller="other/9")
    assert "no_stale_acceptance" in {finding.rule for finding in check(_with(STARTED, stale))}


def test_a_claim_that_died_with_its_server_may_be_made_again() -> None:
    found = _moved("running", "queued", "found")
    again = CLAIMED | {"owner": "w/1"}
    assert check(_with(CLAIMED, found, again)) == []
    assert "first_in_first_out" in {finding.rule for finding in check(_with(CLAIMED, RECLAIMED, again))}


def test_what_was_lost_with_the_power_may_be_lost() -> None:
    lost = _history(
        BEGUN, SUBMITTING, {"kind": "snapshot"}, CREATED, ACCEPTED, {"kind": "rolled_back"}, HEALED, ENDED
    )
    assert check(lost) == []


def test_what_was_written_before_must_not_be_lost_with_the_power() -> None:
    events = (
        BEGUN,
        SUBMITTING,
        CREATED,
        ACCEPTED,
        {"kind": "snapshot"},
        CLAIMED,
        {"kind": "rolled_back"},
        HEALED,
        ENDED,
    )
    assert [finding.rule for finding in check(_history(*events))] == ["no_loss"]


def test_a_history_is_the_same_after_a_file(tmp_path: Path) -> None:
    history = History(lambda: 1.5)
    history.add("accepted", task="A", holder="A")
    save(history.events, tmp_path / "history.jsonl")
    assert (
        load(tmp_path / "history.jsonl")
        == history.events
        == [{"seq": 0, "at": 1.5, "kind": "accepted", "task": "A", "holder": "A"}]
    )
    assert len([json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]) == 1
