"""Whether a running task is healthy: *running*, *slow* or *stalled*."""

from __future__ import annotations

from typing import Literal

Liveness = Literal["running", "slow", "stalled"]


def liveness(now: int, *, lease_end: int | None, beat_due: int | None, slow_at: int | None) -> Liveness:
    """Judge a running task from its record; all times are ms of the server's clock, ``None`` where unset.

    *Stalled*: its worker let the lease run out, or it promised heartbeats and one is overdue. *Slow*: it is alive, but
    has run longer than its type calls normal. *Running*: neither.
    """
    if lease_end is not None and lease_end < now:
        return "stalled"
    if beat_due is not None and beat_due < now:
        return "stalled"
    if slow_at is not None and slow_at < now:
        return "slow"
    return "running"
