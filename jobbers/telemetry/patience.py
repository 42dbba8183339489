"""A receiver that is away or refuses: one warning, and pauses that grow. What comes meanwhile is dropped."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger("jobbers.telemetry")

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0
TALKATIVE = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
"""These loggers tell of every try; the last reason that they give is put into the one warning."""
TALKATIVE_OF_LINES = ("opentelemetry.exporter.otlp.proto.http._log_exporter",)

_SECRET = re.compile(r"(//)[^/\s@]+(?=@)|(?<=[\w/])(\?)[^\s'\")]+")
"""What of a receiver's URL may be a key: who logs in, and all behind the question mark."""


class Patience(logging.Filter):
    """Shared by all that is sent to one receiver; used on several threads."""

    def __init__(self, what: str = "telemetry", talkative: Sequence[str] = TALKATIVE) -> None:
        super().__init__()
        self._what = what
        self._lock = threading.Lock()
        self._pause = 0.0
        self._until = 0.0
        self._reason = ""
        for name in talkative:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps what the exporters say, instead of letting it pass."""
        self._reason = _SECRET.sub(lambda it: f"{it[1] or it[2]}…", record.getMessage())[:300]
        return False

    def may_try(self) -> bool:
        """Whether it is time to send something."""
        with self._lock:
            return time.monotonic() >= self._until

    def note(self, *, sent: bool) -> None:
        """Something was sent, or was not."""
        with self._lock:
            before, self._pause = (
                self._pause,
                0.0 if sent else min(max(FIRST_SECONDS, self._pause * 2), LONGEST_SECONDS),
            )
            self._until = time.monotonic() + self._pause
        if not sent and not before:
            log.warning(
                "%s cannot be sent, and tasks go on without: %s",
                self._what,
                self._reason or "no reason was given",
            )
        elif sent and before:
            log.info("%s is sent again", self._what)


class PatientExporter(SpanExporter):
    """Sends spans through another exporter, as far as its receiver lets it."""

    def __init__(self, exporter: SpanExporter, patience: Patience) -> None:
        self._exporter = exporter
        self._patience = patience

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See the SDK."""
        if not self._patience.may_try():
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        self._patience.note(sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """See the SDK."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See the SDK."""
        return self._exporter.force_flush(timeout_millis)
