"""Arguments are checked where they are submitted and rebuilt where they are used."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from jobbers.core.payload import pack, unpack
from jobbers.core.signature import Signature
from jobbers.errors import ConfigError, InvalidArgument


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Order(pydantic.BaseModel):
    total: Decimal
    placed: datetime


def plain(a: int, b: str = "x", *, c: float | None = None) -> None: ...
def rich(point: Point, order: Order, colour: Colour, many: list[Point]) -> Order: ...
def open_ended(first: Any, *rest: int, **more: str) -> None: ...
def unannotated(a, b=2):  # type: ignore[no-untyped-def]
    ...


def test_good_calls_pass() -> None:
    signature = Signature(plain, "plain")
    signature.check((1,), {})
    signature.check((1, "y"), {"c": 2})
    signature.check((), {"a": 1, "b": "y", "c": None})


@pytest.mark.parametrize(
    ("args", "kwargs", "parameter", "words"),
    [
        (("1",), {}, "a", "argument 'a'"),
        ((True,), {}, "a", "a bool is not a int"),
        ((), {}, "a", "misses argument 'a'"),
        ((1, "y", 3), {}, None, "at most 2 positional"),
        ((1,), {"d": 1}, "d", "has no parameter 'd' (it has: a, b, c)"),
        ((1,), {"a": 1}, "a", "'a' twice"),
        ((1,), {"c": "warm"}, "c", "argument 'c'"),
    ],
)
def test_bad_calls_are_refused_with_the_name(
    args: tuple[object, ...], kwargs: dict[str, object], parameter: str | None, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Signature(plain, "plain").check(args, kwargs)
    assert words in str(caught.value)
    assert caught.value.parameter == parameter


def test_a_refusal_never_shows_the_value() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Signature(plain, "plain").check((1, 2), {"c": "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InvalidArgument) as nested:
        Signature(rich, "rich").load([{"x": "hunter2"}], {"order": {}, "colour": "red", "many": []})
    assert "hunter2" not in str(nested.value)
    assert "point.x" in str(nested.value)


def test_rich_arguments_come_back_as_their_types() -> None:
    signature = Signature(rich, "rich")
    order = Order(total=Decimal("1.5"), placed=datetime(2026, 1, 1, tzinfo=UTC))
    args = (Point(1, 2), order, Colour.RED, [Point(3)])
    signature.check(args, {})
    loaded, _ = signature.load(unpack(pack(list(args))), {})
    assert tuple(loaded) == args
    assert signature.result.load(unpack(pack(order))) == order


def test_python_callers_hold_the_real_thing() -> None:
    with pytest.raises(InvalidArgument, match="colour"):
        Signature(rich, "rich").check((Point(1), Order.model_construct(), "red", []), {})


def test_open_signatures_check_what_is_annotated() -> None:
    signature = Signature(open_ended, "open")
    signature.check((object(), 1, 2), {"x": "y"})
    with pytest.raises(InvalidArgument, match=r"args\[2\]"):
        signature.check((None, 1, "two"), {})
    with pytest.raises(InvalidArgument, match="'x'"):
        signature.check((None,), {"x": 1})


def test_without_annotations_anything_goes() -> None:
    Signature(unannotated, "free").check((object(),), {"b": None})


def test_an_annotation_that_cannot_travel_is_named() -> None:
    class Socket: ...

    def connect(socket: Socket) -> None: ...

    connect.__annotations__["socket"] = Socket
    with pytest.raises(ConfigError, match="parameter 'socket'"):
        Signature(connect, "connect").check((Socket(),), {})


def test_an_annotation_that_cannot_be_resolved_is_named() -> None:
    def later(value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigError, match="Missing"):
        Signature(later, "later").check((1,), {})


def test_the_json_schema_tells_names_types_and_what_is_required() -> None:
    schema = Signature(plain, "plain").json_schema()
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "integer"}


class Aliased(pydantic.BaseModel):
    name: str = pydantic.Field(alias="fullName")


def aliased(who: Aliased, order: Order) -> None: ...


def test_models_with_aliases_come_back() -> None:
    who = Aliased(fullName="x")
    loaded, _ = Signature(aliased, "aliased").load(
        unpack(pack([who, {"total": "1", "placed": "2026-01-01"}])), {}
    )
    assert loaded[0] == who


def test_definitions_of_nested_models_lie_where_references_point() -> None:
    class Nested(pydantic.BaseModel):
        inner: Order

    def nested(value: Nested) -> None: ...

    nested.__annotations__["value"] = Nested
    schema = Signature(nested, "nested").json_schema()
    assert "Order" in schema["$defs"]
