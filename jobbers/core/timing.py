"""When a schedule has its slots: by a cron line in a time zone, or every so many ms. Pure: the caller brings time.

Cron lines are read by cronsim, which does as Debian's cron does when clocks change: what falls into the hour that is left
out comes right after it, and what stands in the hour that comes twice is not repeated, unless its minute or its hour begins
with ``*``. Intervals count from 1970 in UTC, so that all workers agree on the slots.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from jobbers.errors import InvalidInput

SHORTEST_EVERY_MS = 100
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MS = 250_000_000_000_000
_FIRST_WINDOW_MS = 60_000
_ALIASES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timing:
    """Either ``cron`` in the zone ``tz``, or ``every_ms``; :func:`timing` checks it. Slots are ms since 1970."""

    cron: str = ""
    tz: str = "UTC"
    every_ms: int = 0

    def slots(self, after: int) -> Iterator[int]:
        """The slots later than ``after``, the first one first; they end where a cron line has no more in fifty years."""
        if self.every_ms:
            slot = after
            while slot < _MOST_MS:
                slot = (slot // self.every_ms + 1) * self.every_ms
                yield slot
            return
        start = (_START + timedelta(milliseconds=after)).astimezone(zone(self.tz))
        for moment in CronSim(_ALIASES.get(self.cron.lower(), self.cron), start):
            slot = _ms(moment)
            if slot > after:  # in an hour that comes twice, cronsim may begin before its start
                yield slot

    def after(self, moment: int) -> int | None:
        """The first slot later than ``moment``; ``None`` if there is none."""
        return next(self.slots(moment), None)

    def newest(self, first: int, until: int, count: int) -> list[int]:
        """The last ``count`` slots from ``first``, a slot, to ``until``, in order.

        Cost: a few times ``count``, however long the time between is.
        """
        window = _FIRST_WINDOW_MS if not self.every_ms else self.every_ms * (count + 1)
        while True:
            start = max(first - 1, until - window)
            found: list[int] = []
            for slot in self.slots(start):
                if slot > until:
                    break
                found.append(slot)
            if len(found) >= count or start == first - 1:
                return found[-count:]
            window *= 2

    def moment(self, slot: int) -> datetime:
        """A slot as a time in the schedule's zone."""
        return (_START + timedelta(milliseconds=slot)).astimezone(zone(self.tz))

    def __str__(self) -> str:
        if self.every_ms:
            return f"every {self.every_ms / 1000:g} s"
        return f"{self.cron} ({self.tz})"


def timing(cron: str | None, tz: str | None, every_ms: int | None) -> Timing:
    """Check what was asked for. Raises :class:`InvalidInput` for both or neither, a line that is no cron line or never
    fires, a zone that nobody knows, and an interval below 100 ms."""
    if (cron is None) == (every_ms is None):
        raise InvalidInput("a schedule needs one of cron and every: cron='0 3 * * *', or every=30 (seconds)")
    if every_ms is not None:
        if tz is not None:
            raise InvalidInput(
                "a time zone goes with cron: intervals count from 1970 in UTC, leave tz out", "tz"
            )
        if every_ms < SHORTEST_EVERY_MS:
            raise InvalidInput(
                f"every must be {SHORTEST_EVERY_MS / 1000:g} seconds or more, got {every_ms / 1000:g}",
                "every",
            )
        return Timing(every_ms=every_ms)
    if not isinstance(cron, str):
        raise InvalidInput(f"cron must be text such as '0 3 * * *', got {type(cron).__name__}", "cron")
    line = " ".join(cron.split())
    shown = cron[:80]
    chosen = "UTC" if tz is None else tz
    zone(chosen)
    found = Timing(cron=line, tz=chosen)
    try:
        first = found.after(_ms(datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        if str(error) == "Bad day-of-month" and _days_are_numbers(line):
            first = None
        else:
            raise InvalidInput(
                f"cron {shown!r} is no cron line ({str(error).lower()}): write minute, hour, day, month and weekday, "
                "as in '30 3 * * MON'",
                "cron",
            ) from None
    except (OverflowError, ValueError):
        raise InvalidInput(f"cron {shown!r} is no cron line: write it as '30 3 * * MON'", "cron") from None
    if first is None:
        raise InvalidInput(f"cron {shown!r} never fires: no month that it names has such a day", "cron")
    return found


@functools.lru_cache(maxsize=1024)
def known_timing(cron: str, tz: str, every_ms: int) -> Timing:
    """A timing that was stored, checked like a new one. Raises :class:`InvalidInput`."""
    return timing(cron or None, tz if cron else None, every_ms or None)


@functools.lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises :class:`InvalidInput`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(
            f"there is no time zone {str(name)[:80]!r}: use an IANA name such as 'Europe/Berlin' or 'UTC'",
            "tz",
        ) from None


def shortest_gap(found: Timing, after: int, looked_at: int = 50) -> int:
    """The least ms between two slots, of the next fifty."""
    slots = list(islice(found.slots(after), looked_at))
    return min((late - early for early, late in pairwise(slots)), default=_MOST_MS)


def _days_are_numbers(line: str) -> bool:
    """Whether a refused day of the month is one that some month has, so that it only never comes."""
    parts = line.split()
    day = parts[-3] if len(parts) in (5, 6) else ""
    return bool(day) and all(
        part.isdigit() and 1 <= int(part) <= 31 for part in day.replace("-", ",").split(",")
    )


def _ms(moment: datetime) -> int:
    return (moment - _START) // timedelta(milliseconds=1)
