"""Task ids: ULIDs whose last ten bits say the shard (https://github.com/ulid/spec).

A ULID is 48 bits of milliseconds and 80 random bits, written as 26 characters of Crockford's base 32.
The last two characters are ten bits, called the *tail* here: tail modulo shard count is the shard, so any
client can compute where a task lives. A unique key determines the tail of its task, so that uniqueness is
local to one shard.
"""

from __future__ import annotations

import re
import zlib

from jobbers.errors import InvalidId

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_ULID = re.compile(f"[0-7][{_ALPHABET}]{{25}}")
TAILS = 1024


def make_id(milliseconds: int, randomness: int) -> str:
    """A ULID from a time in ms since 1970 and 80 random bits. Pure: the caller brings clock and chance."""
    pairs = _PAIRS
    return (
        f"{pairs[milliseconds >> 40]}{pairs[milliseconds >> 30 & 1023]}{pairs[milliseconds >> 20 & 1023]}"
        f"{pairs[milliseconds >> 10 & 1023]}{pairs[milliseconds & 1023]}"
        f"{pairs[randomness >> 70]}{pairs[randomness >> 60 & 1023]}{pairs[randomness >> 50 & 1023]}"
        f"{pairs[randomness >> 40 & 1023]}{pairs[randomness >> 30 & 1023]}{pairs[randomness >> 20 & 1023]}"
        f"{pairs[randomness >> 10 & 1023]}{pairs[randomness & 1023]}"
    )


def check_id(value: object) -> str:
    """Return ``value`` as a canonical (upper case) ULID. Raises :class:`InvalidId`."""
    if isinstance(value, str) and _ULID.fullmatch(value):
        return value
    if isinstance(value, str) and _ULID.fullmatch(value.upper()):
        return value.upper()
    text = str(value)[:60]
    raise InvalidId(
        f"task id {text!r} is not a ULID: 26 characters of 0-9 and A-Z without I, L, O, U are needed"
    )


def tail_of(task_id: str) -> int:
    """The last ten bits of a ULID."""
    return _VALUES[task_id[-2:]]


def with_tail(task_id: str, tail: int) -> str:
    """``task_id`` with its last ten bits replaced."""
    return task_id[:-2] + _PAIRS[tail]


def unique_tail(key: str) -> int:
    """The tail that a task with this unique key must have: CRC-32 of its UTF-8 bytes, modulo 1024."""
    return zlib.crc32(key.encode()) % TAILS


def shard_of(task_id: str, shards: int) -> int:
    """The shard that a task lives in."""
    return _VALUES[task_id[-2:]] % shards
