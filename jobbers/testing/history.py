"""What happened in a run, as events in a total order: written by what watches a system, judged by the checker.

A history is a list of flat JSON objects. Each has ``kind``, ``at`` (seconds of the recorder's clock) and ``seq`` (its
place). :mod:`jobbers.testing.checker` says which kinds there are and what must hold.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Event = dict[str, Any]
FINISHING = frozenset({"succeed", "fail", "retry", "snooze", "release", "skip", "suspend", "follow"})
"""The scripts by which the owner of an execution says what became of it."""


class Standing(NamedTuple):
    """What a record says of its task; the status of no task is empty."""

    status: str
    owner: str
    attempt: int


def moved(task: str, was: Standing, now: Standing, by: str, **details: Any) -> dict[str, Any]:
    """The fields of a ``moved`` event."""
    return {
        "task": task, "from": was.status, "to": now.status, "attempt": now.attempt, "owner": now.owner, "by": by,
        **details,
    }  # fmt: skip


def callers(arguments: Sequence[object], task: str) -> list[str]:
    """The owners that the arguments of a finishing script name for a task: each follows the id. One call may carry those
    of two executions."""
    words = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in arguments]
    return [owner for word, owner in itertools.pairwise(words) if word == task] or [""]


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
