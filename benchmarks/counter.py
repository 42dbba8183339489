"""Counting tasks and stamping their start in memory-mapped files, without one Redis command.

Two kinds of file:

* A *tally* has one lane of four 64-bit words per writing thread: count, first and last monotonic time
  (nanoseconds), unused. A process owns ``LANES_PER_SLOT`` lanes of its own (its *slot*), so nobody ever
  shares a word and nobody needs a lock.
* A *stamps* file has two words per task: just before it was submitted, and the first line of its body.

``time.monotonic_ns`` is one clock for all processes of a machine, so times of several processes compare.
"""

from __future__ import annotations

import itertools
import mmap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WORD = 8
LANE_WORDS = 4
LANES_PER_SLOT = 128
SLOTS = 16


@dataclass(frozen=True, slots=True)
class Tally:
    """What all writers have counted together; times are monotonic nanoseconds, 0 if nothing was counted."""

    count: int
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """From the first body to the last."""
        return (self.last_ns - self.first_ns) / 1e9


def create_tally(path: Path) -> None:
    """Make an empty tally file."""
    path.write_bytes(bytes(SLOTS * LANES_PER_SLOT * LANE_WORDS * WORD))


def create_stamps(path: Path, count: int) -> None:
    """Make an empty stamps file for ``count`` tasks."""
    path.write_bytes(bytes(count * 2 * WORD))


def open_words(path: str | Path) -> memoryview:
    """Map a whole file as writable 64-bit words."""
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


class TallyReader:
    """The harness's view of a tally file."""

    def __init__(self, path: Path) -> None:
        self._words = open_words(path)

    def count(self) -> int:
        """How many tasks have been counted so far."""
        return sum(self._words.tolist()[0::LANE_WORDS])

    def read(self) -> Tally:
        """The whole tally."""
        words = self._words.tolist()
        firsts = [word for word in words[1::LANE_WORDS] if word]
        return Tally(sum(words[0::LANE_WORDS]), min(firsts, default=0), max(words[2::LANE_WORDS]))


def read_latencies(path: Path, skip: int) -> list[float]:
    """Milliseconds from submit to body, in order of submission, without the first ``skip`` tasks.

    Raises ``ValueError`` if a task was submitted or started but not both.
    """
    words = open_words(path).tolist()
    pairs = list(zip(words[0::2], words[1::2], strict=True))[skip:]
    if not all(sent and started for sent, started in pairs):
        raise ValueError("some tasks were never submitted or never started")
    return [(started - sent) / 1e6 for sent, started in pairs]


def lane_hitter(words: memoryview, lane: int) -> Callable[[], None]:
    """A function that counts one task in one lane; only one thread may call it."""
    base = lane * LANE_WORDS
    now = time.monotonic_ns
    count = 0

    def hit() -> None:
        nonlocal count
        stamp = now()
        if count == 0:
            words[base + 1] = stamp
        count += 1
        words[base + 2] = stamp
        words[base] = count

    return hit


def threaded_hitter(words: memoryview, slot: int) -> Callable[[], None]:
    """Like :func:`lane_hitter`, but each calling thread gets the next free lane of the slot."""
    lanes = itertools.count(slot * LANES_PER_SLOT)
    local = threading.local()

    def hit() -> None:
        try:
            own = local.hit
        except AttributeError:
            own = local.hit = lane_hitter(words, next(lanes))
        own()

    return hit


def marker(words: memoryview, side: int) -> Callable[[int], None]:
    """A function that stamps the time of task ``index``; side 0 is the submit, side 1 the body."""
    now = time.monotonic_ns

    def mark(index: int) -> None:
        words[2 * index + side] = now()

    return mark
