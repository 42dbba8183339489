"""How unevenly tasks lie over queues and shards."""

from __future__ import annotations

from jobbers.core.events import SpreadMeasured
from jobbers.core.tallies import Tallies
from jobbers.worker.duties.measure import spreads


def shard(**ended: int) -> Tallies:
    """Tasks of type ``t`` that ended in these queues; as many were retried, which is no end."""
    tallies = Tallies()
    for queue, number in ended.items():
        tallies.read(
            [(f"{queue}|t|{word}".encode(), str(number).encode()) for word in ("succeeded", "retried")]
        )
    return tallies


def test_even_and_uneven() -> None:
    of = {"t": ("a", "b", "c", "d")}
    assert spreads([shard(a=5, b=5, c=5, d=5)], of) == [SpreadMeasured("queues", "t", 4, 1.0)]
    assert spreads([shard(a=30, b=10)], of) == [SpreadMeasured("queues", "t", 4, 3.0)]
    assert spreads([shard(a=30), shard(b=10)], of) == [
        SpreadMeasured("shards", "", 2, 1.5),
        SpreadMeasured("queues", "t", 4, 3.0),
    ]


def test_what_lies_in_one_place_or_has_not_ended_is_not_told() -> None:
    assert spreads([shard(a=30)], {"t": ("a",)}) == []
    assert spreads([shard(a=30)], {"other": ("a", "b")}) == []
    assert spreads([shard(), shard()], {"t": ("a", "b")}) == []
