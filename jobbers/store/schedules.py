"""The verbs of schedules: write, pause, resume, delete, list, and fire what is due. A schedule lives in the shard that its
name determines, and so does all that it starts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobbers.core.ids import unique_tail
from jobbers.core.payload import Undecodable
from jobbers.core.schedule import Schedule, unpack_schedule
from jobbers.core.status import Status
from jobbers.errors import Conflict, NotFound
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.record import read_status
from jobbers.store.wire import Argument

_FIELDS = ("spec", "env", "slot", "waiting", "last", "last_slot", "started", "passed", "paused")
_DUE_STRIDE = 8


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule as it stands. ``slot`` is its next slot in ms, ``None`` when there is none; ``waiting`` the slots that
    wait for the end of what was started last, which is ``last``, of ``last_slot``; ``passed`` counts slots that were
    passed over since that went on."""

    schedule: Schedule
    envelope: bytes
    slot: int | None
    waiting: tuple[int, ...] = ()
    last: str = ""
    last_slot: int | None = None
    started: int = 0
    passed: int = 0
    paused: bool = False


class Due(NamedTuple):
    """A schedule that is due: the turn that it is in, and how what it started last stands. ``schedule`` is ``None`` when
    its definition cannot be read."""

    name: str
    turn: str
    schedule: Schedule | None
    envelope: bytes
    slot: int | None
    waiting: tuple[int, ...]
    last: str
    status: Status | None


class Firing(NamedTuple):
    """What to do for one schedule: what starts, as the script takes it, and where it stands then."""

    name: str
    turn: str
    slot: int | None
    when: int | None
    waiting: Sequence[int]
    last_slot: int | None = None
    last: str = ""
    passed: int = 0
    starts: Sequence[Sequence[Argument]] = ()


class Fired(NamedTuple):
    """What came of it: the server's time in ms, ms until the next schedule is due (``None``: none is), the names of those
    that somebody else had moved, and the schedules that are due now."""

    now: int
    next_ms: int | None
    refused: list[str]
    due: list[Due]


