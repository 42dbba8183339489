"""Clocks and chance of the whole interpreter, and sizes, replaced for as long as a simulation runs."""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections.abc import Iterator
from unittest import mock

from jobbers import client
from jobbers.store import runs
from jobbers.testing.simulate.loop import VirtualLoop, current

EPOCH = 1_800_000_000.0
"""When simulations begin, in seconds since 1970."""
PART = 4
"""A run of more tasks is launched in several calls."""
KEPT_MS = 5000
"""For how long the first of these calls wait for the last one: sometimes too long."""


@contextlib.contextmanager
def simulated_time_and_chance(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Within, ``time``, ``random`` and ``secrets`` answer from the virtual clock and the seed.

    Wall clocks show the skew of the process that asks; monotonic clocks do not.
    """
    tokens = random.Random(f"tokens {seed}")

    def now() -> float:
        process = current()
        return EPOCH + loop.now + (process.skew if process else 0.0)

    def now_ns() -> int:
        return int(now() * 1_000_000_000)

    def monotonic() -> float:
        return loop.now

    def token_hex(size: int | None = None) -> str:
        return f"{tokens.getrandbits(8 * (size or 32)):0{2 * (size or 32)}x}"

    before, chance = random.getstate(), client._chance.getstate()
    with (
        mock.patch.object(time, "time", now),
        mock.patch.object(time, "time_ns", now_ns),
        mock.patch.object(time, "monotonic", monotonic),
        mock.patch.object(time, "perf_counter", monotonic),
        mock.patch.object(runs, "PART", PART),
        mock.patch.object(runs, "KEPT_MS", KEPT_MS),
        mock.patch.object(secrets, "token_hex", token_hex),
    ):
        random.seed(seed)
        client._chance.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)
            client._chance.setstate(chance)
