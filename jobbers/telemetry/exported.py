"""Metrics as OpenTelemetry wants them when they go out."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from jobbers.telemetry import names
from jobbers.telemetry.catalogue import UNITS
from jobbers.telemetry.histogram import Histogram
from jobbers.telemetry.metrics import Family, Labels

CUMULATIVE = AggregationTemporality.CUMULATIVE


def exported(
    families: Iterable[Family], resource: Resource, began_ns: int, before_ns: int, now_ns: int
) -> MetricsData | None:
    """One export; ``None`` when there is nothing. Exemplars are those since the export at ``before_ns``."""
    metrics = []
    for family in families:
        unit, text = UNITS[family.name]
        data: Sum | Gauge | HistogramData
        if family.kind == "histogram":
            points = [
                _histogram(labels, it, began_ns, before_ns, now_ns)
                for labels, it in family.series
                if isinstance(it, Histogram)
            ]
            data = HistogramData(points, CUMULATIVE)
        else:
            numbers = [
                NumberDataPoint(_all(labels), began_ns, now_ns, it)
                for labels, it in family.series
                if not isinstance(it, Histogram)
            ]
            data = Sum(numbers, CUMULATIVE, is_monotonic=True) if family.kind == "sum" else Gauge(numbers)
        metrics.append(Metric(family.name, text, unit, data))
    if not metrics:
        return None
    scope = ScopeMetrics(InstrumentationScope("jobbers"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _histogram(
    labels: Labels, it: Histogram, began_ns: int, before_ns: int, now_ns: int
) -> HistogramDataPoint:
    sample = it.sample
    exemplars = []
    if sample is not None and sample.time_ns > before_ns:
        exemplars = [Exemplar({}, sample.value, sample.time_ns, sample.span_id, sample.trace_id)]
    return HistogramDataPoint(
        _all(labels),
        began_ns,
        now_ns,
        it.count,
        it.total,
        list(it.buckets),
        it.bounds,
        it.low,
        it.high,
        exemplars,
    )


def _all(labels: Labels) -> dict[str, str | int]:
    found: dict[str, str | int] = dict(labels)
    if names.HTTP_METHOD not in found:
        return {names.SYSTEM: "jobbers", **found}
    status = found.get(names.HTTP_STATUS, "")
    return {**found, names.HTTP_STATUS: int(status)} if str(status).isdecimal() else found
