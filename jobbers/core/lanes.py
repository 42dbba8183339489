"""The order in which a worker looks at its lanes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
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


def claim_orders(queues: Sequence[str] | Mapping[str, int], *, strict: bool = False) -> list[list[Lane]]:
    """A cycle of lane orders, one for each successive claim.

    Higher priorities first; within one priority the queues take turns, in which those with weights come first in
    proportion to them; every tenth order runs from the lowest priority up. A ``strict`` order goes from queue to queue as
    they are given, through the priorities of each. Equal orders are one and the same list.
    """
    weights = queues if isinstance(queues, Mapping) else dict.fromkeys(queues, 1)
    if not weights:
        return [[]]
    names = list(weights)
    turns = names[:1] if strict else _turns(weights)
    made: dict[tuple[str, bool], list[Lane]] = {}
    orders: list[list[Lane]] = []
    period = math.lcm(LOW_FIRST_EVERY, len(turns))
    for turn in range(LOW_FIRST_EVERY * len(turns)):
        # Each period begins one turn later, so that it is not always the same queue whose low priorities come first.
        first = turns[(turn + turn // period) % len(turns)]
        low_first = turn % LOW_FIRST_EVERY == LOW_FIRST_EVERY - 1
        if (first, low_first) not in made:
            made[first, low_first] = _order(names, first, strict=strict, low_first=low_first)
        orders.append(made[first, low_first])
    return orders


def only(orders: Sequence[list[Lane]], used: Set[Lane]) -> list[list[Lane]]:
    """The same orders with only these lanes. Equal orders stay one list."""
    made: dict[int, list[Lane]] = {}
    for order in orders:
        if id(order) not in made:
            made[id(order)] = [lane for lane in order if lane in used]
    return [made[id(order)] for order in orders]


def _order(names: list[str], first: str, *, strict: bool, low_first: bool) -> list[Lane]:
    start = names.index(first)
    rotated = [*names[start:], *names[:start]]
    descending = range(HIGHEST_PRIORITY, LOWEST_PRIORITY - 1, -1)
    priorities = descending[::-1] if low_first else descending
    if strict:
        return [Lane(queue, priority) for queue in rotated for priority in priorities]
    return [Lane(queue, priority) for priority in priorities for queue in rotated]


def _turns(weights: Mapping[str, int]) -> list[str]:
    """Whose turn it is: each queue as often as its weight says, and as evenly spread as that allows."""
    common = math.gcd(*weights.values())
    shares = {queue: weight // common for queue, weight in weights.items()}
    total = sum(shares.values())
    credit = dict.fromkeys(shares, 0)
    turns = []
    for _ in range(total):
        for queue, share in shares.items():
            credit[queue] += share
        richest = max(credit, key=credit.__getitem__)
        credit[richest] -= total
        turns.append(richest)
    return turns
