"""How much telemetry a task type makes: the option ``telemetry=`` of a task, parsed and decided purely."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from jobbers.errors import InvalidInput

Overrides = tuple[tuple[str, "Granularity"], ...]
"""Patterns of type names and what they say; the first that fits counts."""
_SLOW = re.compile(r"slow:(\d+(?:\.\d+)?)(ms|s)")
_CHOICES = '"auto", "always", "errors", "batch", "off", "slow:500ms", or a ratio such as 0.01'


class Kind(StrEnum):
    """When an attempt gets a span of its own."""

    AUTO = "auto"
    ALWAYS = "always"
    RATIO = "ratio"
    SLOW = "slow"
    ERRORS = "errors"
    BATCH = "batch"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Granularity:
    """A kind, with its ratio (0 to 1, only for ``RATIO``) or its limit in ms (only for ``SLOW``)."""

    kind: Kind
    ratio: float = 1.0
    slow_ms: float = 0.0

    def __str__(self) -> str:
        match self.kind:
            case Kind.RATIO:
                return f"{self.ratio:g}"
            case Kind.SLOW:
                return f"slow:{self.slow_ms:g}ms"
            case _:
                return self.kind.value


AUTO = Granularity(Kind.AUTO)


def parse_granularity(value: object) -> Granularity:
    """What ``telemetry=`` was given, as a value. Raises :class:`InvalidInput`, which lists what there is."""
    if isinstance(value, Granularity):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= 1:
            raise InvalidInput(
                f"telemetry as a ratio must be from 0 to 1, got {value!r}: 0.01 is one in a hundred"
            )
        return Granularity(Kind.RATIO, ratio=float(value))
    if isinstance(value, str):
        if value in {Kind.AUTO, Kind.ALWAYS, Kind.ERRORS, Kind.BATCH, Kind.OFF}:
            return Granularity(Kind(value))
        slow = _SLOW.fullmatch(value)
        if slow is not None:
            return Granularity(Kind.SLOW, slow_ms=float(slow[1]) * (1000 if slow[2] == "s" else 1))
        if value.startswith("slow"):
            raise InvalidInput(
                f'telemetry={value[:50]!r} needs a limit in ms or s, such as "slow:500ms" or "slow:2s"'
            )
    raise InvalidInput(f"telemetry must be {_CHOICES}; got {str(value)[:50]!r}")


def parse_overrides(text: str) -> Overrides:
    """Granularities by patterns of type names, such as ``mail.*=always, import*=0.01``; the first that fits counts. Raises
    :class:`InvalidInput`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        pattern, equals, value = (word.strip() for word in part.partition("="))
        if not pattern or not equals:
            raise InvalidInput(
                f"telemetry_types must be like 'mail.*=always, import*=0.01', got {part[:50]!r}"
            )
        number = re.fullmatch(r"\d+(\.\d+)?", value)
        found.append((pattern, parse_granularity(float(value) if number else value)))
    return tuple(found)


def overridden(overrides: Iterable[tuple[str, Granularity]], name: str) -> Granularity | None:
    """What the first pattern says that fits a type's name."""
    return next((it for pattern, it in overrides if fnmatchcase(name, pattern)), None)


def idle(overrides: Iterable[tuple[str, Granularity]], names: Collection[str]) -> list[str]:
    """The patterns that fit none of these names."""
    return [it[0] for it in overrides if not any(overridden([it], name) for name in names)]


def written(overrides: Iterable[tuple[str, Granularity]]) -> str:
    """As :func:`parse_overrides` reads it."""
    return ", ".join(f"{pattern}={it}" for pattern, it in overrides)


BUSY_PER_SECOND = 20
"""Above so many attempts a second of one type in one process, ``auto`` looks at how long they take."""
SHORT_SECONDS = 0.1
"""Below this median ``auto`` counts attempts as short."""


class AutoSwitch:
    """Whether the attempts of one type are short and many, so that they are told of together.

    Decided by counting in windows of a second, so that a burst makes at most :data:`BUSY_PER_SECOND` spans before it is
    aggregated; it takes a whole quiet second to go back. Times are monotonic seconds, given by the caller.
    """

    __slots__ = ("_count", "_median", "_window", "many")

    def __init__(self) -> None:
        self._window = 0.0
        self._count = 0
        self._median = 0.0
        self.many = False

    def begun(self, now: float) -> bool:
        """Another attempt (or submission) begins; returns whether it is one of many."""
        if now - self._window >= 1.0:
            if self._count <= BUSY_PER_SECOND or now - self._window >= 2.0:
                self.many = False
            self._window, self._count = now, 0
        self._count += 1
        if self._count > BUSY_PER_SECOND:
            self.many = self._median < SHORT_SECONDS
        return self.many

    def took(self, seconds: float) -> None:
        """An attempt has ended. The median is followed in steps of a tenth, which needs no list of durations."""
        if self._median == 0.0:
            self._median = seconds
        elif seconds > self._median:
            self._median *= 1.1
        else:
            self._median *= 0.9
