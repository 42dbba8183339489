"""Which queue a task goes to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.core.spread import HashBy, Random, RoundRobin
from jobbers.errors import InvalidInput, InvalidName


def test_each_in_its_turn() -> None:
    spread = RoundRobin(["a", "b", "c"])
    assert [spread.choose({}, turn, 0.9) for turn in range(5)] == ["a", "b", "c", "a", "b"]


def test_by_chance_and_by_weight() -> None:
    spread = Random(["a", "b"], [3, 1])
    assert Counter(spread.choose({}, 0, number / 100) for number in range(100)) == {"a": 75, "b": 25}
    assert Random(["a", "b"]).choose({}, 0, 0.999999) == "b"
    assert Random(["a", "b", "c"], [0.1, 0.1, 0.1]).choose({}, 0, 0.9999999999999999) == "c"


@given(
    st.one_of(st.integers(-(2**63), 2**64 - 1), st.text(), st.none(), st.lists(st.integers(0, 9), max_size=3))
)
def test_a_value_always_goes_to_the_same_queue(value: Any) -> None:
    queues = ["a", "b", "c", "d"]
    first = HashBy("key", queues).choose({"key": value, "other": 1}, 0, 0.1)
    assert HashBy("key", [*reversed(queues)]).choose({"key": value, "other": 2}, 7, 0.9) == first
    assert HashBy(lambda given: given["key"], queues).choose({"key": value}, 0, 0.5) == first


def test_values_spread_evenly_and_few_move_to_a_new_queue() -> None:
    """A tenth queue takes about a tenth of the values, from all others alike; no other value moves."""
    nine = HashBy("key", [f"q{number}" for number in range(9)])
    ten = HashBy("key", [f"q{number}" for number in range(10)])
    before = {value: nine.choose({"key": value}, 0, 0) for value in range(9000)}
    after = {value: ten.choose({"key": value}, 0, 0) for value in range(9000)}
    assert all(800 < count < 1200 for count in Counter(before.values()).values())
    moved = [value for value in before if before[value] != after[value]]
    assert {after[value] for value in moved} == {"q9"}
    assert 750 < len(moved) < 1050


@pytest.mark.parametrize("kind", [RoundRobin, Random, lambda queues: HashBy("x", queues)])
def test_queues_that_make_no_sense(kind: Any) -> None:
    for queues in ([], "abc", ["a", "a"]):
        with pytest.raises(InvalidInput):
            kind(queues)
    with pytest.raises(InvalidName):
        kind(["a b"])


@pytest.mark.parametrize("weights", [[1], [1, 0], [1, -1], [1, float("inf")], []])
def test_weights_that_make_no_sense(weights: list[float]) -> None:
    with pytest.raises(InvalidInput, match="a weight above 0 for each of its 2 queues"):
        Random(["a", "b"], weights)


def test_a_key_that_is_not_there() -> None:
    with pytest.raises(InvalidInput, match=r"no such argument \(there are: b, c\)"):
        HashBy("a", ["q"]).choose({"b": 1, "c": 2}, 0, 0)
