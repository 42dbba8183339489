"""Advice on workers: rates, Erlang's formula against known values, and its bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.core.advice import MOST_SLOTS, Observed, advise, arrival_rate, mean_wait, slots_for


def seen(**changes: Any) -> Observed:
    return Observed(
        **{
            "queue": "mail",
            "seconds": 100.0,
            "left": 1_000,
            "ready": 0,
            "ready_before": 0,
            "ran_seconds": 0.5,
            "workers": 2,
            "slots": 20,
            **changes,
        }
    )


def test_what_arrives_is_what_left_and_what_has_gathered() -> None:
    assert arrival_rate(seen()) == 10
    assert arrival_rate(seen(ready=500)) == 15
    assert arrival_rate(seen(ready_before=500)) == 5
    assert arrival_rate(seen(ready_before=5_000)) == 0
    assert arrival_rate(seen(ready=500, ready_before=None)) == 10
    assert arrival_rate(seen(seconds=0)) == 0


def test_a_queue_with_enough_workers() -> None:
    advice = advise(seen(), 5.0)
    assert (advice.arrival_rate, advice.service_rate, advice.utilisation) == (10, 40, 0.25)
    assert advice.drain_seconds == 0
    assert (advice.wanted_slots, advice.wanted_workers) == (6, 1)  # five are always busy, and six are enough


def test_what_is_ready_is_to_begin_within_the_target() -> None:
    advice = advise(seen(ready=400, ready_before=0, left=600), 5.0)
    assert advice.drain_seconds == pytest.approx(400 / 30)
    assert advice.wanted_slots == 45  # 0.5 s x (10 + 400 / 5) a second
    assert advice.wanted_workers == 5
    assert advise(seen(ready=3, ready_before=3, left=0), 0.001).wanted_slots == 3, (
        "no more than there are tasks"
    )


def test_workers_that_are_busy_with_other_queues_drain_it_as_they_have_lately() -> None:
    for before, left, expected in [
        (900, 1_000, 400 / 5),  # 5 a second fewer, though 20 slots could do 40
        (3_400, 4_000, 400 / 30),
        (400, 1_000, None),
        (300, 1_000, None),
        (20, 1_000, 400 / (40 - 13.8)),  # so few that slots may have been free
    ]:
        advice = advise(seen(ready=400, ready_before=before, left=left), 5.0)
        assert advice.drain_seconds == (expected if expected is None else pytest.approx(expected)), before
    assert advise(seen(ready=400, ready_before=900, paused=True), 5.0).drain_seconds is None


def test_too_few_workers_never_get_done() -> None:
    advice = advise(seen(ready=10, ready_before=0, slots=4, workers=1), 5.0)
    assert advice.drain_seconds is None
    assert advice.utilisation is not None
    assert advice.utilisation > 1
    assert advice.wanted_workers == 2


def test_no_workers_no_history_nothing_to_do_and_paused() -> None:
    advice = advise(seen(left=0, ready=1, ran_seconds=None, workers=0, slots=0), 5.0)
    assert (advice.wanted_workers, advice.drain_seconds, advice.service_rate) == (1, None, None)
    assert "not known" in advice.why
    assert advise(seen(left=0, ready=9, ready_before=9, ran_seconds=None), 5.0).wanted_workers == 2, (
        "as it is"
    )
    assert advise(seen(left=0, ran_seconds=None), 5.0).wanted_workers == 0
    assert advise(seen(left=0), 5.0).wanted_workers == 0
    assert advise(seen(left=0, ready=1), 5.0).wanted_workers == 1
    for ran in (None, 0.5):
        paused = advise(seen(ready=100, paused=True, ran_seconds=ran), 5.0)
        assert (paused.wanted_workers, paused.why, paused.drain_seconds) == (0, "it is paused", None)


def test_erlang() -> None:
    # One line at one counter that is busy half of the time: customers wait as long as they are served.
    assert mean_wait(1, 0.5, 3.0) == pytest.approx(3.0)
    # Tables of call centres: ten agents with a load of eight, C = 0.409.
    assert mean_wait(10, 8.0, 1.0) == pytest.approx(0.409 / 2, rel=0.01)
    assert mean_wait(8, 8.0, 1.0) == math.inf


@given(
    load=st.floats(0, 5_000),
    run=st.floats(0.001, 3_600),
    target=st.floats(0.001, 86_400),
)
def test_the_fewest_slots_that_are_enough(load: float, run: float, target: float) -> None:
    slots = slots_for(load, run, target)
    if load == 0:
        assert slots == 0
        return
    assert mean_wait(slots, load, run) <= target
    assert slots == math.floor(load) + 1 or mean_wait(slots - 1, load, run) > target


def test_enormous_loads_are_bounded() -> None:
    advice = advise(seen(left=10**12, ran_seconds=3_600.0), 0.001)
    assert advice.wanted_slots == MOST_SLOTS


@pytest.mark.parametrize("ran", [None, 0.5])
def test_a_queue_whose_tasks_run_or_are_parked_keeps_a_worker(ran: float | None) -> None:
    quiet = {"left": 0, "ran_seconds": ran}
    assert advise(seen(**quiet), 5.0).wanted_workers == 0
    advice = advise(seen(**quiet, busy=True), 5.0)
    assert (advice.wanted_workers, advice.why) == (1, "nothing is ready, and tasks run or wait for a limit")


@pytest.mark.parametrize(("ran", "words"), [(0.0005, "less than 0.01"), (0.123, "1.2"), (123.0, "1,230")])
def test_reasons_have_no_exponents(ran: float, words: str) -> None:
    reason = advise(seen(ran_seconds=ran), 5.0).why
    assert reason.startswith(f"tasks keep {words} slots busy"), reason
