"""A history sorted out, and what a rule finds in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from jobbers.testing.history import Event as Happened


class Finding(NamedTuple):
    """A promise that was not kept: the rule, and what it was broken by."""

    rule: str
    task: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.task} {self.what}".rstrip()


class Run:
    """A history, sorted out. ``moves`` are those that were not lost by a roll-back."""

    def __init__(self, events: Sequence[Happened]) -> None:
        self.events = events
        self.lost = _lost(events)
        self.moves: dict[str, list[Happened]] = defaultdict(list)
        self.of_kind: dict[str, list[Happened]] = defaultdict(list)
        for event in events:
            self.of_kind[event["kind"]].append(event)
            if event["kind"] == "moved" and event["seq"] not in self.lost:
                self.moves[event["task"]].append(event)
        self.deaths = {event["worker"]: event["at"] for event in self.of_kind["killed"] if "worker" in event}

    @property
    def crash_budget(self) -> int:
        """How many workers a task may lose."""
        return int(self.of_kind["begun"][0]["crash_budget"]) if self.of_kind["begun"] else 3

    @property
    def lease(self) -> float:
        """Seconds that a lease lasts."""
        return float(self.of_kind["begun"][0]["lease"]) if self.of_kind["begun"] else 10.0

    def any_killed(self, since: float, until: float) -> bool:
        """Whether a worker was killed in this time (seconds)."""
        return any(since <= event["at"] <= until for event in self.of_kind["killed"])

    def known_dead(self, move: Happened) -> bool:
        """Whether the worker whose task was taken had been killed by then, and could be known to be dead."""
        worker = str(move["owner"]).partition("/")[0].rpartition("-")[0]  # the rest is a nonce
        died = self.deaths.get(worker)
        return died is not None and died <= move["at"]

    def lives(self, task: str) -> Iterator[list[Happened]]:
        """The moves of a task, a list for each life: a requeued task begins a new one."""
        life: list[Happened] = []
        for move in self.moves[task]:
            if move["by"] == "requeue" and life:
                yield life
                life = []
            life.append(move)
        if life:
            yield life


def _lost(events: Iterable[Happened]) -> set[int]:
    """The places of what a roll-back undid."""
    lost: set[int] = set()
    since: list[int] | None = None
    for event in events:
        if event["kind"] == "snapshot":
            since = []
        elif event["kind"] == "rolled_back":
            lost.update(since or ())
            since = None
        elif since is not None:
            since.append(event["seq"])
    return lost
