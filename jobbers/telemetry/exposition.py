"""Metrics as Prometheus asks for them: its text format 0.0.4, or OpenMetrics 1.0 with exemplars that lead to traces."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jobbers.telemetry.catalogue import UNITS
from jobbers.telemetry.histogram import Histogram, Sample
from jobbers.telemetry.metrics import Family, Labels

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
END = "# EOF\n"
"""What ends an exposition in OpenMetrics."""
_SUFFIXES = {"s": "_seconds", "By": "_bytes"}


def wants_openmetrics(accept: str) -> bool:
    """Whether who sends this header ``Accept`` takes OpenMetrics 1.0, and would not rather have the older text."""
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        version = next((word[8:].strip('"') for word in parameters if word.startswith("version=")), "1.0.0")
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        if kind in best and re.fullmatch(r"[01](\.\d{0,3})?", quality):
            if kind != "text/plain" and version not in ("1.0.0", "0.0.1"):
                continue
            best[kind] = max(best[kind], float(quality))
    return (
        best["application/openmetrics-text"] > 0
        and best["application/openmetrics-text"] >= best["text/plain"]
    )


def exposition(families: Iterable[Family], *, openmetrics: bool) -> str:
    """The lines of these metrics, without an end."""
    return "".join(line + "\n" for family in families for line in _lines(family, openmetrics))


def _lines(family: Family, openmetrics: bool) -> Iterable[str]:
    unit, text = UNITS[family.name]
    suffix = _SUFFIXES.get(unit, "")
    name = family.name.replace(".", "_") + suffix
    kind = {"sum": "counter"}.get(family.kind, family.kind)
    counted = f"{name}_total" if kind == "counter" else name
    headed = name if openmetrics else counted
    yield f"# HELP {headed} {text}"
    yield f"# TYPE {headed} {kind}"
    if openmetrics and suffix:
        yield f"# UNIT {headed} {suffix[1:]}"
    for labels, value in family.series:
        if isinstance(value, Histogram):
            yield from _histogram(name, labels, value, openmetrics)
        else:
            yield f"{counted}{_labels(labels)} {value:.15g}"


def _histogram(name: str, labels: Labels, it: Histogram, openmetrics: bool) -> Iterable[str]:
    sample = it.sample if openmetrics else None
    below, seen = float("-inf"), 0
    for bound, number in zip((*it.bounds, float("inf")), it.buckets, strict=True):
        seen += number
        text = "+Inf" if bound == float("inf") else repr(bound)
        here = sample is not None and below < sample.value <= bound
        exemplar = _exemplar(sample) if here and sample is not None else ""
        yield f"{name}_bucket{_labels((*labels, ('le', text)))} {seen}{exemplar}"
        below = bound
    yield f"{name}_sum{_labels(labels)} {it.total:.15g}"
    yield f"{name}_count{_labels(labels)} {it.count}"


def _exemplar(sample: Sample) -> str:
    where = f'{{trace_id="{sample.trace_id:032x}",span_id="{sample.span_id:016x}"}}'
    return f" # {where} {sample.value:.15g} {sample.time_ns / 1e9:.3f}"


def _labels(labels: Labels) -> str:
    pairs = ",".join(f'{name.replace(".", "_")}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
