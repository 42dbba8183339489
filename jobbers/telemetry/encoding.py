"""Spans as the bytes of OTLP, for a tenth of the processor time of the SDK's own encoder, which makes two objects of every
attribute: most of what a span costs. What is out of the ordinary is left to that.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import cast

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import AnyValue

REMEMBERED = 4096
"""Pairs of a name and a value whose bytes are remembered: all but ids come again and again."""
LONGEST_REMEMBERED = 24

_HEAD = struct.Struct("<2s16s2s8s")
_PARENT = struct.Struct("<2s8s")
_TIMES = struct.Struct("<cQcQ")
_ENDS_WELL = b"\x7a\x00"  # a status that is not set, as the SDK writes it
_FLAGS = {remote: b"\x85\x01" + struct.pack("<I", 0x300 if remote else 0x100) for remote in (False, True)}


def install(exporters: ModuleType) -> None:
    """Have the exporters of this module encode with :func:`encode`, if they do it as they did when this was written."""
    if getattr(exporters, "encode_spans", None) is encode_spans:
        exporters.encode_spans = encode  # type: ignore[attr-defined]


def encode(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """The same message that the SDK's own encoder makes."""
    groups: dict[int, dict[int, list[ReadableSpan]]] = {}
    for span in spans:  # by identity: to hash a resource takes longer than to encode a span
        groups.setdefault(id(span.resource), {}).setdefault(id(span.instrumentation_scope), []).append(span)
    request = ExportTraceServiceRequest()
    for scopes in groups.values():
        around = request.resource_spans.add()
        for number, group in enumerate(scopes.values()):
            one = encode_spans(group[:1]).resource_spans[0]
            del one.scope_spans[0].spans[:]
            one.scope_spans[0].MergeFromString(b"".join(_field(b"\x12", _span(span)) for span in group))
            if number == 0:
                around.CopyFrom(one)
            else:
                around.scope_spans.append(one.scope_spans[0])
    return request


def _span(span: ReadableSpan) -> bytes:
    where, parent, attributes = span.context, span.parent, span.attributes
    ordinary = (
        where is not None
        and not where.trace_state
        and span.status.status_code is StatusCode.UNSET
        and not (span.events or span.links or span.dropped_attributes)
    )
    pairs = _pairs(attributes.copy() if isinstance(attributes, MappingProxyType) else attributes or {})
    if not ordinary or pairs is None or where is None:
        return bytes(encode_spans([span]).resource_spans[0].scope_spans[0].spans[0].SerializeToString())
    return b"".join(
        (
            _HEAD.pack(b"\x0a\x10", where.trace_id.to_bytes(16), b"\x12\x08", where.span_id.to_bytes(8)),
            _PARENT.pack(b"\x22\x08", parent.span_id.to_bytes(8)) if parent else b"",
            _named(span.name, span.kind.value + 1),
            _TIMES.pack(b"\x39", span.start_time or 0, b"\x41", span.end_time or 0),
            *pairs,
            _ENDS_WELL,
            _FLAGS[parent is not None and parent.is_remote],
        )
    )


def _pairs(attributes: Mapping[str, AnyValue]) -> list[bytes] | None:
    """Attributes; ``None`` if one of them is no plain value."""
    found = []
    for name, value in attributes.items():
        kind = type(value)
        if kind is str:
            text = cast("str", value)
            known = len(text) <= LONGEST_REMEMBERED
            found.append(_remembered(name, text) if known else _attribute(name, text))
        elif kind is int or kind is bool or kind is float:
            found.append(_remembered(name, cast("float", value)))
        else:
            return None
    return found


@functools.lru_cache(REMEMBERED)
def _named(name: str, kind: int) -> bytes:
    return _field(b"\x2a", name.encode()) + bytes((0x30, kind))


def _attribute(name: str, value: str | float) -> bytes:
    return _field(b"\x4a", _key(name) + _field(b"\x12", _value(value)))


_remembered = functools.lru_cache(REMEMBERED, typed=True)(_attribute)


@functools.lru_cache(REMEMBERED)
def _key(name: str) -> bytes:
    return _field(b"\x0a", name.encode())


def _value(value: str | float) -> bytes:
    if type(value) is str:
        return _field(b"\x0a", value.encode())
    if type(value) is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if type(value) is int:
        return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if type(value) is float:
        return b"\x21" + struct.pack("<d", value)
    raise TypeError(type(value))


def _field(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    return b"".join((tag, bytes((size,)) if size < 128 else _varint(size), content))


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)
