"""What key a submission has, and which policies of keys make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers import Debounce, Throttle, Unique
from jobbers.core.keyed import check_key, key_text, only_one
from jobbers.core.names import check_unique_key
from jobbers.errors import ConfigError, InvalidInput

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def by(value: Any) -> str:
    return key_text("send", Debounce(1, key="user"), {"user": value})


def test_short_values_can_be_read() -> None:
    assert [by(42), by("42"), by(None), by(True), by("ä\n")] == [
        "send:42", 'send:"42"', "send:null", "send:true", 'send:"\\u00e4\\n"',
    ]  # fmt: skip
    assert key_text("send", Throttle(1), {"user": 1}) == "send"


@given(values, values)
def test_equal_values_have_the_same_key_and_others_have_not(one: Any, other: Any) -> None:
    check_unique_key(by(one))
    assert by(one) == by(one)
    if repr(one) != repr(other) and one != other:
        assert by(one) != by(other)


def test_the_order_of_a_dict_or_a_set_does_not_count() -> None:
    assert by({"a": 1, "b": {"c": 2, "d": 3}}) == by({"b": {"d": 3, "c": 2}, "a": 1})
    assert by({8, 0, 16}) == by({16, 8, 0}) == by(frozenset({0, 16, 8}))  # which iterate in different orders
    assert by([1, 2]) != by([2, 1])


def test_what_travels_can_be_a_key() -> None:
    @dataclass
    class User:
        name: str
        born: date

    assert by(User("Ada", date(1815, 12, 10))) == by(User("Ada", date(1815, 12, 10)))
    assert by(User("Ada", date(1815, 12, 10))) != by(User("Ada", date(1815, 12, 11)))
    with pytest.raises(InvalidInput, match="cannot be encoded"):
        by(object())


def test_a_function_of_all_arguments() -> None:
    def pair(arguments: Mapping[str, Any]) -> Any:
        return [arguments["user"], arguments["kind"]]

    keyed = Unique(pair)
    assert key_text("send", keyed, {"user": 1, "kind": "a"}) == key_text(
        "send", keyed, {"kind": "a", "user": 1}
    )
    with pytest.raises(
        InvalidInput, match="key function of the Unique of task 'send' raised KeyError: 'kind'"
    ):
        key_text("send", keyed, {"user": 1})
    with pytest.raises(InvalidInput, match="raised InvalidArgument: a object cannot be encoded"):
        key_text("send", Unique(lambda _: object()), {})


def test_a_parameter_that_is_none() -> None:
    def send(user: int, *, kind: str = "") -> None: ...

    def open_ended(**more: int) -> None: ...

    assert check_key("send", open_ended, Debounce(1, key="user"))
    for key in ("user", "kind", None, lambda _: 1):
        assert check_key("send", send, Debounce(1, key=key)) is not None
    with pytest.raises(
        ConfigError, match=r"no parameter 'usr' for the key of its Throttle \(it has: user, kind\)"
    ):
        check_key("send", send, Throttle(1, key="usr"))
    with pytest.raises(InvalidInput, match=r"there is no parameter 'usr' \(there are: user\)"):
        key_text("send", Throttle(1, key="usr"), {"user": 1})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Debounce(0),
        lambda: Debounce(-1),
        lambda: Debounce("5"),  # type: ignore[arg-type]
        lambda: Debounce(5, max_wait=4),
        lambda: Debounce(5, max_wait=0),
        lambda: Throttle(0),
        lambda: Throttle(float("nan")),
        lambda: only_one(Unique("a"), True, None, None),
        lambda: only_one(None, False, Debounce(1), Throttle(1)),
    ],
)
def test_what_makes_no_sense(make: Any) -> None:
    with pytest.raises(InvalidInput):
        make()


def test_durations() -> None:
    assert Debounce(0.5).wait_ms == 500
    assert Debounce(1, max_wait=timedelta(minutes=1)).max_wait_ms == 60_000
    assert Throttle(timedelta(seconds=2)).period_ms == 2000
    assert only_one(None, True, None, None) == Unique(None)
    assert only_one(None, False, None, None) is None
