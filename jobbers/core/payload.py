"""Arguments and results as msgpack (https://msgpack.org), readable from any language.

Beyond msgpack's own types these travel as extension types: 1 datetime, 2 date, 3 time (all ISO 8601 text),
4 timedelta (seconds as text), 5 UUID (16 bytes), 6 Decimal (text), 7 the result of another task (its id; with ``!`` behind
it how that failed), 8 the results of a map (their number, and the keys of a dict). Enums travel as their value, dataclasses
and pydantic models as maps, sets and tuples as lists: the function's annotations bring them back
(:mod:`jobbers.core.signature`). Nothing is ever pickled, and nothing is imported by a stored name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import msgpack

from jobbers.core.trace_context import lengthened, shortened
from jobbers.errors import InvalidArgument, PayloadTooLarge

MAX_DEPTH = 64
ENVELOPE_VERSION = 1
_NIL = b"\xc0"
_EMPTY_ENVELOPE = bytes([0x93, ENVELOPE_VERSION, 0x90, 0x80])
_packers: list[msgpack.Packer] = []
_SCALARS = (str, int, float, bytes, type(None))  # bool is an int


@dataclasses.dataclass(frozen=True, slots=True)
class Ref:
    """Stands for the result of another task of the same run, or for how that failed."""

    id: str
    error: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """Stands for the results of the items that a node was mapped over: a list, or a dict with these keys."""

    total: int
    keys: tuple[Any, ...] | None = None


_EXT_FROM: dict[int, Callable[[bytes], Any]] = {
    1: lambda data: datetime.fromisoformat(data.decode()),
    2: lambda data: date.fromisoformat(data.decode()),
    3: lambda data: time.fromisoformat(data.decode()),
    4: lambda data: timedelta(microseconds=int(data)),
    5: lambda data: UUID(bytes=data),
    6: lambda data: Decimal(data.decode()),
    7: lambda data: Ref(data[:26].decode(), error=data[26:] == b"!"),
    8: lambda data: _gathered(msgpack.unpackb(data, strict_map_key=False)),
}


def _gathered(parts: Any) -> Gathered:
    match parts:
        case [int(total), None] if total >= 0:
            return Gathered(total)
        case [int(total), list(keys)] if total == len(keys):
            return Gathered(total, tuple(keys))
        case _:
            raise ValueError("not the results of a map")


class Undecodable(ValueError):
    """Bytes that are not what :func:`pack` writes."""


class Envelope(NamedTuple):
    """A task's decoded arguments and headers; ``extras`` is what a run's task needs besides."""

    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, str]
    extras: Mapping[str, Any] = MappingProxyType({})


def _default(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return msgpack.ExtType(1, value.isoformat().encode())
    if isinstance(value, date):
        return msgpack.ExtType(2, value.isoformat().encode())
    if isinstance(value, time):
        return msgpack.ExtType(3, value.isoformat().encode())
    if isinstance(value, timedelta):
        return msgpack.ExtType(4, str(value // timedelta(microseconds=1)).encode())
    if isinstance(value, UUID):
        return msgpack.ExtType(5, value.bytes)
    if isinstance(value, Decimal):
        return msgpack.ExtType(6, str(value).encode())
    if isinstance(value, Ref | Gathered):
        return _stand_in(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Set):
        return list(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="python", by_alias=True, round_trip=True)
    if isinstance(value, Mapping):
        return dict(value)
    what = "whole number of more than 64 bits" if isinstance(value, int) else type(value).__qualname__
    raise TypeError(f"a {what} cannot be encoded")


def _stand_in(value: Ref | Gathered) -> msgpack.ExtType:
    if isinstance(value, Ref):
        return msgpack.ExtType(7, value.id.encode() + b"!" * value.error)
    return msgpack.ExtType(8, msgpack.packb([value.total, value.keys]) or b"")


def _ext_hook(code: int, data: bytes) -> Any:
    try:
        return _EXT_FROM[code](data)
    except KeyError:
        return msgpack.ExtType(code, data)


def pack(value: Any) -> bytes:
    """Encode ``value``. Raises :class:`InvalidArgument` naming the type that has no encoding, :class:`PayloadTooLarge`
    when it is nested deeper than 64 levels."""
    if value is None:
        return _NIL
    check_shape(value)
    # Making a Packer costs more than packing a small value, so they are kept; list.pop and append are atomic.
    packer = _packers.pop() if _packers else msgpack.Packer(default=_default, use_bin_type=True)
    try:
        packed: bytes = packer.pack(value)
    except (TypeError, OverflowError, ValueError) as error:
        raise InvalidArgument(
            f"{error}; use msgpack types, datetime, UUID, Decimal, Enum, dataclasses or pydantic models"
        ) from None
    _packers.append(packer)
    return packed


def unpack(data: bytes) -> Any:
    """Decode what :func:`pack` wrote. Raises :class:`Undecodable` on anything else."""
    try:
        return msgpack.unpackb(data, ext_hook=_ext_hook, strict_map_key=False, raw=False)
    except Exception as error:
        raise Undecodable(f"not a msgpack payload: {type(error).__name__}: {error}") from error


def check_shape(value: Any, limit: int = MAX_DEPTH) -> None:
    """Refuse containers nested deeper than ``limit`` levels, cycles, and map keys that are no scalars.

    Raises :class:`PayloadTooLarge` or :class:`InvalidArgument`.
    """
    level = [] if isinstance(value, _SCALARS) else [value]
    for _ in range(limit + 1):
        if not level:
            return
        deeper: dict[int, Any] = {}  # by identity: what is shared is visited once a level
        for item in level:
            if isinstance(
                item, dict | Mapping
            ):  # a dict first: it takes long to ask whether something is a Mapping
                for key in item:
                    if not isinstance(key, _SCALARS):
                        raise InvalidArgument("a map key must be a string, number, bytes, bool or None")
                children: Iterable[Any] = item.values()
            elif isinstance(item, list | tuple | Set):
                children = item
            else:
                continue
            for child in children:
                if not isinstance(child, _SCALARS):
                    deeper[id(child)] = child
        level = list(deeper.values())
    raise PayloadTooLarge(f"nested deeper than {limit} levels (or holds itself): flatten it")


def pack_envelope(
    args: list[Any],
    kwargs: dict[str, Any],
    headers: Mapping[str, str] | None,
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """A task's arguments and headers as one opaque, versioned blob: ``[version, args, kwargs]``, with headers fourth and
    extras fifth. A header ``traceparent`` lies there as its 25 bytes."""
    if not (args or kwargs or headers or extras):
        return _EMPTY_ENVELOPE
    if extras:
        return pack([ENVELOPE_VERSION, args, kwargs, shortened(headers or {}), dict(extras)])
    if headers:
        return pack([ENVELOPE_VERSION, args, kwargs, shortened(headers)])
    return pack([ENVELOPE_VERSION, args, kwargs])


def encode_arguments(
    task_type: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    headers: Mapping[str, str] | None,
    limit: int,
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """The envelope of a task. Raises :class:`PayloadTooLarge` above ``limit`` bytes, :class:`InvalidArgument`."""
    envelope = pack_envelope(list(args), dict(kwargs), headers, extras)
    if len(envelope) > limit:
        raise PayloadTooLarge(
            f"the arguments of task {task_type!r} take {len(envelope):,} bytes and the limit is {limit:,}: pass a "
            "reference to where the data lies, or raise the setting max_payload"
        )
    return envelope


def unpack_envelope(data: bytes) -> Envelope:
    """The parts of an envelope. Raises :class:`Undecodable`; fields that a newer version added are ignored."""
    if data == _EMPTY_ENVELOPE:
        return Envelope([], {}, {})
    parts = unpack(data)
    match parts:
        case [int(), list(args), dict(kwargs)]:
            return Envelope(args, kwargs, {})
        case [int(), list(args), dict(kwargs), dict(headers), dict(extras), *_]:
            return Envelope(args, kwargs, lengthened(headers), extras)
        case [int(), list(args), dict(kwargs), dict(headers), *_]:
            return Envelope(args, kwargs, lengthened(headers))
        case _:
            raise Undecodable("not an envelope: a list of version, arguments and keywords is needed")
