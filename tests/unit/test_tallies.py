"""The fields of a minute's counters, and percentiles out of buckets."""

from __future__ import annotations

import math

import pytest

from jobbers.core.tallies import LARGEST_BUCKET, Ran, Tallies, bounds, combined


def read(**fields: int) -> Tallies:
    tallies = Tallies()
    tallies.read((name.encode(), str(number).encode()) for name, number in fields.items())
    return tallies


def test_every_field_finds_its_place() -> None:
    tallies = read(
        **{
            "mail|send|succeeded": 7,
            "mail|send|retried": 2,
            "mail|bulk|failed": 1,
            "mail|send|ran|ms": 900,
            "mail|send|ran|0": 4,
            "mail|send|ran|17": 5,
            "mail|send|timeout|retried": 2,
            "mail|send|silent|failed": 3,
            "|worker-1|timeout|retried": 2,
            "mail||ready|n": 12,
        }
    )
    mail = tallies.by_queue()["mail"]
    assert mail.outcomes == {"succeeded": 7, "retried": 2, "failed": 1}
    assert mail.ended == 8
    assert (mail.early("timeout"), mail.early("silent")) == ({"retried": 2}, {"failed": 3})
    assert (mail.ran.count, mail.ran.mean) == (9, 0.1)
    assert tallies.by_type()["bulk"].outcomes == {"failed": 1}
    assert tallies.workers["worker-1"].early("timeout") == {"retried": 2}
    assert (tallies.ready["mail"], tallies.sampled) == (12, True)
    both = combined({1: tallies, 2: read(**{"mail|send|succeeded": 1})})
    assert both.by_queue()["mail"].outcomes["succeeded"] == 8


@pytest.mark.parametrize(
    "field",
    [
        "",
        "|",
        "||",
        "|||",
        "a|b",
        "a|b|c|d|e",
        f"a|b|ran|{LARGEST_BUCKET + 1}",
        "a|b|ran|²",
        "a|b|ran|",
        "a|b|ran|00001",
        "a||c",
    ],
)
def test_other_fields_are_passed_over(field: str) -> None:
    tallies = read(**{field: 3})
    assert not any(it.outcomes or it.ran.count or it.ended_early for it in tallies.types.values())
    assert (tallies.workers, tallies.ready, tallies.sampled) == ({}, {}, False)


def test_values_that_are_no_counts_are_passed_over() -> None:
    tallies = Tallies()
    tallies.read([(b"a|b|c", b"x"), (b"a|b|d", b"9" * 30), (b"\xff|b|c", b"-1")])
    assert tallies.types == {}


def test_percentiles_lie_in_their_buckets() -> None:
    assert Ran().percentile(0.5) is None
    assert Ran().mean is None
    ran = Ran()
    for milliseconds in range(1, 1001):
        ran.total_ms += milliseconds
        ran.buckets[math.ceil(2 * math.log2(milliseconds) - 1e-6)] += 1
    assert ran.mean == pytest.approx(0.5005)
    for share in (0.1, 0.5, 0.9):
        assert ran.percentile(share) == pytest.approx(share, rel=0.1)
    assert ran.percentile(1.0) == bounds(20)[1] >= 1.0
