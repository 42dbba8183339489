"""The order in which a worker looks at its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobbers.core.policy import HIGHEST_PRIORITY, LOWEST_PRIORITY

LOW_FIRST_EVERY = 10
"""One claim in ten starts at the lowest priority, so that no priority starves."""


class Lane(NamedTuple):
    """A queue at one priority; written ``queue:priority``."""

    queue: str
    priority: int

    def __str__(self) -> str:
        return f"{self.queue}:{self.priority}"


def parse_lane(text: str) -> Lane:
    """The lane that ``str()`` of a lane wrote."""
    queue, _, priority = text.rpartition(":")
    return Lane(queue, int(priority))


def claim_orders(queues: Sequence[str]) -> list[list[Lane]]:
    """A cycle of lane orders, one for each successive claim.

    Higher priorities first; within one priority the queues take turns; every tenth order runs from the lowest
    priority up.
    """
    if not queues:
        return [[]]
    rounds = LOW_FIRST_EVERY * len(queues)
    orders: list[list[Lane]] = []
    for turn in range(rounds):
        start = turn % len(queues)
        rotated = [*queues[start:], *queues[:start]]
        descending = range(HIGHEST_PRIORITY, LOWEST_PRIORITY - 1, -1)
        priorities = reversed(descending) if turn % LOW_FIRST_EVERY == LOW_FIRST_EVERY - 1 else descending
        orders.append([Lane(queue, priority) for priority in priorities for queue in rotated])
    return orders
