"""How many workers a queue needs. ``docs/telemetry.md`` explains the formulas to users.

With the arrival rate A (tasks a second), the mean run time S (seconds), B tasks that are ready, and c slots of workers:

- load = A x S, by Little's law the number of slots that are busy on average; utilisation = load / c
- service rate = c / S, and what is ready is gone after B / (c / S - A) seconds, or never. Workers that serve other
  queues, too, do less for this one: where more tasks than slots were ready all the time, by so many as B became fewer
- to be rid of what is ready within the target T, c must be S x (A + B / T) or more
- for later arrivals to wait T on average or less, c must be so large that C(c, load) x S / (c - load) <= T, where C is
  Erlang's formula for the probability of having to wait (random arrivals, one line for all slots)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_SLOTS = 1_000_000
MOST_BY_ERLANG = 10_000
"""Beyond so many slots chance evens out, and the load and its square root are enough."""
DEFAULT_SLOTS = 100
"""Of a worker where none is there to say how many it has: the default of ``concurrency``."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a queue: counts of the last ``seconds``, and the moment.

    ``left`` tasks have left it by running (or by being cancelled), ``ready_before`` is how many were ready when those
    seconds began (``None``: nobody looked), ``ran_seconds`` the mean run time (``None``: nothing has run). It is ``busy``
    when its workers run tasks, or some wait for a limit: then it keeps a worker, as these would be left without one.
    """

    queue: str
    seconds: float
    left: int
    ready: int
    ready_before: int | None
    ran_seconds: float | None
    workers: int
    slots: int
    paused: bool = False
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """What a queue needs. Rates are tasks a second; ``None`` is what cannot be known, and for ``drain_seconds`` never."""

    queue: str
    ready: int
    arrival_rate: float
    service_rate: float | None
    run_seconds: float | None
    utilisation: float | None
    drain_seconds: float | None
    workers: int
    slots: int
    wanted_slots: int
    wanted_workers: int
    why: str


def advise(seen: Observed, target_wait: float) -> Advice:
    """Advice for one queue whose tasks are to wait ``target_wait`` seconds at most, on average."""
    arrivals = arrival_rate(seen)
    ran = seen.ran_seconds
    each = seen.slots / seen.workers if seen.workers else DEFAULT_SLOTS
    load = None if ran is None else arrivals * ran
    if load is None or ran is None:
        wanted, why = _without_history(seen)
    else:
        wanted, why = _wanted(seen, load, ran, target_wait)
    service = seen.slots / ran if ran else None
    return Advice(
        queue=seen.queue,
        ready=seen.ready,
        arrival_rate=arrivals,
        service_rate=service,
        run_seconds=ran,
        utilisation=load / seen.slots if load is not None and seen.slots else None,
        drain_seconds=_drain(seen, arrivals, service),
        workers=seen.workers,
        slots=seen.slots,
        wanted_slots=wanted,
        wanted_workers=math.ceil(wanted / each - 1e-9),
        why=why,
    )


def arrival_rate(seen: Observed) -> float:
    """Tasks that became ready, a second: those that have left, and by how many more are ready than before."""
    grown = 0 if seen.ready_before is None else seen.ready - seen.ready_before
    return max(0, seen.left + grown) / seen.seconds if seen.seconds > 0 else 0.0


def mean_wait(slots: int, load: float, run_seconds: float) -> float:
    """How long tasks wait on average where ``load`` slots of so many are busy; infinite when there are too few."""
    if slots <= load:
        return math.inf
    blocked = 1.0  # Erlang's B, by its recursion over the number of slots
    for busy in range(1, slots + 1):
        blocked = load * blocked / (busy + load * blocked)
    waits = blocked / (1 - load / slots * (1 - blocked))
    return waits * run_seconds / (slots - load)


def slots_for(load: float, run_seconds: float, target_wait: float) -> int:
    """The fewest slots with which tasks wait ``target_wait`` seconds at most, on average."""
    if load <= 0:
        return 0
    if load > MOST_BY_ERLANG:
        return min(MOST_SLOTS, math.ceil(load + math.sqrt(load)))
    low = math.floor(load) + 1
    high = low
    while mean_wait(high, load, run_seconds) > target_wait:
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        if mean_wait(middle, load, run_seconds) > target_wait:
            low = middle + 1
        else:
            high = middle
    return high


def _wanted(seen: Observed, load: float, ran: float, target_wait: float) -> tuple[int, str]:
    if seen.paused:
        return 0, "it is paused"
    steady = slots_for(load, ran, target_wait)
    drain = min(MOST_SLOTS, math.ceil(load + ran * seen.ready / target_wait - 1e-9))
    wanted = max(steady, min(drain, math.ceil(load) + seen.ready), int(seen.ready > 0))
    if wanted == 0:
        return _at_rest(seen)
    if wanted > steady:
        return (
            wanted,
            f"{seen.ready:,} {'task is' if seen.ready == 1 else 'tasks are'} ready, to be begun within {target_wait:g} s",
        )
    return wanted, f"tasks keep {_few(load)} slots busy, and are to wait {target_wait:g} s at most"


def _few(load: float) -> str:
    """A number of slots for people, to whom no exponent says anything."""
    return "less than 0.01" if load < 0.01 else f"{load:,.0f}" if load >= 10 else f"{load:.2g}"


def _without_history(seen: Observed) -> tuple[int, str]:
    """Nothing has ended lately, so nobody knows for how long its tasks run."""
    if seen.paused:
        return 0, "it is paused"
    if seen.ready == 0:
        return _at_rest(seen)
    return max(1, seen.slots), "nothing has ended lately, so how long its tasks run is not known"


def _at_rest(seen: Observed) -> tuple[int, str]:
    if seen.busy:
        return 1, "nothing is ready, and tasks run or wait for a limit"
    return 0, "nothing is ready and nothing runs"


def _drain(seen: Observed, arrivals: float, service: float | None) -> float | None:
    if seen.ready == 0:
        return 0.0
    if service is None or seen.paused or service <= arrivals:
        return None
    gain = service - arrivals
    if seen.ready_before is not None and min(seen.ready, seen.ready_before) > seen.slots > 0:
        # Its workers have had enough of its tasks all the time: beside those of other queues they can do no more than that.
        gain = min(gain, (seen.ready_before - seen.ready) / seen.seconds)
    return seen.ready / gain if gain > 0 else None
