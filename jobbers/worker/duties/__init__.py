"""Background duties, one file each. Any worker may do any of them; a guard per shard keeps it to one at a time."""

from __future__ import annotations

from typing import Protocol


class Duty(Protocol):
    """Something to be done for a shard again and again."""

    @property
    def interval(self) -> float:
        """Seconds between two ticks at most."""
        ...

    async def tick(self, shard: int) -> float:
        """Do it once, in small; returns in how many seconds it should be done again, at most :attr:`interval`."""
        ...
