"""The bodies that every system runs: a no-op, a nap of ten milliseconds, and a stamp for latency.

A body returns 1, so that every system has a result to keep. Frameworks that pass a context as the first
argument wrap them; threads use the blocking twins. ``bind`` must have been called in the worker process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from benchmarks import counter

NAP_SECONDS = 0.01


def _unbound(*_: int) -> None:
    raise RuntimeError("bodies.bind was not called in this process")


hit: Callable[[], None] = _unbound
mark: Callable[[int], None] = _unbound


def bind(tally: str, stamps: str | None, slot: int, *, threads: bool = False) -> None:
    """Point ``hit`` and ``mark`` of this process to its slot of the tally and to the stamps file."""
    global hit, mark
    words = counter.open_words(tally)
    first_lane = slot * counter.LANES_PER_SLOT
    hit = counter.threaded_hitter(words, slot) if threads else counter.lane_hitter(words, first_lane)
    if stamps is not None:
        mark = counter.marker(counter.open_words(stamps), 1)


async def noop(payload: str = "") -> int:
    """Do nothing and be counted."""
    hit()
    return 1


async def nap() -> int:
    """Wait ten milliseconds and be counted."""
    await asyncio.sleep(NAP_SECONDS)
    hit()
    return 1


async def stamp(index: int) -> int:
    """Write down when task ``index`` started."""
    mark(index)
    hit()
    return 1


def noop_blocking(payload: str = "") -> int:
    """``noop`` for a thread."""
    hit()
    return 1


def nap_blocking() -> int:
    """``nap`` for a thread."""
    time.sleep(NAP_SECONDS)
    hit()
    return 1


def stamp_blocking(index: int) -> int:
    """``stamp`` for a thread."""
    mark(index)
    hit()
    return 1


BODIES: dict[str, Any] = {"noop": noop, "nap": nap, "stamp": stamp}
BLOCKING_BODIES: dict[str, Any] = {"noop": noop_blocking, "nap": nap_blocking, "stamp": stamp_blocking}
