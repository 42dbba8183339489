"""A concurrency that a worker finds by itself: what it reads from samples."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobbers.core.adaptive import Adaptive, Controller, Pace, Sample, parse_concurrency
from jobbers.errors import InvalidInput
from jobbers.worker.slots import Slots

WELL = Sample(busy=10**6, lag=0.001, cpu=0.2, slowdown=1.0)


def test_the_bounds_hold_whatever_is_seen() -> None:
    controller = Controller(Adaptive(5, 300))
    assert [controller.see(WELL) for _ in range(30)][-1] == 300
    assert [controller.see(WELL._replace(lag=9.0)) for _ in range(30)][-1] == 5
    assert Controller(Adaptive(50, 300)).places == 50
    assert Controller(Adaptive(1, 3)).places == 3


def test_it_doubles_until_the_first_trouble_and_then_goes_step_by_step() -> None:
    controller = Controller(Adaptive(1, 10_000))
    assert [controller.see(WELL) for _ in range(3)] == [20, 40, 80]
    after = controller.see(WELL._replace(busy=80, lag=0.2))
    assert after == 40
    assert [controller.see(WELL) for _ in range(4)] == [40, 40, 44, 48]


@pytest.mark.parametrize("trouble", [{"lag": 0.06}, {"cpu": 0.95}, {"slowdown": 1.6}, {"busy": 8}])
def test_a_loaded_worker_and_one_with_room_stay_as_they_are(trouble: dict[str, Any]) -> None:
    controller = Controller(Adaptive(1, 1000))
    assert [controller.see(WELL._replace(**trouble)) for _ in range(5)] == [10] * 5


@pytest.mark.parametrize(
    ("trouble", "left"),
    [({"lag": 0.11}, 70), ({"lag": 0.2}, 50), ({"lag": 30.0}, 20), ({"slowdown": 3.0}, 70)],
)
def test_trouble_brings_it_down_from_what_is_in_use(trouble: dict[str, Any], left: int) -> None:
    controller = Controller(Adaptive(1, 1000))
    for _ in range(5):
        controller.see(WELL)
    assert controller.places == 320
    assert controller.see(WELL._replace(busy=100, **trouble)) == left


def test_a_loop_that_computes_all_the_time_does_not_shrink() -> None:
    """Short tasks without end fill a loop, but less of them at a time would only make claims smaller."""
    controller = Controller(Adaptive(1, 1000))
    assert controller.see(WELL._replace(cpu=1.0, lag=0.02)) == 10


def test_pace_is_in_proportion_to_what_a_type_usually_takes() -> None:
    pace = Pace()
    assert pace.since() == 1.0
    for _ in range(100):
        pace.took("slow", 1.0)
        pace.took("fast", 0.01)
    assert pace.since() == pytest.approx(1.0)
    for _ in range(10):
        pace.took("fast", 0.02)
    assert 1.4 < pace.since() <= 2.0
    for _ in range(10):
        pace.took("slow", 1000.0)
    assert pace.since() <= Pace.MOST
    pace.took("slow", 1e6)
    assert pace.since() == 1.0


def test_tasks_that_take_no_time_are_never_slow() -> None:
    pace = Pace()
    for number in range(100):
        pace.took("noop", 1e-6 * (1 + number % 50))
    assert pace.since() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100", 100), (7, 7), ("auto", Adaptive()), ("auto:2-50", Adaptive(2, 50)), (Adaptive(3), Adaptive(3))],
)
def test_a_concurrency_as_it_is_written(text: Any, expected: Any) -> None:
    assert parse_concurrency(text) == expected
    assert parse_concurrency(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "0", 0, -1, "many", "auto:9-3", "auto:0-3", "auto:5", True, "1.5"])
def test_what_is_no_concurrency_is_refused(text: Any) -> None:
    with pytest.raises(InvalidInput):
        parse_concurrency(text)


async def test_places_that_are_taken_stay_taken_when_there_are_fewer() -> None:
    slots = Slots(4)
    assert slots.take(4) == 4
    slots.resize(2)
    assert (slots.free, slots.take(1)) == (-2, 0)
    waiting = asyncio.create_task(slots.some())
    slots.give(2)
    await asyncio.sleep(0)
    assert (slots.free, waiting.done(), slots.take(9)) == (0, False, 0)
    slots.give(1)
    await waiting
    assert slots.take(9) == 1
    assert (slots.total, slots.free) == (2, 0)


async def test_those_who_wait_for_a_place_hear_of_more() -> None:
    slots = Slots(1)
    slots.take(1)
    waiting = asyncio.create_task(slots.some())
    await asyncio.sleep(0)
    slots.resize(3)
    await waiting
    assert slots.take(9) == 2
