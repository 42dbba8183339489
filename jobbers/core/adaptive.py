"""How many tasks at a time a worker takes when it finds that out by itself: ``--concurrency auto``. Pure.

Additive increase and multiplicative decrease, as D.-M. Chiu and R. Jain show it to settle (*Analysis of the Increase and
Decrease Algorithms for Congestion Avoidance in Computer Networks*, Computer Networks and ISDN Systems 17, 1989), with the
slow start of V. Jacobson (*Congestion Avoidance and Control*, SIGCOMM 1988). What counts as congestion is that the event
loop wakes late, or that tasks take longer than they used to: the latter as in the gradient limits of Netflix's
concurrency-limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from jobbers.errors import InvalidInput

LATE_SECONDS = 0.05
"""An event loop that wakes later than this on average takes on no more."""
TOO_LATE_SECONDS = 0.1
"""Later than this it has too much."""
BUSY_LOOP = 0.9
"""A loop that computes for this share of the time takes on no more: more tasks would only wait for each other."""
SLOWER = 1.5
TOO_SLOW = 2.5
"""Tasks that take so many times as long as those of their types usually do hold each other up."""
FULL = 0.9
"""A worker that does not use this share of its places needs no more of them."""
DECREASE = 0.7
LARGEST_DECREASE = 0.2
PAUSE = 2
"""After a decrease so many looks pass without an increase: what has begun has to end first."""

_TEXT = re.compile(r"auto(?::(\d+)-(\d+))?")


@dataclass(frozen=True, slots=True)
class Adaptive:
    """A concurrency from ``least`` to ``most``, which the worker finds by itself. Raises :class:`InvalidInput`."""

    least: int = 4
    most: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise InvalidInput(
                f"an adaptive concurrency needs 1 <= least <= most, got {self.least} and {self.most}"
            )

    @property
    def start(self) -> int:
        """Where to begin."""
        return min(self.most, max(self.least, 10))

    def __str__(self) -> str:
        return f"auto:{self.least}-{self.most}"


def parse_concurrency(value: int | str | Adaptive, what: str = "concurrency") -> int | Adaptive:
    """A number, ``"auto"``, or ``"auto:4-1000"`` with its bounds. ``what`` names it in the error. Raises
    :class:`InvalidInput`."""
    if isinstance(value, Adaptive):
        return value
    if isinstance(value, str):
        found = _TEXT.fullmatch(value.strip())
        if found is not None:
            return Adaptive(int(found[1]), int(found[2])) if found[1] else Adaptive()
        value = int(value) if value.strip().isdecimal() else -1
    if isinstance(value, bool) or value < 1:
        raise InvalidInput(f"{what} must be a number of 1 or more, auto, or auto:4-1000 with its bounds")
    return value


class Sample(NamedTuple):
    """What a worker saw in one interval.

    ``busy`` is the most places that were taken at once; ``lag`` how many seconds too late the loop woke on average; ``cpu``
    the share of the time in which the loop's thread computed; ``slowdown`` how long tasks took in proportion to what those
    of their types usually do.
    """

    busy: int
    lag: float
    cpu: float
    slowdown: float


class Controller:
    """Follows samples, one an interval, with the number of places that a worker should have."""

    def __init__(self, bounds: Adaptive) -> None:
        self._bounds = bounds
        self._pause = 0
        self._slow_start = True
        self.places = bounds.start

    def see(self, sample: Sample) -> int:
        """The number of places from now on, given what happened with those before."""
        if sample.lag > TOO_LATE_SECONDS or sample.slowdown > TOO_SLOW:
            self._slow_start = False
            self._pause = PAUSE
            # The later the loop, the larger the step: one that wakes after seconds gets few samples to learn from.
            kept = min(DECREASE, max(LARGEST_DECREASE, TOO_LATE_SECONDS / max(sample.lag, TOO_LATE_SECONDS)))
            self.places = max(self._bounds.least, int(min(self.places, max(sample.busy, 1)) * kept))
        elif self._pause:
            self._pause -= 1
        elif sample.busy < FULL * self.places:
            pass
        elif sample.lag > LATE_SECONDS or sample.slowdown > SLOWER or sample.cpu > BUSY_LOOP:
            self._slow_start = False
        else:
            step = self.places if self._slow_start else max(1, self.places // 10)
            self.places = min(self._bounds.most, self.places + step)
        return self.places


class Pace:
    """How long tasks take, in proportion to what those of their types usually do. One that takes very long counts no more
    than :attr:`MOST` times, and few tasks say nothing."""

    MOST = 4.0
    FEW = 10
    KEPT = 0.95
    """How much of the usual duration stays when another task has ended."""
    LEAST_SECONDS = 0.001
    """What is shorter says nothing about a worker that has too much."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}
        self._sum = 0.0
        self._count = 0

    def took(self, task_type: str, seconds: float) -> None:
        """A task has ended."""
        seconds = max(seconds, self.LEAST_SECONDS)
        usual = self._usual.setdefault(task_type, seconds)
        self._sum += min(self.MOST, seconds / usual)
        self._count += 1
        self._usual[task_type] = usual * self.KEPT + seconds * (1 - self.KEPT)

    def since(self) -> float:
        """The mean proportion since the last call; 1 if next to nothing has ended."""
        mean = self._sum / self._count if self._count >= self.FEW else 1.0
        self._sum, self._count = 0.0, 0
        return mean
