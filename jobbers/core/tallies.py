"""What the counters of minutes say. The finishing scripts keep them, a hash a minute and shard, with these fields:

| field                            | counts                                                                            |
| -------------------------------- | --------------------------------------------------------------------------------- |
| ``queue|type|outcome``           | tasks that ended, and attempts that were ``retried``                              |
| ``queue|type|ran|ms``            | for how long those that ended or were retried had run, in all                     |
| ``queue|type|ran|n``             | how many of them ran for more than 2^((n-1)/2) ms and at most 2^(n/2) ms          |
| ``queue|type|cause|outcome``     | attempts that the worker ended: a ``timeout``, or ``silent`` without a heartbeat  |
| ``|worker|cause|outcome``        | the same, by worker                                                               |
| ``queue||ready|n``               | no count: the tasks that were ready at the begin of the minute                    |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CAUSES = ("timeout", "silent")
RETRIED = "retried"
LARGEST_BUCKET = 80
"""2^40 ms are 34 years: what claims to be larger was written by somebody else."""


@dataclass(slots=True)
class Ran:
    """How long executions ran: sum in ms, and how many are in each bucket."""

    total_ms: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many."""
        return self.buckets.total()

    @property
    def mean(self) -> float | None:
        """The mean in seconds; ``None`` when there is none."""
        return self.total_ms / self.count / 1000 if self.count else None

    def percentile(self, share: float) -> float | None:
        """About how many seconds the given share took at most; ``None`` when there is none. Within a bucket they count as
        spread evenly, so the answer is off by 41 % at the very worst, and by some percent mostly."""
        if not self.count:
            return None
        wanted, seen, last = share * self.count, 0, 0
        for bucket, number in sorted(self.buckets.items()):
            last = bucket
            if seen + number >= wanted:
                low, high = bounds(bucket)
                return low + (high - low) * max(0.0, wanted - seen) / number
            seen += number
        return bounds(last)[1]

    def add(self, other: Ran) -> None:
        """Add what another has."""
        self.total_ms += other.total_ms
        self.buckets.update(other.buckets)


def bounds(bucket: int) -> tuple[float, float]:
    """Between which durations, in seconds, a bucket lies."""
    return (2 ** ((bucket - 1) / 2) if bucket else 0.0) / 1000, 2 ** (bucket / 2) / 1000


@dataclass(slots=True)
class Tally:
    """What became of some tasks. ``ended_early`` counts by (cause, outcome)."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ended_early: Counter[tuple[str, str]] = field(default_factory=Counter)
    ran: Ran = field(default_factory=Ran)

    def add(self, other: Tally) -> None:
        """Add what another has."""
        self.outcomes.update(other.outcomes)
        self.ended_early.update(other.ended_early)
        self.ran.add(other.ran)

    def early(self, cause: str) -> dict[str, int]:
        """By outcome: how many attempts were ended for a cause."""
        return {outcome: number for (why, outcome), number in self.ended_early.items() if why == cause}

    @property
    def ended(self) -> int:
        """How many tasks have ended; a retry is no end."""
        return self.outcomes.total() - self.outcomes[RETRIED]


@dataclass(slots=True)
class Tallies:
    """The counters of some time: by (queue, type), and by worker; ``ready`` are the samples of depth by queue."""

    types: dict[tuple[str, str], Tally] = field(default_factory=dict)
    workers: dict[str, Tally] = field(default_factory=dict)
    ready: Counter[str] = field(default_factory=Counter)
    sampled: bool = False

    def by_queue(self) -> dict[str, Tally]:
        """The tallies of queues."""
        return self._grouped(0)

    def by_type(self) -> dict[str, Tally]:
        """The tallies of task types, whatever their queue."""
        return self._grouped(1)

    def _grouped(self, part: int) -> dict[str, Tally]:
        found: dict[str, Tally] = {}
        for names, tally in self.types.items():
            found.setdefault(names[part], Tally()).add(tally)
        return found

    def add(self, other: Tallies) -> None:
        """Add the counts of another time; samples of depth are not added up."""
        for names, tally in other.types.items():
            self.types.setdefault(names, Tally()).add(tally)
        for worker, tally in other.workers.items():
            self.workers.setdefault(worker, Tally()).add(tally)

    def read(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Take in what one hash holds. What is no field of ours is passed over."""
        for name, value in fields:
            words = name.decode(errors="replace").split("|")
            if value.isdigit() and len(value) < 18:
                self._take(words, int(value))

    def _take(self, words: list[str], number: int) -> None:
        match words:
            case [queue, "", "ready", "n"] if queue:
                self.ready[queue] += number
                self.sampled = True
            case ["", "", "ready", "n"]:
                self.sampled = True
            case ["", worker, ("timeout" | "silent") as cause, outcome] if worker:
                self.workers.setdefault(worker, Tally()).ended_early[cause, outcome] += number
            case [queue, kind, *rest] if queue and kind:
                _add(self.types.setdefault((queue, kind), Tally()), rest, number)
            case _:
                pass


def _add(tally: Tally, words: list[str], number: int) -> None:
    match words:
        case [outcome]:
            tally.outcomes[outcome] += number
        case ["ran", "ms"]:
            tally.ran.total_ms += number
        case ["ran", bucket] if _is_bucket(bucket):
            tally.ran.buckets[int(bucket)] += number
        case [("timeout" | "silent") as cause, outcome]:
            tally.ended_early[cause, outcome] += number
        case _:
            pass


def _is_bucket(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 4 and int(word) <= LARGEST_BUCKET


def combined(minutes: Mapping[int, Tallies]) -> Tallies:
    """The counts of several minutes together."""
    found = Tallies()
    for tallies in minutes.values():
        found.add(tallies)
    return found
