"""Lines of the log: with the task that they were written in, as text or as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from jobbers.context import running_task
from jobbers.core.trace_context import TRACEPARENT, where

TASK_FIELDS = ("task", "type", "attempt", "queue", "trace_id", "span_id")


class TaskIds(logging.Filter):
    """Notes on each record which task it was written in: also what the task's own code and its threads write."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass."""
        task = running_task.get()
        if task is not None:
            record.jobbers = {
                "task": task.id,
                "type": task.type,
                "attempt": task.attempt,
                "queue": task.queue,
                **where(task.headers.get(TRACEPARENT)),
            }
        return True


class TextFormatter(logging.Formatter):
    """One line for people; the task, if there is one, behind the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """See logging."""
        line = super().formatMessage(record)
        task = getattr(record, "jobbers", None)
        if task is None:
            return line
        ids = "".join(
            f" {name.removesuffix('_id')} {task[name]}" for name in ("trace_id", "span_id") if name in task
        )
        return f"{line} [{task['type']} {task['task']} attempt {task['attempt']}{ids}]"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for programs; ``time`` is ISO 8601 in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "jobbers", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
