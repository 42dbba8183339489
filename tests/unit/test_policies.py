"""Durations, names, priorities, lanes, liveness: bad values are refused with a sentence that helps."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

import pytest

from jobbers import Jobbers, Retry, Unique
from jobbers.core.durations import to_ms, to_optional_ms
from jobbers.core.lanes import Lane, claim_orders, parse_lane
from jobbers.core.liveness import liveness
from jobbers.core.names import check_name, check_unique_key
from jobbers.core.policy import check_priority
from jobbers.errors import ConfigError, InvalidInput, InvalidName


@pytest.mark.parametrize(
    ("value", "milliseconds"), [(0, 0), (1.5, 1500), (0.0001, 1), (timedelta(minutes=1), 60_000), (0.07, 70)]
)
def test_durations(value: float | timedelta, milliseconds: int) -> None:
    assert to_ms(value, "delay") == milliseconds


@pytest.mark.parametrize(
    "bad", [-1, math.nan, math.inf, "5", None, True, timedelta(-1), 1e13, 1e306, 10**400]
)
def test_bad_durations_are_refused_by_name(bad: object) -> None:
    with pytest.raises(InvalidInput, match="delay must be"):
        to_ms(bad, "delay")  # type: ignore[arg-type]


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(InvalidInput, match="leave it out"):
        to_optional_ms(0, "timeout")


@pytest.mark.parametrize("good", ["default", "mail.high-1", "_x", "9", "a" * 100])
def test_good_names(good: str) -> None:
    assert check_name(good, "the queue") == good


@pytest.mark.parametrize("bad", ["", "a b", "a:b", "{a}", "-a", ".a", "a\n", "ü", "a" * 101, 5, None])
def test_odd_names_are_refused(bad: object) -> None:
    with pytest.raises(InvalidName, match="the queue"):
        check_name(bad, "the queue")


@pytest.mark.parametrize("bad", ["", "a\nb", "x" * 257, 5])
def test_odd_unique_keys_are_refused(bad: object) -> None:
    with pytest.raises(InvalidName, match="unique key"):
        check_unique_key(bad)


@pytest.mark.parametrize("bad", [-1, 10, 1.5, "5", True])
def test_priorities_are_0_to_9(bad: object) -> None:
    with pytest.raises(InvalidInput, match="from 0"):
        check_priority(bad)


@pytest.mark.parametrize("attempts", [0, -1, True, 1.5])
def test_retry_needs_an_attempt(attempts: int) -> None:
    with pytest.raises(InvalidInput, match="attempts"):
        Retry(attempts)


def test_scopes_of_unique_keys() -> None:
    assert Unique("k").scope == "finished"
    assert Unique("k", until="started").scope == "started"
    assert (Unique("k", until=2.5).scope, Unique("k", until=2.5).ttl_ms) == ("time", 2500)


def test_lanes_are_written_and_read() -> None:
    assert parse_lane(str(Lane("mail.x", 7))) == Lane("mail.x", 7)


def test_higher_priorities_come_first_and_queues_take_turns() -> None:
    orders = claim_orders(["a", "b"])
    assert orders[0][:3] == [Lane("a", 9), Lane("b", 9), Lane("a", 8)]
    assert orders[1][0] == Lane("b", 9)


def test_one_claim_in_ten_starts_from_below_for_every_queue() -> None:
    orders = claim_orders(["a", "b", "c"])
    first = Counter(order[0] for order in orders)
    low = {lane: number for lane, number in first.items() if lane.priority == 0}
    assert sum(low.values()) * 10 == len(orders)
    assert set(low) == {Lane("a", 0), Lane("b", 0), Lane("c", 0)}


@pytest.mark.parametrize(
    ("lease_end", "beat_due", "slow_at", "expected"),
    [
        (200, None, None, "running"),
        (200, 200, 200, "running"),
        (50, None, None, "stalled"),
        (200, 50, None, "stalled"),
        (200, 200, 50, "slow"),
        (200, 50, 50, "stalled"),
        (None, None, None, "running"),
    ],
)
def test_slow_is_not_stalled(
    lease_end: int | None, beat_due: int | None, slow_at: int | None, expected: str
) -> None:
    assert liveness(100, lease_end=lease_end, beat_due=beat_due, slow_at=slow_at) == expected


def test_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="JOBBERS_SHARDS"):
        Jobbers("redis://localhost", shards=0)
    with pytest.raises(ConfigError, match="JOBBERS_COLOUR"):
        Jobbers("redis://localhost", colour="red")


def test_a_name_can_be_taken_only_once() -> None:
    app = Jobbers("redis://localhost")
    app.task(name="twice")(lambda: None)
    with pytest.raises(ConfigError, match="registered already"):
        app.task(name="twice")(lambda: None)


def test_generators_are_no_tasks() -> None:
    def numbers():  # type: ignore[no-untyped-def]
        yield 1

    with pytest.raises(ConfigError, match="generator"):
        Jobbers("redis://localhost").task(numbers)


def test_async_functions_do_not_run_in_processes() -> None:
    async def work() -> None: ...

    with pytest.raises(ConfigError, match="process=True"):
        Jobbers("redis://localhost").task(process=True)(work)


def test_options_count_when_the_function_is_given_with_them() -> None:
    """Not only as ``@app.task(...)``: options must never be dropped without a word."""

    async def function() -> None: ...

    app = Jobbers("redis://127.0.0.1:1/0")
    chosen = app.task(function, name="chosen", priority=7)  # type: ignore[call-overload]
    assert (chosen.name, chosen.policy.priority) == ("chosen", 7)
