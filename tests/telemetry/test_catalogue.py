"""The tables of the documentation are complete."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import pytest

from jobbers.core.events import AttemptEnded, Event, Outcome
from jobbers.core.granularity import Kind
from jobbers.telemetry import names
from jobbers.telemetry.catalogue import UNITS
from jobbers.telemetry.histogram import BOUNDS, Histogram
from jobbers.telemetry.metrics import Metrics

TEXT = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_is_a_row_with_its_fields(kind: type) -> None:
    (row,) = [row for row in ROWS if f"`{kind.__name__}`" in row.split("|")[1]]
    fields = row.split("|")[-2].replace("`", " ").replace(";", " ").split()
    assert set(kind._fields) <= set(fields)  # type: ignore[attr-defined]


def test_every_metric_outcome_and_granularity_is_named() -> None:
    for name in (*UNITS, *Outcome):
        assert f"`{name}`" in TEXT, name
    for kind in set(Kind) - {Kind.RATIO, Kind.SLOW}:
        assert f'| `"{kind}"`' in TEXT, kind
    declared = {value for name, value in vars(names).items() if name.isupper() and value in UNITS}
    assert declared == UNITS.keys()


def test_percentiles() -> None:
    histogram = Histogram()
    assert histogram.percentile(0.5) == 0
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds / 1000)
    assert (histogram.count, histogram.low, histogram.high) == (1000, 0.001, 1.0)
    assert histogram.total == pytest.approx(500.5)
    for share in (0.5, 0.95, 0.99):
        assert histogram.percentile(share) == pytest.approx(share, rel=0.02)
    histogram.add(BOUNDS[-1] * 2)
    assert histogram.percentile(1.0) == BOUNDS[-1] * 2
    assert sum(histogram.buckets) == histogram.count


def test_a_metric_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobbers.telemetry.metrics.MOST_SERIES", 3)
    metrics = Metrics()
    for number in range(10):
        metrics.sent(f"q{number}", 0.1, None)
    series = metrics._histograms[names.OPERATION_DURATION]
    assert len(series) == 4
    other = ((names.OPERATION, "other"), (names.DESTINATION, "other"))
    assert series[other].count == 7


def test_end_to_end_counts_tasks_that_have_ended() -> None:
    metrics = Metrics()
    created = round(time.time() * 1000) - 90_000
    for outcome in (Outcome.RETRIED, Outcome.SNOOZED, Outcome.SUCCEEDED, Outcome.FAILED):
        metrics.ended(AttemptEnded("t", "work", "q", 1, "w", outcome, 0.5, None, created), None)
    found = {
        dict(labels)[names.TASK_OUTCOME]: it
        for labels, it in metrics._histograms[names.TASK_END_TO_END].items()
    }
    assert found.keys() == {"succeeded", "failed"}
    assert 89 < found["succeeded"].total < 150
