"""How much more a worker may take on."""

from __future__ import annotations

import asyncio


class Slots:
    """Counts free places; used from one event loop only. After they have become fewer, ``free`` may be below zero."""

    __slots__ = ("_freed", "free", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.free = total
        self._freed = asyncio.Event()
        self._freed.set()

    def take(self, count: int) -> int:
        """Occupy up to ``count`` of the places that are free; returns how many."""
        taken = max(0, min(count, self.free))
        self.free -= taken
        if self.free <= 0:
            self._freed.clear()
        return taken

    def give(self, count: int) -> None:
        """Free places."""
        self.free += count
        if self.free > 0:
            self._freed.set()

    def resize(self, total: int) -> None:
        """Have more places or fewer; nothing that has taken one loses it."""
        self.free += total - self.total
        self.total = total
        if self.free > 0:
            self._freed.set()
        else:
            self._freed.clear()

    async def some(self) -> None:
        """Wait until a place is free. It may be taken by another before the caller takes it."""
        await self._freed.wait()
