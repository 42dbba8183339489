"""The providers and exporters of this process, made once, and the thread that sends metrics and aggregated spans."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Tracer

from jobbers.core.events import AttemptEnded, AttemptStarted, Dispatcher, Event, LoopBlocked, TaskReclaimed
from jobbers.core.granularity import Granularity
from jobbers.core.trace_context import tell_where
from jobbers.errors import ConfigError
from jobbers.telemetry.attempts import Attempts
from jobbers.telemetry.counting import Handlers, handlers
from jobbers.telemetry.encoding import install
from jobbers.telemetry.exported import exported
from jobbers.telemetry.identity import ForetoldIds, ids_here, recorded
from jobbers.telemetry.inbound import InboundSpans
from jobbers.telemetry.logs import LogLines, log_exporter
from jobbers.telemetry.metrics import Metrics
from jobbers.telemetry.outbound import OutboundSpans
from jobbers.telemetry.patience import TALKATIVE_OF_LINES, Patience, PatientExporter
from jobbers.telemetry.ports import Configuration
from jobbers.telemetry.windows import Windows

log = logging.getLogger("jobbers.telemetry")

TICK_SECONDS = 1.0
EXIT_SECONDS = 3.0
"""How long the end of a process waits for a receiver; what is not sent by then is lost."""

_shared: Pipeline | None = None
_making = threading.Lock()


class Pipeline:
    """What all apps of a process send through."""

    def __init__(
        self,
        provider: TracerProvider,
        metric_exporter: MetricExporter,
        interval: float,
        ids: ForetoldIds | None,
        patience: Patience,
    ) -> None:
        self._provider = provider
        self._patience = patience
        self._ids = ids
        self._exporter = metric_exporter
        self._interval = interval
        self._sending = threading.Lock()
        self._sent_ns = 0
        self._stop = threading.Event()
        self.tracer: Tracer = provider.get_tracer("jobbers")
        self.windows = Windows(self.tracer)
        self.metrics = Metrics()
        self._lines: LogLines | None = None
        self._thread = threading.Thread(target=self._run, name="jobbers-telemetry", daemon=True)
        self._thread.start()

    def listen(
        self, configuration: Configuration, events: Dispatcher, granularity_of: Callable[[str], Granularity]
    ) -> Listener:
        """Turn one app's events into spans and metrics."""
        return Listener(
            self, configuration, events, Attempts(self.tracer, self._ids, self.windows, granularity_of)
        )

    def send_logs(self, configuration: Configuration) -> None:
        """Send what is logged from now on, if there is a receiver for that."""
        if self._lines is not None or not configuration.logs:
            return
        if (
            not logging.getLogger().handlers
        ):  # else Python's own way to show warnings would end, and basicConfig do nothing
            return
        patience = Patience("the log", TALKATIVE_OF_LINES)
        self._lines = LogLines(log_exporter(configuration.protocol), self._provider.resource, patience)
        logging.getLogger().addHandler(self._lines)

    def flush(self, seconds: float) -> None:
        """Send what is there, for so long at most; it goes on in the background if that was too short."""
        sender = threading.Thread(target=self._send_all, name="jobbers-telemetry-flush", daemon=True)
        sender.start()
        sender.join(seconds)

    def close(self, seconds: float) -> None:
        """End, after a last flush."""
        self._stop.set()
        self.flush(seconds)

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while not self._stop.wait(TICK_SECONDS):
            try:
                self.windows.flush()
                if time.monotonic() >= due:
                    due = time.monotonic() + self._interval
                    self._send_metrics()
                self._send_lines()
            except Exception:
                log.exception("telemetry could not be sent")

    def _send_metrics(self) -> None:
        with self._sending:
            now = time.time_ns()
            resource, began = self._provider.resource, self.metrics.began_ns
            data = exported(self.metrics.families(), resource, began, self._sent_ns, now)
            self._sent_ns = now
            if data is not None and self._patience.may_try():
                self._patience.note(sent=self._exporter.export(data) is MetricExportResult.SUCCESS)

    def _send_lines(self) -> None:
        if self._lines is not None:
            with self._sending:
                self._lines.send()

    def _send_all(self) -> None:
        try:
            self.windows.flush(now=True)
            self._provider.force_flush()
            self._send_metrics()
            self._send_lines()
        except Exception:
            log.exception("telemetry could not be sent")


class Listener:
    """One app's telemetry; see :class:`jobbers.telemetry.ports.Telemetry`."""

    def __init__(
        self, pipeline: Pipeline, configuration: Configuration, events: Dispatcher, attempts: Attempts
    ) -> None:
        self._pipeline = pipeline
        self._configuration = configuration
        self._attempts = attempts
        self.outbound = OutboundSpans(pipeline.tracer, pipeline.metrics.sent)
        self.inbound = InboundSpans(pipeline.tracer)
        self.metrics = metrics = pipeline.metrics
        self._handlers: Handlers = {
            **handlers(metrics),
            AttemptStarted: self._started,
            AttemptEnded: self._ended,
            LoopBlocked: self._blocked,
            TaskReclaimed: self._reclaimed,
        }
        self.stop = events.subscribe(self._heard)

    def flush(self, seconds: float) -> None:
        """See the port."""
        self._pipeline.flush(seconds)

    def send_logs(self) -> None:
        """See the port."""
        self._pipeline.send_logs(self._configuration)

    def _heard(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _started(self, event: AttemptStarted) -> None:
        self._pipeline.metrics.started(event)
        self._attempts.started(event)

    def _ended(self, event: AttemptEnded) -> None:
        self._pipeline.metrics.ended(event, recorded(self._attempts.ended(event)))

    def _reclaimed(self, event: TaskReclaimed) -> None:
        self._pipeline.metrics.reclaimed(event)
        self._attempts.reclaimed(event)

    def _blocked(self, event: LoopBlocked) -> None:
        self._pipeline.metrics.blocked(event)
        self._attempts.blocked(event)


def shared(configuration: Configuration) -> Pipeline:
    """The pipeline of this process, made when first asked for. Raises :class:`ConfigError` for an unknown protocol."""
    global _shared  # noqa: PLW0603 - as the SDK's own provider, there is one for a process
    with _making:
        if _shared is None:
            spans, metrics = _exporters(configuration.protocol)
            patience = Patience()
            tell_where(ids_here)
            provider, ids = _provider(configuration.service, PatientExporter(spans, patience))
            _shared = Pipeline(provider, metrics, configuration.interval, ids, patience)
            atexit.register(_shared.close, EXIT_SECONDS)
        return _shared


def _provider(service: str, exporter: SpanExporter) -> tuple[TracerProvider, ForetoldIds | None]:
    """The program's own provider if it has made one, else ours, which then serves the program's own spans, too."""
    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        return present, None
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    ids = ForetoldIds()
    # Its own end would wait for half a minute for a receiver that is away: ours is bounded.
    provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider, ids


def _exporters(protocol: str) -> tuple[SpanExporter, MetricExporter]:
    """The OTLP exporters, which read their endpoints and headers from the environment by themselves."""
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        install(over_http)
        return OTLPSpanExporter(), OTLPMetricExporter()
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
            OTLPMetricExporter as GrpcMetricExporter,
        )
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter

        install(over_grpc)
        return GrpcSpanExporter(), GrpcMetricExporter()
    raise ConfigError(
        f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol[:50]!r}: it must be 'http/protobuf' (port 4318) or 'grpc' (port 4317)"
    )
