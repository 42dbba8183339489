"""Our encoder of spans makes what the SDK's own makes, whatever is in them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from jobbers.telemetry import encoding
from jobbers.telemetry.identity import attempt_context, context_of

UPSTREAM = {"traceparent": "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"}
STATE = UPSTREAM | {"tracestate": "vendor=1,other=2"}


class Kept(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def made() -> list[ReadableSpan]:
    kept = Kept()
    provider = TracerProvider(ALWAYS_ON, Resource({"service.name": "s", "n": 1}), shutdown_on_exit=False)
    provider.add_span_processor(kept)
    ours, another = provider.get_tracer("jobbers"), provider.get_tracer("own", "1.2", "https://schema")
    attributes: dict[str, Any] = {
        "text": "x",
        "long": "ü" * 300,
        "empty": "",
        "yes": True,
        "no": False,
        "one": 1,
        "zero": 0,
        "less": -1,
        "much": 2**62,
        "float": 1.0,
        "tiny": -0.5,
    }
    ours.start_span("plain", attributes=attributes).end()
    ours.start_span("bare").end()
    ours.start_span("Grüße", context_of(UPSTREAM), SpanKind.CONSUMER, {"one": 1.0, "yes": 1}).end(2**62)
    ours.start_span("state", context_of(STATE)).end()
    parent = another.start_span("of another scope", kind=SpanKind.SERVER)
    another.start_span("child", set_span_in_context(parent), SpanKind.CLIENT, {"names": ["a", "b"]}).end()
    parent.end()
    links = [Link(attempt_context(1, "t", 1), {"why": "retry"})]
    ours.start_span("linked", kind=SpanKind.PRODUCER, links=links).end()
    failed = ours.start_span("failed")
    failed.record_exception(ValueError("no"))
    failed.set_status(Status(StatusCode.ERROR, "ValueError"))
    failed.end()
    well = ours.start_span("well")
    well.set_status(StatusCode.OK)
    well.end()
    ours.start_span("too many", attributes={f"a{number}": number for number in range(200)}).end()
    return kept.spans


def test_one_by_one_and_together() -> None:
    spans = made()
    assert len(spans) == 10
    for span in spans:
        assert encoding.encode([span]) == encode_spans([span]), span.name
        assert encoding.encode([span, span]) == encode_spans([span, span]), span.name
    in_order = sorted(spans, key=lambda span: str(span.instrumentation_scope))
    assert encoding.encode(in_order) == encode_spans(in_order)
    assert encoding.encode([]) == encode_spans([])


def test_ordinary_spans_do_not_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [span for span in made() if span.name in ("plain", "bare", "Grüße")]
    calls: list[int] = []

    def counted(them: Any) -> Any:
        calls.append(len(them))
        return encode_spans(them)

    monkeypatch.setattr(encoding, "encode_spans", counted)
    encoding.encode(spans * 10)
    assert calls == [1], "what is around them is made once"


def test_an_exporter_that_does_it_otherwise_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_exporter, "encode_spans", encode_spans)
    encoding.install(trace_exporter)
    assert vars(trace_exporter)["encode_spans"] is encoding.encode
    other = ModuleType("other")
    encoding.install(other)
    assert not hasattr(other, "encode_spans")
