"""Makes those wait who come with a wrong key, and nobody else."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from jobbers.api.errors import ApiError

FIRST = 0.05
LONGEST = 2.0
"""Seconds until a wrong key is answered: doubled with each from the same address."""
FORGET = 60.0
MOST_ADDRESSES = 1_000
MOST_WAITING = 100


class Slowdown:
    """Delays the answers to failed logins, by address. Who has a right key is never delayed, so nobody can lock others out;
    and since at most 100 wait at a time, nobody can fill the memory with those who wait."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def failure(self, address: str) -> None:
        """Wait as long as this failure costs. Raises :class:`ApiError` 429 when too many wait already."""
        now = time.monotonic()
        count, last = self._failed.pop(address, (0, now))
        count = 1 if now - last > FORGET else count + 1
        self._failed[address] = (count, now)
        if len(self._failed) > MOST_ADDRESSES:
            self._failed.popitem(last=False)
        if self._waiting >= MOST_WAITING:
            raise ApiError(
                429, "too_many_failures", "too many wrong keys: try again later", headers={"Retry-After": "2"}
            )
        self._waiting += 1
        try:
            await asyncio.sleep(min(LONGEST, FIRST * 2 ** min(count - 1, 10)))
        finally:
            self._waiting -= 1

    def success(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failed.pop(address, None)
