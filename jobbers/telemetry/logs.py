"""Lines of the log through OTLP: a handler with a bounded queue, which the pipeline's thread empties."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from opentelemetry import context
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.types import AnyValue

from jobbers.core.text import cut
from jobbers.telemetry.attempts import attempt_here
from jobbers.telemetry.exceptions import told
from jobbers.telemetry.patience import Patience

log = logging.getLogger("jobbers.telemetry")

MOST_WAITING = 4096
"""Lines; beyond them the oldest are dropped."""
BATCH = 512
LONGEST_LINE = 16_000
"""Characters; what is longer is cut with a mark."""
OURS = ("opentelemetry", "urllib3", "jobbers.telemetry")
"""What these say comes of sending: sent as well it would never end."""
SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.NOTSET, SeverityNumber.DEBUG),
)


class Exporter(Protocol):
    """What takes lines to a receiver."""

    def export(self, batch: Sequence[ReadableLogRecord], /) -> object:
        """Send; the answer's name is ``SUCCESS`` if that went well."""
        ...


class LogLines(logging.Handler):
    """Goes on the root logger; what loggers let pass is sent."""

    def __init__(self, exporter: Exporter, resource: Resource, patience: Patience) -> None:
        super().__init__()
        self._exporter = exporter
        self._resource = resource
        self._patience = patience
        self._waiting: deque[ReadableLogRecord] = deque()
        self._scopes: dict[str, InstrumentationScope] = {}
        self._lost = 0
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """See logging. Called with the handler's lock held, on any thread."""
        if record.name.startswith(OURS):
            return
        try:
            line = self._line(record)
        except Exception:
            self.handleError(record)
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(line)

    def send(self) -> None:
        """Send what waits, as far as the receiver lets it. Of lines that were lost it is told once, until it goes on."""
        while self._waiting and self._patience.may_try():
            lines = self._take()
            result = self._exporter.export(lines)
            sent = getattr(result, "name", "") == "SUCCESS"
            self._patience.note(sent=sent)
            if not sent:
                self._lost += len(lines)
            elif not self._lost:
                self._told = False
        lost = self._lost
        if lost and not self._told:
            self._told = True
            log.warning(
                "%d lines of the log were not sent: the receiver does not take them as fast as they come (%d may wait)",
                lost,
                MOST_WAITING,
            )
        self._lost = 0

    def _take(self) -> list[ReadableLogRecord]:
        self.acquire()
        try:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        finally:
            self.release()

    def _line(self, record: logging.LogRecord) -> ReadableLogRecord:
        scope = self._scopes.get(record.name)
        if scope is None:
            scope = InstrumentationScope(record.name)
            if len(self._scopes) < MOST_WAITING:
                self._scopes[record.name] = scope
        attributes: dict[str, AnyValue] = dict(attempt_here())
        if record.exc_info and record.exc_info[1] is not None:
            attributes |= told(record.exc_info[1])
        line = LogRecord(
            timestamp=int(record.created * 1e9),
            observed_timestamp=time.time_ns(),
            context=context.get_current(),
            severity_text=record.levelname,
            severity_number=next(number for least, number in SEVERITIES if record.levelno >= least),
            body=cut(record.getMessage(), LONGEST_LINE),
            attributes=attributes,
        )
        return ReadableLogRecord(line, self._resource, scope)


def log_exporter(protocol: str) -> Exporter:
    """The OTLP exporter of lines, which reads its endpoint from the environment."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter

        return GrpcLogExporter()
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter()
