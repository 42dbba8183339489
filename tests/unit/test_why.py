"""Why a task waits: reasons out of facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.core.status import Status
from jobbers.core.task import AttemptError, TaskRecord
from jobbers.core.why import explain, of_run
from jobbers.core.why_facts import Facts, GateState, Items, LanePlace, Other, Why, WorkerState
from jobbers.core.why_gates import earliest
from jobbers.core.why_words import listed, ordinal, span

NOW = 1_700_000_000_000
CREATED = datetime.fromtimestamp(NOW / 1000 - 60, UTC)
WORKER = WorkerState("w1", ["mail"], "", slots=10, free=4, silent=0.2, stopping=False)
LANE = LanePlace(ahead=0, exact=True, depth=1, higher=0)


def record(status: Status = Status.QUEUED, **changes: Any) -> TaskRecord:
    return TaskRecord("T1", "send", status, "mail", 5, CREATED, **changes)


def facts(status: Status = Status.QUEUED, *, task: dict[str, Any] | None = None, **changes: Any) -> Facts:
    known: dict[str, Any] = {
        "lane": LANE if status is Status.QUEUED else None,
        "workers": [WORKER],
        **changes,
    }
    return Facts(record(status, **(task or {})), NOW, **known)


def codes(why: Why) -> list[str]:
    return [why.primary.code, *(reason.code for reason in why.others)]


def test_first_in_its_lane() -> None:
    why = explain(facts())
    assert codes(why) == ["in_lane"]
    assert why.waits
    assert why.primary.text == (
        "it is ready: nothing is before it in its lane (queue mail, priority 5); "
        "1 worker serves it, with 4 of 10 slots free"
    )


def test_position_in_a_long_lane_is_a_guess_and_says_so() -> None:
    lane = LanePlace(ahead=12_345, exact=False, depth=30_000, higher=2)
    why = explain(facts(lane=lane, workers=[WORKER, replace(WORKER, name="w2", free=0)]))
    assert "about 12,345 tasks are before it" in why.primary.text
    assert "and 2 tasks of a higher priority; 2 workers serve it, with 4 of 20 slots free" in why.primary.text
    assert (why.primary.facts["ahead"], why.primary.facts["exact"]) == (12_345, False)


def test_all_that_holds_up_comes_in_the_order_in_which_it_does() -> None:
    full = GateState("send", weight=1, most=2, used=2, held_by=["A", "B"])
    room = GateState("other", weight=1, most=2, used=1)
    why = explain(facts(paused=True, draining=True, workers=[], gates=[full, room], strike=("S: no", "hold")))
    assert codes(why) == ["strike", "paused", "no_worker", "in_lane", "limit", "draining"]


@pytest.mark.parametrize(
    ("workers", "roles", "says"),
    [
        ([], [], "no live worker serves queue mail: no worker is alive at all"),
        (
            [replace(WORKER, queues=["news"])],
            ["post"],
            "1 worker is alive, and serves news; role post has it, without a worker",
        ),
        (
            [replace(WORKER, silent=14.0)],
            [],
            "no worker is alive at all; worker w1, which served it, has been silent for 14 s",
        ),
        ([replace(WORKER, stopping=True)], [], "worker w1, which served it, is stopping"),
        (
            [replace(WORKER, paused=True)],
            [],
            "1 worker is alive; worker w1, which served it, is paused until it is resumed",
        ),
    ],
)
def test_no_worker(workers: list[WorkerState], roles: list[str], says: str) -> None:
    why = explain(facts(workers=workers, roles=roles))
    assert why.primary.code == "no_worker"
    assert says in why.primary.text


def test_busy_only_if_every_worker_of_the_queue_is() -> None:
    full = replace(WORKER, free=0)
    idle = replace(WORKER, queues=["news"])
    why = explain(facts(workers=[full, idle]))
    assert codes(why) == ["busy", "in_lane"]
    assert why.primary.text == "all 10 slots of worker w1, which serves queue mail, are busy"
    assert explain(facts(workers=[full, full])).primary.text == (
        "all 20 slots of the 2 workers that serve queue mail are busy"
    )
    assert codes(explain(facts(workers=[full, WORKER]))) == ["in_lane"]


def test_a_limit_tells_who_holds_it_and_the_place_in_line() -> None:
    gate = GateState(
        "send:user=a%20b", weight=1, most=2, used=2, held_by=["A", "B"], waiting=7, place=3, amount=2
    )
    why = explain(facts(Status.BLOCKED, parked=gate.name, gates=[gate]))
    assert codes(why) == ["limit"]
    assert (
        why.primary.text == "limit send:user for a b is full: 2 of 2 taken, by A, B; it is 3rd of 7 in line"
    )
    assert why.primary.facts["held_by"] == ["A", "B"]
    assert (why.primary.facts["used"], why.primary.facts["allows"], why.primary.facts["place"]) == (2, 2, 3)


def test_weights_count() -> None:
    gate = GateState("db", weight=3, most=4, used=2)
    assert gate.full
    assert "it needs 3" in explain(facts(Status.BLOCKED, parked="db", gates=[gate])).primary.text
    assert not replace(gate, used=1).full
    assert not replace(gate, holds=True).full
    assert not GateState("db", weight=9, most=4, used=0).full  # heavier than all of it: it runs alone


def test_a_turn() -> None:
    gate = GateState("mail:tenant:turn@mail=acme", 1, 1, 1, turn=True, waiting=4, place=2)
    why = explain(facts(Status.BLOCKED, parked=gate.name, gates=[gate]))
    assert why.primary.code == "turn"
    assert "turn of its key for acme" in why.primary.text
    assert "2nd of 4 in line" in why.primary.text


@pytest.mark.parametrize(
    ("open_ms", "says"),
    [
        (
            12_000,
            "is open, since too many attempts failed: some are tried again in 12 s; it is 2nd of 4 in line",
        ),
        (-1, "was opened by hand: nothing starts until it is reset"),
        (0, "is half-open: 1 of 1 probe under way"),
        (None, "has closed, and it goes on in a moment"),
    ],
)
def test_a_breaker(open_ms: int | None, says: str) -> None:
    gate = GateState("!api:host=a.test", 1, 1, 1, waiting=4, place=2, breaker=True, open_ms=open_ms)
    why = explain(facts(Status.BLOCKED, parked=gate.name, gates=[gate]))
    assert codes(why) == ["breaker"]
    assert f"breaker api:host for a.test {says}" in why.primary.text
    ready = explain(facts(gates=[replace(gate, place=None)]))
    assert codes(ready) == (["in_lane"] if open_ms is None else ["in_lane", "breaker"])


def test_when_a_rate_lets_it_start() -> None:
    back = [(NOW + 400, 1), (NOW + 700, 1)]
    gate = GateState("send:second", 1, 2, 2, per_ms=1000, amount=2, waiting=9, back=back)
    assert earliest(replace(gate, place=1), NOW) == (NOW + 400, True)
    assert earliest(replace(gate, place=2), NOW) == (NOW + 700, False)
    assert earliest(replace(gate, place=3), NOW) == (NOW + 1700, False)
    assert earliest(replace(gate, place=6), NOW) == (NOW + 2700, False)
    spread = GateState("api", 1, 1, 1, per_ms=1000, step=100.0, amount=10, back=[(NOW + 50, 1)], place=4)
    assert earliest(spread, NOW) == (NOW + 350, False)
    why = explain(facts(Status.BLOCKED, parked=gate.name, gates=[replace(gate, place=1)]))
    assert why.primary.code == "rate"
    assert (
        "it allows 2 in 1 s; it is 1st of 9 in line; it can start in 400 ms, and not before"
        in why.primary.text
    )
    assert why.primary.facts["next"] == NOW + 400


@given(
    st.integers(1, 50), st.integers(1, 5), st.integers(1, 20), st.lists(st.integers(0, 2_000), max_size=20)
)
def test_who_stands_further_back_never_starts_earlier(
    place: int, weight: int, most: int, back: list[int]
) -> None:
    gate = GateState(
        "r", weight, most, most, per_ms=1000, waiting=60, back=[(NOW + when, 1) for when in sorted(back)]
    )
    times = [earliest(replace(gate, place=at), NOW)[0] for at in (place, place + 1)]
    assert NOW <= times[0] <= times[1]


def test_due() -> None:
    due = datetime.fromtimestamp(NOW / 1000 + 90, UTC)
    why = explain(facts(Status.SCHEDULED, task={"due": due}))
    assert why.primary.code == "delayed"
    assert why.primary.text.startswith("it is due in 1 min 30 s, at 20")
    error = AttemptError(2, "ValueError", "no such\nthing", "", "w1", CREATED, CREATED)
    task = {"due": due, "attempt": 2, "snoozes": 1, "reason": "attempt 2 of 5 failed", "errors": [error]}
    why = explain(facts(Status.SCHEDULED, task=task))
    assert why.primary.code == "retry"
    assert why.primary.text.startswith(
        "attempt 2 of 5 failed with ValueError: no such; it is due in 1 min 30 s again"
    )
    why = explain(facts(Status.SCHEDULED, task=task | {"reason": "not yet"}))
    assert (why.primary.code, why.primary.facts["reason"]) == ("snoozed", "not yet")
    late = {"due": due - timedelta(hours=1)}
    assert "in a moment" in explain(facts(Status.SCHEDULED, task=late)).primary.text
    assert "no worker is alive" in explain(facts(Status.SCHEDULED, task=late, workers=[])).primary.text


def test_nodes_wait_for_their_parents() -> None:
    parents = [Other("A", "load", Status.RUNNING), Other("B", "check", Status.QUEUED)]
    why = explain(
        facts(Status.BLOCKED, task={"run": "R"}, waits_for=2, parents=parents, run_paused=True, workers=[])
    )
    assert codes(why) == ["parents", "run_paused", "no_worker"]
    assert why.primary.text == "it waits for 2 nodes before it in its run: load (running), check (queued)"
    some = explain(facts(Status.BLOCKED, waits_for=2, need=1, parents=parents))
    assert "1 more to succeed of 2 nodes" in some.primary.text


def test_a_paused_run() -> None:
    why = explain(facts(Status.BLOCKED, task={"run": "R", "held": True}, run_paused=True))
    assert codes(why) == ["run_paused"]
    assert "run R is paused" in why.primary.text


def test_maps_and_what_was_started_in_ones_place() -> None:
    why = explain(facts(Status.BLOCKED, items=Items(10, 7, 3, 4, 4)))
    assert (
        why.primary.text
        == "it waits for its items: 3 of 10 are done, 4 under way, 3 not begun (at most 4 at a time)"
    )
    why = explain(facts(Status.BLOCKED, started=Other("R2", "", Status.BLOCKED)))
    assert why.primary.code == "started"
    assert "run R2" in why.primary.text


def test_runs() -> None:
    nodes = [
        Other("A", "load", Status.QUEUED),
        Other("B", "store", Status.BLOCKED, ready=False),
        Other("C", "tell", Status.BLOCKED, ready=False),
    ]
    run = explain(facts(Status.BLOCKED, is_run=True, nodes=nodes))
    assert (
        run.primary.text
        == "it waits for its nodes: 3 have not ended: load (queued) and 2 that wait for others"
    )
    told = of_run(run, [explain(facts(paused=True)), explain(facts(Status.RUNNING))])
    assert [(reason.code, reason.task) for reason in told.others] == [("paused", "T1")]
    paused = explain(facts(Status.BLOCKED, is_run=True, nodes=nodes, run_paused=True))
    assert codes(paused) == ["run_paused", "nodes"]


@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_what_has_ended_says_so_whatever_else_holds(status: Status) -> None:
    why = explain(facts(status, paused=True, workers=[], task={"reason": "so it is"}))
    assert (codes(why), why.waits) == (["ended"], False)
    assert f"ended as {status}: so it is" in why.primary.text


def test_what_runs_says_so() -> None:
    why = explain(facts(Status.RUNNING, task={"worker": "w1", "attempt": 2, "liveness": "stalled"}))
    assert (codes(why), why.waits) == (["running"], False)
    assert why.primary.text == "it waits for nothing: it runs on worker w1, attempt 2, and is stalled"


@given(st.sampled_from(Status), st.booleans(), st.booleans(), st.integers(0, 3), st.booleans(), st.booleans())
def test_there_is_always_a_reason(
    status: Status, paused: bool, held: bool, waits: int, is_run: bool, workers: bool
) -> None:
    why = explain(
        facts(
            status,
            task={"held": held},
            paused=paused,
            run_paused=held,
            waits_for=waits,
            is_run=is_run,
            workers=[WORKER] if workers else [],
        )
    )
    assert why.primary.text
    assert why.waits == (status in (Status.BLOCKED, Status.SCHEDULED, Status.QUEUED))


def test_words() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 1_102)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "1,102nd",
    ]  # fmt: skip
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a"], 2, 7) == "a and 6 more"
    assert [span(ms) for ms in (-5, 400, 1_500, 61_000, 120_000, 7_260_000, 200_000_000)] == [
        "0 ms", "400 ms", "1.5 s", "1 min 1 s", "2 min", "2 h 1 min", "2 d 7 h",
    ]  # fmt: skip
