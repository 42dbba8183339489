"""What happened in a run, as events in a total order: written by what watches a system, judged by the checker.

A history is a list of flat JSON objects. Each has ``kind``, ``at`` (seconds of the recorder's clock) and ``seq`` (its
place). :mod:`jobbers.testing.checker` says which kinds there are and what must hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class History:
    """Records events. ``clock`` gives the seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.events: list[Event] = []
        self._clock = clock

    def add(self, kind: str, **fields: Any) -> None:
        """Record an event."""
        event: Event = {"seq": len(self.events), "at": round(self._clock(), 6), "kind": kind, **fields}
        self.events.append(event)


def digest(events: Iterable[Event]) -> str:
    """The SHA-256 of all events: equal for equal runs."""
    return hashlib.sha256("\n".join(_lines(events)).encode()).hexdigest()


def save(events: Iterable[Event], path: Path) -> None:
    """Write events, one JSON object a line."""
    path.write_text("\n".join(_lines(events)) + "\n")


def load(path: Path) -> list[Event]:
    """Read what :func:`save` wrote."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _lines(events: Iterable[Event]) -> Iterable[str]:
    return (json.dumps(event, sort_keys=True) for event in events)