class ScheduleStore:
    """The verbs, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards

    def _keys(self, name: str) -> ShardKeys:
        return self._shards[unique_tail(name) % len(self._shards)]

    async def write(self, schedule: Schedule, envelope: bytes, slot: int | None, *, replace: bool) -> str:
        """Write a schedule whose next slot is ``slot``. One that is just so already is left alone, with its slots.

        Returns ``made``, ``changed`` or ``same``. Raises :class:`Conflict` when there is one and it is not to be replaced.
        """
        verb = "replace" if replace else "create"
        args: list[Argument] = [
            verb, schedule.name, schedule.pack(), envelope, _or_blank(slot), _when(schedule, slot), secrets.token_hex(8),
        ]  # fmt: skip
        reply = await self._gateway.run("schedule", self._keys(schedule.name).prefix, args)
        if reply == b"taken":
            raise Conflict(
                f"there is a schedule {schedule.name!r} already: choose another name, delete that one, or ask to replace it"
            )
        return bytes(reply).decode()

    async def pause(self, name: str) -> None:
        """Start nothing more of a schedule. Raises :class:`NotFound`."""
        await self._change(["pause", name])

    async def resume(self, schedule: Schedule, slot: int | None) -> None:
        """Go on with ``slot``; one that is not paused is left alone. Raises :class:`NotFound`."""
        await self._change(["resume", schedule.name, _or_blank(slot), _when(schedule, slot)])

    async def delete(self, name: str) -> None:
        """Delete a schedule; what it has started goes on. Raises :class:`NotFound`."""
        if not await self._gateway.command("EXISTS", self._keys(name).schedule(name)):
            raise _unknown(name)
        await self._gateway.run("schedule", self._keys(name).prefix, ["delete", name])

    async def _change(self, args: list[Argument]) -> None:
        name = str(args[1])
        if await self._gateway.run("schedule", self._keys(name).prefix, args) == b"none":
            raise _unknown(name)

    async def get(self, name: str) -> StoredSchedule:
        """One schedule. Raises :class:`NotFound`."""
        (found,) = await self._read([name])
        if found is None:
            raise _unknown(name)
        return found

    async def names(self, after: str = "", limit: int | None = None) -> list[str]:
        """Names of schedules in alphabetical order, those that come ``after`` a name. Cost: all names are read."""
        found: list[str] = []
        for keys in self._shards:
            found += [
                item.decode(errors="replace")
                for item in await self._gateway.command("ZRANGE", keys.schedules, 0, -1)
            ]
        return sorted(name for name in found if name > after)[:limit]

    async def listed(self, after: str = "", limit: int | None = None) -> list[StoredSchedule]:
        """Schedules by name. One whose definition cannot be read is left out."""
        return await self.some(await self.names(after, limit))

    async def some(self, names: Iterable[str]) -> list[StoredSchedule]:
        """Those of these names that are there and can be read."""
        return [found for found in await self._read(names) if found is not None]

    async def _read(self, names: Iterable[str]) -> list[StoredSchedule | None]:
        wanted = list(names)
        replies = await self._gateway.commands(
            ("HMGET", self._keys(name).schedule(name), *_FIELDS) for name in wanted
        )
        return [_stored(name, reply) for name, reply in zip(wanted, replies, strict=True)]

    async def fire(self, shard: int, firings: Iterable[Firing], look_at: int) -> Fired:
        """Do this for schedules of a shard, each unless it has moved since it was seen, and tell of up to ``look_at``
        others that are due."""
        args: list[Argument] = [look_at]
        for one in firings:
            args += (
                one.name, one.turn, _or_blank(one.slot), "inf" if one.when is None else one.when,
                " ".join(map(str, one.waiting)), _or_blank(one.last_slot), one.last, one.passed, len(one.starts),
            )  # fmt: skip
            for words in one.starts:
                args += (len(words), *words)
        now, wait, refused, due = await self._gateway.run(
            "fire", self._shards[shard].prefix, args, patience=0
        )
        rows = [due[start : start + _DUE_STRIDE] for start in range(0, len(due), _DUE_STRIDE)]
        return Fired(
            now,
            None if wait < 0 else wait,
            [name.decode(errors="replace") for name in refused],
            list(map(_due, rows)),
        )


def _due(row: Sequence[bytes]) -> Due:
    name = row[0].decode(errors="replace")
    try:
        schedule = unpack_schedule(name, row[2])
    except Undecodable:
        schedule = None
    return Due(
        name,
        row[1].decode(errors="replace"),
        schedule,
        row[3],
        _number(row[4]),
        _numbers(row[5]),
        row[6].decode(errors="replace"),
        read_status(row[7]),
    )


def _stored(name: str, reply: object) -> StoredSchedule | None:
    if not isinstance(reply, list) or reply[0] is None:
        return None
    try:
        schedule = unpack_schedule(name, reply[0])
    except Undecodable:
        return None
    return StoredSchedule(
        schedule,
        reply[1] or b"",
        _number(reply[2]),
        _numbers(reply[3]),
        (reply[4] or b"").decode(errors="replace"),
        _number(reply[5]),
        _number(reply[6]) or 0,
        _number(reply[7]) or 0,
        paused=reply[8] is not None,
    )


def _number(value: bytes | None) -> int | None:
    return int(value) if value and re.fullmatch(rb"[0-9]{1,18}", value) else None


def _numbers(value: bytes | None) -> tuple[int, ...]:
    return tuple(number for item in (value or b"").split() if (number := _number(item)) is not None)


def _or_blank(slot: int | None) -> Argument:
    return "" if slot is None else slot


def _when(schedule: Schedule, slot: int | None) -> Argument:
    return "inf" if slot is None else schedule.when(slot)


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no schedule {name[:100]!r}")
