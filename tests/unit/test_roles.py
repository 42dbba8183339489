"""Roles: what makes sense, how they are written, and in which order their queues are visited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers import Jobbers
from jobbers.core.lanes import Lane, claim_orders, only
from jobbers.core.roles import Role, make_role, read_role
from jobbers.errors import InvalidInput, InvalidName

weights = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 12), min_size=1, max_size=6)


@given(weights)
def test_claims_visit_queues_in_proportion_to_their_weights(chosen: dict[str, int]) -> None:
    first = Counter(order[0].queue for order in claim_orders(chosen))
    shares = {first[queue] / weight for queue, weight in chosen.items()}
    assert len(shares) == 1, first


@given(weights, st.booleans())
def test_every_order_has_every_lane_once(chosen: dict[str, int], strict: bool) -> None:
    lanes = {Lane(queue, priority) for queue in chosen for priority in range(10)}
    for order in claim_orders(chosen, strict=strict):
        assert len(order) == len(lanes)
        assert set(order) == lanes


@given(weights)
def test_every_queue_has_its_turns_from_the_lowest_priority_up(chosen: dict[str, int]) -> None:
    orders = claim_orders(chosen)
    low = Counter(order[0].queue for order in orders if order[0].priority == 0)
    assert low.total() * 10 == len(orders)
    assert len({low[queue] / weight for queue, weight in chosen.items()}) == 1
    assert {order[0].priority for order in orders} == {0, 9}


def test_turns_are_spread_evenly() -> None:
    turns = [order[0].queue for order in claim_orders({"a": 5, "b": 1, "c": 1})][:7]
    assert Counter(turns) == {"a": 5, "b": 1, "c": 1}
    assert max(len(list(run)) for queue, run in groupby(turns) if queue == "a") <= 3
    assert max(len(list(run)) for queue, run in groupby(turns) if queue != "a") == 1


def test_a_strict_order_goes_from_queue_to_queue() -> None:
    orders = claim_orders(["urgent", "bulk"], strict=True)
    for order in orders:
        assert [queue for queue, _ in groupby(lane.queue for lane in order)] == ["urgent", "bulk"]
    assert [order[0] for order in orders] == [Lane("urgent", 9)] * 9 + [Lane("urgent", 0)]


def test_orders_of_used_lanes_only() -> None:
    used = {Lane("a", 5), Lane("b", 9)}
    assert only(claim_orders(["a", "b"]), used)[:2] == [[Lane("b", 9), Lane("a", 5)]] * 2
    assert claim_orders([]) == [[]]


def test_many_queues_with_odd_weights_cost_little() -> None:
    orders = claim_orders({f"q{number}": 1 + number % 100 for number in range(100)})
    assert len({id(order) for order in orders}) <= 200
    assert len({id(order) for order in only(orders, set(orders[0][:5]))}) <= 200


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (["mail", "news"], "mail, news"),
        ({"mail": 3, "news": 1}, "mail=3, news=1"),
        (Role({"urgent": 1, "bulk": 1}, strict=True), "urgent > bulk"),
        (["z", "a", "m"], "z, a, m"),
    ],
)
def test_roles_are_written_and_read(given_: Any, text: str) -> None:
    role = make_role(given_)
    assert str(role) == text
    read = read_role(role.stored().encode())
    assert read is not None
    assert read.same(role)
    assert list(read.queues) == list(role.queues)


@pytest.mark.parametrize(
    "stored",
    [b"", b"x", b"[]", b"{}", b'{"queues": [], "strict": false}', b'{"queues": [["a b", 1]], "strict": false}',
     b'{"queues": [["a", 0]], "strict": false}', b'{"queues": 7, "strict": false}', b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_what_makes_no_sense_is_no_role(stored: bytes) -> None:
    assert read_role(stored) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "1 to 100 queues, got 0"),
        ("mail", "not one text"),
        (["a", "a"], "names a queue once"),
        ({"a": 0}, "from 1 to 100, got '0'"),
        ({"a": 101}, "from 1 to 100, got '101'"),
        ({"a": True}, "got 'True'"),
        ({"a": 1.5}, "got '1.5'"),
        ([f"q{number}" for number in range(101)], "got 101"),
    ],
)
def test_roles_that_make_no_sense(wrong: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make_role(wrong)


def test_names_of_queues_are_checked() -> None:
    with pytest.raises(InvalidName, match="a b"):
        make_role(["a b"])


def test_roles_in_code() -> None:
    roles: Mapping[str, Any] = {
        "post": ["mail"],
        "mixed": {"a": 2, "b": 1},
        "first": Role({"u": 1, "b": 1}, True),
    }
    app = Jobbers(roles=roles)
    assert app.queues_of("mixed") == ["a", "b"]
    assert app.roles["first"].strict
