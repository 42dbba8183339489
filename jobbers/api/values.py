"""Values between JSON and Python. What JSON lacks is marked:

* bytes are ``{"$base64": "…"}``, in both directions;
* the result of another task of the same run is ``{"$result": "<task id>"}``;
* a msgpack extension of another language is ``{"$ext": 42, "$base64": "…"}``;
* NaN and the infinities are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``;
* what is nested deeper than 128 levels is ``{"$cut": "nested too deeply"}``.

Everything else goes out as pydantic writes it: ISO 8601 for times and durations, text for UUID and Decimal.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgpack
from pydantic_core import to_jsonable_python

from jobbers.api.errors import LONGEST_PARAMETER, about
from jobbers.core.payload import Ref
from jobbers.errors import InvalidArgument

BYTES = "$base64"
EXTENSION = "$ext"
CUT = "$cut"
RESULT = "$result"
MAX_LEVELS = 128


def to_json_value(value: Any, levels: int = MAX_LEVELS) -> Any:
    """``value`` as JSON can say it. Never fails, whatever was decoded."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _word(value)
        case bytes():
            return {BYTES: base64.b64encode(value).decode()}
        case Ref():
            return {RESULT: value.id}
        case msgpack.ExtType():  # before tuples, for it is one
            return {EXTENSION: value.code, BYTES: base64.b64encode(value.data).decode()}
        case _ if levels == 0:
            return {CUT: "nested too deeply"}
        case Mapping():
            return {_key(key): to_json_value(item, levels - 1) for key, item in value.items()}
        case list() | tuple():
            return [to_json_value(item, levels - 1) for item in value]
        case _:
            return to_jsonable_python(value, fallback=str)


def from_json_value(value: Any) -> Any:
    """The Python side of what came as JSON. Raises :class:`InvalidArgument` for a broken mark."""
    if isinstance(value, list):
        return [from_json_value(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {BYTES} and isinstance(value[BYTES], str):
            return _bytes(value[BYTES])
        return {key: from_json_value(item) for key, item in value.items()}
    return value


def from_json_args(values: Iterable[Any]) -> list[Any]:
    """Positional arguments that came as JSON. Raises :class:`InvalidArgument` that names the one that is wrong."""
    loaded = []
    for index, value in enumerate(values):
        with about(f"args[{index}]"):
            loaded.append(from_json_value(value))
    return loaded


def from_json_kwargs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that came as a JSON object. Raises :class:`InvalidArgument` that names the one that is wrong."""
    loaded = {}
    for name, value in values.items():
        with about(name[:LONGEST_PARAMETER]):
            loaded[name] = from_json_value(value)
    return loaded


def to_json_list(values: Iterable[Any]) -> list[Any]:
    """All ``values`` as JSON can say them."""
    return [to_json_value(value) for value in values]


def to_json_object(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A mapping as a JSON object."""
    return {_key(key): to_json_value(value) for key, value in values.items()}


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument(
            f"a value marked {BYTES!r} is not base64 (the standard alphabet, padded)"
        ) from None


def _key(key: Any) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
