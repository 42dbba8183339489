"""What travels, how, and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgpack
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobbers.core.payload import (
    Undecodable,
    check_shape,
    pack,
    pack_envelope,
    unpack,
    unpack_envelope,
)
from jobbers.errors import InvalidArgument, PayloadTooLarge

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC) | st.none())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(VALUES)
def test_values_come_back_as_they_were(value: object) -> None:
    assert unpack(pack(value)) == value


@given(st.binary())
def test_any_bytes_decode_or_are_refused_as_undecodable(data: bytes) -> None:
    with contextlib.suppress(Undecodable):
        unpack_envelope(data)


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    when: date


class Order(pydantic.BaseModel):
    total: Decimal


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, "red"),
        (Point(1, date(2026, 1, 2)), {"x": 1, "when": date(2026, 1, 2)}),
        (Order(total=Decimal("1.50")), {"total": Decimal("1.50")}),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({3}), [3]),
    ],
)
def test_rich_values_travel_as_plain_ones(value: object, plain: object) -> None:
    assert unpack(pack(value)) == plain


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (None, "c0"),
        ([1, [], {}], "93019080"),
        ({"a": True}, "81a161c3"),
        (UUID(int=1), "d80500000000000000000000000000000001"),
        (timedelta(microseconds=12), "d5043132"),
        (Decimal("1.5"), "c70306312e35"),
        (date(2026, 11, 2), "c70a02323032362d31312d3032"),
        (time(1, 2), "d703" + b"01:02:00".hex()),
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
            "c71901" + b"2026-01-02T03:04:05+02:00".hex(),
        ),
    ],
)
def test_the_bytes_are_fixed_for_ever(value: object, bytes_: str) -> None:
    """Other languages read these, and old records must stay readable."""
    assert pack(value).hex() == bytes_


def test_what_msgpack_itself_makes_is_understood() -> None:
    assert unpack_envelope(msgpack.packb([1, ["a"], {"b": 2}, {"h": "x"}])) == (
        ["a"],
        {"b": 2},
        {"h": "x"},
        {},
    )


def test_fields_that_a_newer_release_added_are_ignored() -> None:
    assert unpack_envelope(msgpack.packb([2, [1], {}, {}, "new"])).args == [1]


def test_an_envelope_without_arguments_takes_four_bytes() -> None:
    assert len(pack_envelope([], {}, None)) == 4


TRACE = "00-0123456789abcdef0123456789abcdef-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": TRACE},
        {"traceparent": TRACE, "tracestate": "a=b", "tenant": "t1"},
        {"traceparent": "01" + TRACE[2:]},
        {"traceparent": "my own words"},
        {"traceparent": ""},
    ],
)
def test_headers_come_back_as_they_were(headers: dict[str, str]) -> None:
    given = dict(headers)
    assert unpack_envelope(pack_envelope([1], {}, headers)).headers == given == headers
    assert unpack_envelope(pack_envelope([1], {}, headers, {"x": 1})).headers == given


def test_a_task_with_a_trace_and_a_few_arguments_fits_into_its_record() -> None:
    """Above 64 bytes an envelope has a key of its own, which costs three commands more."""
    assert len(pack_envelope([12345, "abcdef"], {}, {"traceparent": TRACE})) <= 64
    text = msgpack.packb([1, [], {}, {"traceparent": TRACE}])
    assert unpack_envelope(text).headers == {"traceparent": TRACE}, "as it is written in other languages"


class Opaque:
    pass


@pytest.mark.parametrize("value", [Opaque(), object, [Opaque()], 2**64, lambda: None, {(1, 2): 3}])
def test_what_cannot_travel_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument):
        pack(value)


def test_the_packer_is_clean_after_a_refusal() -> None:
    with pytest.raises(InvalidArgument):
        pack([1, 2, Opaque()])
    assert unpack(pack([3])) == [3]


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


def test_depth_is_limited() -> None:
    check_shape(nested(63))
    with pytest.raises(PayloadTooLarge, match="nested deeper than 64"):
        pack(nested(100_000))


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(PayloadTooLarge):
        pack(loop)


def test_shared_parts_do_not_blow_up_the_check() -> None:
    value: list[object] = [1]
    for _ in range(60):
        value = [value, value]
    check_shape(value)
