"""How much more a worker may take on."""

from __future__ import annotations

import asyncio


class Slots:
    """Counts free places; used from one event loop only."""

    __slots__ = ("_freed", "free", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.free = total
        self._freed = asyncio.Event()
        self._freed.set()

    def take(self, count: int) -> None:
        """Occupy places that are free."""
        self.free -= count
        if self.free <= 0:
            self._freed.clear()

    def give(self, count: int) -> None:
        """Free places."""
        self.free += count
        if count and not self._freed.is_set():
            self._freed.set()

    async def some(self) -> int:
        """Wait until places are free; returns how many."""
        while self.free <= 0:
            await self._freed.wait()
        return self.free
