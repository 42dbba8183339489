"""Reads the streams of finished ids: what ended since a position, on all shards. Nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from jobbers.core.ids import shard_of
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.record import read_lane

AT_ONCE = 500
"""How many entries of a shard one read takes. An entry lists what one script finished: mostly few, at most 1,000."""
START = "0-0"
_KINDS_AT_ONCE = 1_000

Position = tuple[str, ...]
"""Of each shard the id of the last entry that was read; ``0-0`` of one that had none."""


class Batch(NamedTuple):
    """What ended: pairs of id and status, up to ``position``. ``more``: there may be more behind it. ``missed``: of what
    ended since the position before some is no longer kept."""

    ended: list[tuple[str, str]]
    position: Position
    more: bool
    missed: bool


class FeedStore:
    """The reads, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards

    def _keys(self, task_id: str) -> ShardKeys:
        try:
            return self._shards[shard_of(task_id, len(self._shards))]
        except KeyError:  # what lies in the stream may be no id
            return self._shards[0]

    async def end(self) -> Position:
        """Where the streams end now."""
        replies = await self._gateway.commands(
            ("XREVRANGE", keys.recent, "+", "-", "COUNT", 1) for keys in self._shards
        )
        return tuple(
            reply[0][0].decode() if isinstance(reply, list) and reply else START for reply in replies
        )

    async def since(self, position: Position, until: Position | None = None) -> Batch:
        """What ended behind a position, up to another: up to 500 entries of each shard, one command a shard.

        The entry at the position is asked for, too: where it is gone, entries behind it may be, as well.
        """
        stops = (
            ["+"] * len(position)
            if until is None
            else [max(pair, key=_order) for pair in zip(position, until, strict=True)]
        )
        replies = await self._gateway.commands(
            ("XRANGE", keys.recent, "-" if last == START else last, stop, "COUNT", AT_ONCE + 1)
            for keys, last, stop in zip(self._shards, position, stops, strict=True)
        )
        ended: list[tuple[str, str]] = []
        reached: list[str] = []
        more = missed = False
        for last, reply in zip(position, replies, strict=True):
            entries: list[Any] = reply if isinstance(reply, list) else []
            more = more or len(entries) > AT_ONCE
            if entries and entries[0][0].decode() == last:
                del entries[0]
            elif last != START:
                missed = True
            for _, fields in entries:
                words = [word.decode(errors="replace") for word in fields]
                ended += zip(words[::2], words[1::2], strict=False)
            reached.append(entries[-1][0].decode() if entries else last)
        return Batch(ended, tuple(reached), more, missed)

    async def kinds(self, ids: Sequence[str]) -> list[tuple[str, str] | None]:
        """The type and queue of each task; ``None`` where its record is gone."""
        found: list[tuple[str, str] | None] = []
        for start in range(0, len(ids), _KINDS_AT_ONCE):
            some = ids[start : start + _KINDS_AT_ONCE]
            replies = await self._gateway.commands(
                ("HMGET", self._keys(task_id).task(task_id), "type", "lane") for task_id in some
            )
            found += map(_kind, replies)
        return found


def read_position(text: str, shards: int) -> Position | None:
    """The position that :func:`write_position` wrote; ``None`` if it is none of so many shards."""
    parts = tuple(text.split("."))
    return (
        parts
        if len(parts) == shards and all(re.fullmatch(r"\d{1,20}-\d{1,20}", it) for it in parts)
        else None
    )


def write_position(position: Position) -> str:
    """A position as text."""
    return ".".join(position)


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _kind(reply: Any) -> tuple[str, str] | None:
    if not isinstance(reply, list) or reply[0] is None or reply[1] is None:
        return None
    lane = read_lane(reply[1])
    return None if lane is None else (reply[0].decode(errors="replace"), lane.queue)
