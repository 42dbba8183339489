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

    def take(self, count: int) -> int:
        """Occupy up to ``count`` of the places that are free; returns how many."""
        taken = min(count, self.free)
        self.free -= taken
        if not self.free:
            self._freed.clear()
        return taken

    def give(self, count: int) -> None:
        """Free places."""
        self.free += count
        if self.free:
            self._freed.set()

    async def some(self) -> None:
        """Wait until a place is free. It may be taken by another before the caller takes it."""
        await self._freed.wait()
