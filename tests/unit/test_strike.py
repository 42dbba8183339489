"""Which values a strike meets."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from jobbers.core.signature import Signature
from jobbers.core.strike import Strike, check_parameters, comparable, hold_ms, load
from jobbers.errors import InvalidInput


class Colour(Enum):
    RED = "red"


def meets(wanted: Any, value: Any) -> bool:
    return Strike("1", "send", {"a": wanted}).matches(comparable({"a": value, "b": 1}, ["a"]))


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (1, 1), (1, 1.0), (0.5, 0.5), ("x", "x"), (None, None), (True, True), ([1, [2]], (1, (2,))),
        ({"a": 1, "b": None}, {"b": None, "a": 1}), ("red", Colour.RED), ("1.50", Decimal("1.50")),
        ("2031-05-06T07:08:09+00:00", datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("12345678-1234-5678-1234-567812345678", UUID("12345678123456781234567812345678")),
        ({"$base64": "AP8="}, b"\x00\xff"), (2**60, 2**60),
    ],
)  # fmt: skip
def test_equal(wanted: Any, value: Any) -> None:
    assert meets(wanted, value)


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (1, True), (0, False), (1, "1"), (None, 0), ([1], [1, 2]), ([], {}), ({"a": 1}, {"a": 1, "b": 2}), ("x", "y"),
        (2**60, 2**60 + 1), ("x", object()), (None, object()), ("a", float("nan")), (True, 1),
    ],
)  # fmt: skip
def test_different(wanted: Any, value: Any) -> None:
    assert not meets(wanted, value)


def test_all_values_must_be_met() -> None:
    strike = Strike("1", "send", {"a": 1, "b": 2})
    assert strike.matches(comparable({"a": 1, "b": 2, "c": 3}, "ab"))
    assert not strike.matches(comparable({"a": 1, "b": 3}, "ab"))
    assert not strike.matches(comparable({"a": 1}, "ab"))
    assert Strike("1", "send").matches({})


def test_it_can_be_written_and_read() -> None:
    strike = Strike("1", "send", {"a": [1, {"b": "ä"}]}, "hold", "why", by="me", at=5)
    assert load(strike.dump().encode()) == strike
    for text in (
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"id": "1", "type": "a b"}',
        b'{"id": "1", "type": "a", "where": 1}',
    ):
        assert load(text) is None
    assert load(b'{"id": "1", "type": "a", "unknown": 1}') is None


def test_a_parameter_that_is_none() -> None:
    def send(user: int) -> None: ...

    def anything(*args: int, **kwargs: int) -> None: ...

    strike = Strike("1", "send", {"usr": 1})
    with pytest.raises(InvalidInput, match=r"no parameter 'usr' \(it has: user\)"):
        check_parameters(strike, Signature(send, "send"))
    assert check_parameters(strike, Signature(anything, "send")) is strike


def test_it_is_held_longer_and_longer() -> None:
    assert [hold_ms(number) for number in (0, 1, 2, 5, 1000)] == [2_000, 4_000, 8_000, 60_000, 60_000]
