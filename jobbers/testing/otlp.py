"""A receiver of OpenTelemetry's protocol on loopback, over HTTP (protobuf) and gRPC, that keeps what it is sent.

Give its endpoint to a program as ``OTEL_EXPORTER_OTLP_ENDPOINT`` and look at what came: :attr:`Receiver.spans`,
:attr:`Receiver.points` and :attr:`Receiver.lines`. For tests; it keeps everything.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it arrived. Ids are hexadecimal, times in ns; ``links`` are pairs of a trace and a span."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, Mapping[str, Any]], ...]
    is_error: bool
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a metric as it arrived: of a sum or gauge its value, of a histogram its count and sum. ``exemplars`` are
    the ids of spans."""

    metric: str
    attributes: Mapping[str, Any]
    value: float
    count: int
    exemplars: tuple[str, ...]
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log as it arrived. Ids are hexadecimal, and empty where there are none."""

    logger: str
    severity: str
    body: str
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


class Receiver:
    """Listens from its making until :meth:`close`; also a context manager. Set :attr:`refuses` to a status of HTTP, and
    :attr:`pause` to seconds, to see what becomes of a program whose receiver is like that (over HTTP)."""

    def __init__(self) -> None:
        self.refuses: int | None = None
        self.takes_logs = True
        """Whether there is a path for logs; many receivers of traces have none."""
        self.pause = 0.0
        self.asked = 0
        """How many requests came over HTTP."""
        self.spans: list[Span] = []
        self.points: list[Point] = []
        self.lines: list[Line] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._grpc = grpc.server(ThreadPoolExecutor(2, "otlp-grpc"))
        self._grpc.add_generic_rpc_handlers(_methods(self))
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="otlp-http", daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """For the protocol ``http/protobuf``."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def grpc_endpoint(self) -> str:
        """For the protocol ``grpc``."""
        return f"http://127.0.0.1:{self._grpc_port}"

    def environment(self, protocol: str = "http/protobuf", **more: str) -> dict[str, str]:
        """Variables that make a program send here, soon after the fact."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.grpc_endpoint if protocol == "grpc" else self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            **more,
        }

    def named(self, name: str, **attributes: Any) -> list[Span]:
        """The spans of a name with these attributes (``__`` stands for a dot)."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        return [
            span
            for span in list(self.spans)
            if span.name == name and wanted.items() <= dict(span.attributes).items()
        ]

    def latest(self, metric: str, **attributes: Any) -> Point | None:
        """The newest point of a metric with these attributes (``__`` stands for a dot)."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        for point in reversed(list(self.points)):
            if point.metric == metric and wanted.items() <= dict(point.attributes).items():
                return point
        return None

    def wait(self, holds: Callable[[Receiver], Any], what: str, seconds: float = 40.0) -> None:
        """Block until ``holds(receiver)``. Raises :class:`AssertionError` with ``what``."""
        end = time.monotonic() + seconds
        while not holds(self):
            if time.monotonic() > end:
                names = sorted({span.name for span in self.spans} | {point.metric for point in self.points})
                raise AssertionError(f"after {seconds:g} seconds still not: {what}; there are {names}")
            time.sleep(LOOK_SECONDS)

    def take_traces(self, body: bytes) -> bytes:
        """Keep an encoded export request; returns the encoded answer. Raises when it is none."""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(group.resource.attributes)
            self.spans += [_span(it, resource) for scope in group.scope_spans for it in scope.spans]
        return bytes(ExportTraceServiceResponse().SerializeToString())

    def take_metrics(self, body: bytes) -> bytes:
        """Like :meth:`take_traces`."""
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            resource = _attributes(group.resource.attributes)
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    self.points += _points(metric, resource)
        return bytes(ExportMetricsServiceResponse().SerializeToString())

    def take_logs(self, body: bytes) -> bytes:
        """Like :meth:`take_traces`."""
        for group in ExportLogsServiceRequest.FromString(body).resource_logs:
            resource = _attributes(group.resource.attributes)
            self.lines += [
                Line(
                    scope.scope.name,
                    it.severity_text,
                    _value(it.body),
                    it.trace_id.hex(),
                    it.span_id.hex(),
                    _attributes(it.attributes),
                    resource,
                )
                for scope in group.scope_logs
                for it in scope.log_records
            ]
        return bytes(ExportLogsServiceResponse().SerializeToString())

    def close(self) -> None:
        """Listen no more."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)
        self._grpc.stop(0).wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.asked += 1
            time.sleep(receiver.pause)
            take = {
                "/v1/traces": receiver.take_traces,
                "/v1/metrics": receiver.take_metrics,
                "/v1/logs": receiver.take_logs,
            }.get(self.path)
            try:
                if self.path == "/v1/logs" and not receiver.takes_logs:
                    take = None
                if receiver.refuses is not None:
                    status, answer = receiver.refuses, b""
                else:
                    status, answer = (404, b"") if take is None else (200, take(body))
            except Exception:
                status, answer = 400, b""
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


def _methods(receiver: Receiver) -> list[Any]:
    """All services of the protocol, on bytes."""

    def service(signal: str, take: Callable[[bytes], bytes]) -> Any:
        name = f"opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service"
        export = grpc.unary_unary_rpc_method_handler(lambda body, _: take(body))
        return grpc.method_handlers_generic_handler(name, {"Export": export})

    takes = {"Trace": receiver.take_traces, "Metrics": receiver.take_metrics, "Logs": receiver.take_logs}
    return [service(signal, take) for signal, take in takes.items()]


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _span(it: Any, resource: Mapping[str, Any]) -> Span:
    return Span(
        it.name,
        it.SpanKind.Name(it.kind).removeprefix("SPAN_KIND_").lower(),
        it.trace_id.hex(),
        it.span_id.hex(),
        it.parent_span_id.hex(),
        it.start_time_unix_nano,
        it.end_time_unix_nano,
        _attributes(it.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in it.links),
        tuple((event.name, _attributes(event.attributes)) for event in it.events),
        it.status.code == it.status.STATUS_CODE_ERROR,
        resource,
    )


def _points(metric: Any, resource: Mapping[str, Any]) -> list[Point]:
    kind = metric.WhichOneof("data")
    found = []
    for point in getattr(metric, kind).data_points:
        exemplars = tuple(exemplar.span_id.hex() for exemplar in point.exemplars)
        if kind == "histogram":
            value, count = point.sum, point.count
        else:
            value, count = getattr(point, point.WhichOneof("value")), 1
        found.append(Point(metric.name, _attributes(point.attributes), value, count, exemplars, resource))
    return found
