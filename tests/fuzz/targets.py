"""Everything that reads what others have written, and the only errors that may come out of it.

One table for two drivers: Hypothesis in the suite, and atheris for as long as one likes (``make fuzz``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from jobbers.api import values
from jobbers.cli import inputs
from jobbers.core.durations import to_ms
from jobbers.core.ids import check_id, shard_of
from jobbers.core.names import check_name, check_unique_key
from jobbers.core.payload import Undecodable, check_shape, pack, pack_envelope, unpack, unpack_envelope
from jobbers.errors import ConfigError, InvalidInput, JobbersError
from jobbers.store.inspect import read_cursor
from jobbers.store.record import read_lane, read_record, read_status
from jobbers.store.url import parse, redact
from jobbers.testing.monitor import Moves

NOW = 1_700_000_000_000
SECRET = "hunter2"


class Target(NamedTuple):
    """Reads bytes. ``errors`` are the only ones that may come out; ``examples`` are what good input looks like."""

    read: Callable[[bytes], Any]
    errors: tuple[type[Exception], ...]
    examples: tuple[bytes, ...]

    def __call__(self, data: bytes) -> None:
        """Read, and let nothing out but what is documented."""
        with contextlib.suppress(*self.errors):
            self.read(data)


def _text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode(errors="replace"))


def _payload(data: bytes) -> None:
    value = unpack(data)
    with contextlib.suppress(InvalidInput):
        check_shape(value)
        assert pack(unpack(pack(value))) == pack(value)
    json.dumps(values.to_json_value(value), allow_nan=False)


def _envelope(data: bytes) -> None:
    envelope = unpack_envelope(data)
    json.dumps(values.to_json_list(envelope.args), allow_nan=False)
    json.dumps(values.to_json_object(envelope.kwargs), allow_nan=False)


def _record(data: bytes) -> None:
    """The fields of a record are the parts between zero bytes; the last part serves as all that lies beside it."""
    parts = data.split(b"\0")
    fields = [
        b"status", b"running", b"lane", b"default:5", *(parts[:-1] if len(parts) % 2 else parts),
    ]  # fmt: skip
    for end in (None, parts[-1]):
        with contextlib.suppress(ValueError):
            lease = None if end is None else str(float(end)).encode()
            record = read_record("0" * 26, NOW, fields, parts[-1], [parts[-1]], lease)
            repr(record)


def _url(text: str) -> None:
    shown = redact(text)
    try:
        shown += parse(text).url
    except ConfigError as error:
        shown += str(error)
    assert SECRET not in shown


def _login(text: str) -> None:
    """A password never comes out, whatever stands around it."""
    _url(f"redis://someone:{SECRET}@{text}")


def _id(text: str) -> None:
    shard_of(check_id(text), 16)


def _json_value(data: bytes) -> None:
    value = values.from_json_value(json.loads(data))
    json.dumps(values.to_json_value(value), allow_nan=False)


def _monitor(data: bytes) -> None:
    moves = Moves()
    for line in data.split(b"\n"):
        moves.feed(line)


TARGETS: dict[str, Target] = {
    "payload": Target(
        _payload, (Undecodable,), (pack({"a": [1, 2.5, "x", None, b"y"]}), b"\xc7\x00\x05", b"\xdf")
    ),
    "envelope": Target(_envelope, (Undecodable,), (pack_envelope([1], {"b": 2}, {"h": "v"}),)),
    "record": Target(
        _record,
        (),
        (
            b"attempt\x001\x00started\x001700000000000\x00progress\x000.5\x00owner\0w-1/a\0beat_due\x001\x001e300",
        ),
    ),
    "lane": Target(read_lane, (), (b"default:5", b":", b"a:99999999999999999999")),
    "status": Target(read_status, (), (b"running",)),
    "cursor": Target(_text(read_cursor), (ValueError,), (b"0/1-2", b"3/17:01ARZ")),
    "url": Target(
        _text(_url),
        (),
        (b"redis://u:hunter2@h:1/2?ssl_cert_reqs=none", b"unix:///a?db=1", b"rediss://[::1]:6379"),
    ),
    "login": Target(_text(_login), (), (b"host:6379/0", b"[::1]:1", b"@a:b@c/")),
    "id": Target(_text(_id), (InvalidInput,), (b"01ARZ3NDEKTSV4RRFFQ69G5FAV",)),
    "name": Target(_text(lambda text: check_name(text, "the name")), (JobbersError,), (b"mail.send",)),
    "unique key": Target(_text(check_unique_key), (JobbersError,), (b"user:1",)),
    "duration": Target(
        lambda data: to_ms(float(data), "the delay"), (InvalidInput, ValueError), (b"1.5", b"1e308", b"nan")
    ),
    "option: duration": Target(
        _text(lambda text: inputs.duration(text, "--delay")), (JobbersError,), (b"5m", b"1.5h")
    ),
    "option: time": Target(
        _text(lambda text: inputs.moment(text, "--at")), (JobbersError,), (b"2026-01-01T00:00:00Z",)
    ),
    "option: arguments": Target(
        _text(inputs.arguments), (JobbersError,), (b'[1, {"a": "b"}]', b"@\0", b"9" * 5000)
    ),
    "option: keywords": Target(_text(inputs.keywords), (JobbersError,), (b'{"a": 1}',)),
    "JSON value": Target(
        _json_value,
        (InvalidInput, ValueError, RecursionError),
        (b'{"$bytes": "eA=="}', b'[1e400, {"$": 1}]', b'"\\ud800"'),
    ),
    "MONITOR": Target(
        _monitor, (), (b'+1.5 [0 lua] "HSET" "{n:0}:task:A" "status" "queued"\n+1 [0 x] "PING"',)
    ),
}
"""By name; the names are what ``make fuzz TARGET=…`` takes."""
