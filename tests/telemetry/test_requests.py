"""Server spans: which requests get one, and what is submitted for them."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, get_current_span

from jobbers.core.granularity import BUSY_PER_SECOND, Granularity, parse_granularity
from jobbers.telemetry.inbound import InboundSpans
from jobbers.telemetry.outbound import OutboundSpans

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
LEFT_OUT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}
ALWAYS = parse_granularity("always")


class Traced:
    """The two ends of a request: it comes, and it submits."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._inbound = InboundSpans(provider.get_tracer("test"))
        self._outbound = OutboundSpans(provider.get_tracer("test"), lambda *_: None)

    def request(
        self,
        method: str,
        headers: dict[str, str] | None = None,
        status: int = 200,
        submits: Granularity | None = None,
    ) -> str | None:
        """Answer a request; returns the ``traceparent`` of what it submits."""
        given = headers or {}
        receiving = self._inbound.begin(method, "", given)
        assert receiving is not None
        passed_on = None
        if submits is not None:
            sending = self._outbound.begin("work", "q", submits, self._inbound.passed_on(given), 1)
            sending.sent("t")
            passed_on = (sending.headers or {}).get("traceparent")
        receiving.answered("http", "/api/v1/tasks", status, 0.001)
        receiving.leave()
        assert not get_current_span().get_span_context().is_valid
        return passed_on

    def made(self) -> list[ReadableSpan]:
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found


@pytest.fixture
def traced() -> Traced:
    return Traced()


def test_a_submission_is_inside_of_its_request_and_that_inside_of_its_caller(traced: Traced) -> None:
    passed_on = traced.request("POST", SAMPLED, 201, ALWAYS)
    sent, request = traced.made()
    assert request.name == "POST /api/v1/tasks"
    assert request.kind is SpanKind.SERVER
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/tasks",
        "url.scheme": "http",
        "http.response.status_code": 201,
    }
    assert request.context is not None
    assert sent.parent is not None
    assert request.parent is not None
    assert (request.context.trace_id, request.parent.span_id) == (int(TRACE, 16), 0xB7AD6B7169203331)
    assert (sent.parent.trace_id, sent.parent.span_id) == (request.context.trace_id, request.context.span_id)
    assert sent.context is not None
    assert passed_on == f"00-{TRACE}-{sent.context.span_id:016x}-01"


def test_reads_have_a_span_only_in_a_trace_or_when_they_fail(traced: Traced) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        traced.request(method)
        assert traced.made() == []
    traced.request("GET", SAMPLED)
    assert len(traced.made()) == 1
    traced.request("GET", status=404)
    assert traced.made() == []
    traced.request("GET", status=503)
    (failed,) = traced.made()
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "503"
    assert not failed.status.is_ok


def test_what_is_not_sampled_has_no_span_and_passes_that_on(traced: Traced) -> None:
    assert traced.request("POST", LEFT_OUT, 500, parse_granularity("batch")) == LEFT_OUT["traceparent"]
    assert traced.made() == []


def test_many_short_requests_have_few_spans(traced: Traced) -> None:
    for _ in range(BUSY_PER_SECOND * 10):
        traced.request("POST")
    # two windows of a second may meet here, on a slow machine more
    assert len(traced.made()) < BUSY_PER_SECOND * 10


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_ratio_is_decided_where_the_request_begins_the_trace(traced: Traced, ratio: float) -> None:
    passed_on = traced.request("POST", None, 201, parse_granularity(ratio))
    made = traced.made()
    assert [span.name for span in made] == ["send q"] * int(ratio) + ["POST /api/v1/tasks"]
    assert made[-1].context is not None
    assert passed_on is not None
    _, trace, _, flags = passed_on.split("-")
    assert trace == f"{made[-1].context.trace_id:032x}"
    assert int(flags, 16) & 1 == ratio


def test_a_ratio_follows_the_callers_trace(traced: Traced) -> None:
    passed_on = traced.request("POST", SAMPLED, 201, parse_granularity(0.0))
    assert [span.name for span in traced.made()] == ["send q", "POST /api/v1/tasks"]
    assert passed_on is not None
    assert passed_on.endswith("-01")
