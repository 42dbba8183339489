"""Durations: seconds or ``timedelta`` in the public surface, integer milliseconds at the store's border."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from jobbers.errors import InvalidInput

Duration = float | timedelta
"""A number of seconds, or a timedelta."""

_MAX_SECONDS = 100 * 365 * 86_400
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_TEXT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h|d)?")


def seconds_of(text: str, what: str) -> float:
    """Seconds, written as 90, 1.5, 500ms, 10s, 5m, 2h or 1d. ``what`` names it in the error. Raises
    :class:`InvalidInput`."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"{what} {text[:50]!r} is no duration: write seconds, or 500ms, 10s, 5m, 2h, 1d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def to_ms(value: Duration, what: str) -> int:
    """Milliseconds of a duration, rounded up. ``what`` names it in the error.

    Raises :class:`InvalidInput` if it is negative, not finite, longer than a hundred years or no duration.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    else:
        raise InvalidInput(f"{what} must be seconds or a timedelta, got {type(value).__name__}")
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidInput(f"{what} must be zero or more seconds, got {value}")
    if seconds > _MAX_SECONDS:
        raise InvalidInput(f"{what} must be at most a hundred years, got {value}")
    return math.ceil(seconds * 1000 - 1e-6)


def to_optional_ms(value: Duration | None, what: str) -> int | None:
    """Like :func:`to_ms`, and ``None`` stays ``None``; zero is refused, since no limit is written ``None``."""
    if value is None:
        return None
    milliseconds = to_ms(value, what)
    if milliseconds == 0:
        raise InvalidInput(f"{what} must be more than zero seconds; leave it out for no limit")
    return milliseconds
