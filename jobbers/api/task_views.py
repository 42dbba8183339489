"""What callers get to see of tasks."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobbers.api.values import to_json_list, to_json_object
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.core.trace_context import TRACEPARENT

_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-")
_ID = Field(examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])


class View(BaseModel):
    """Base of all that is answered; made from what it shows."""

    model_config = ConfigDict(from_attributes=True, ser_json_inf_nan="null")


class Submitted(View):
    """What became of a submission."""

    id: str = _ID
    status: Status | None = Field(description="`null`: the task has ended, and its record has expired.")
    created: bool = Field(
        description="False when there was a task already: with this id; or another that stands for it, whose id "
        "is given: the holder of its unique key, or the one that it was debounced or throttled with."
    )


class SubmittedBatch(View):
    """What became of each submission, in order."""

    tasks: list[Submitted]


class StatusView(View):
    """Where a task stands."""

    id: str = _ID
    status: Status


class ResultView(View):
    """What a task returned."""

    id: str = _ID
    status: Literal[Status.SUCCEEDED]
    result: Any = Field(description='What the function returned. Bytes are `{"$base64": "…"}`.')


class Cancelled(View):
    """What became of a cancellation."""

    id: str = _ID
    cancelled: bool = Field(description="False when the task had ended before.")


class ErrorSummary(View):
    """How the last attempt went wrong."""

    attempt: int
    type: str = Field(examples=["ValueError"])
    message: str


class AttemptErrorView(ErrorSummary):
    """How one attempt went wrong. The times are of the worker's clock."""

    traceback: str
    worker: str
    started: datetime
    ended: datetime


class TaskSummary(View):
    """A task in a list. Times are of the task server's clock."""

    id: str = _ID
    type: str
    status: Status
    queue: str
    priority: int
    created: datetime
    due: datetime | None
    deadline: datetime | None = Field(description="The latest start.")
    started: datetime | None
    finished: datetime | None
    attempt: int = Field(description="How many executions have begun.")
    crashes: int = Field(description="How many of them ended with their worker.")
    snoozes: int = Field(description="How often it was put back without using an attempt.")
    reason: str | None = Field(description="Why it stands where it stands.")
    worker: str | None
    step: str | None
    progress: float | None = Field(description="From 0 to 1.")
    heartbeat: datetime | None
    liveness: str | None = Field(description="Of a running task: `running`, `slow` or `stalled`.")
    unique_key: str | None
    run: str | None = Field(description="Id of the run that it is of.")
    node: str | None = Field(description="Its place in that run.")
    glimpse: str = Field(
        description="Its arguments in a line, up to 120 characters; in lists, empty for long ones.",
        examples=['"INV-7", customer="acme"'],
    )
    error: ErrorSummary | None = Field(description="The last one.")

    @classmethod
    def of(cls, record: TaskRecord) -> TaskSummary:
        """The summary of a record."""
        return cls.model_validate(record)


class TaskView(TaskSummary):
    """All that is known of a task."""

    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, Any]
    errors: list[AttemptErrorView] = Field(description="Of all attempts that are still kept, oldest first.")
    trace_url: str | None = Field(description="Where its trace is shown; see the setting `trace_url`.")

    @classmethod
    def of(cls, record: TaskRecord, trace_url: str = "") -> TaskView:
        """The view of a record; ``trace_url`` is the setting."""
        return cls.model_validate(
            {name: getattr(record, name) for name in TaskSummary.model_fields}
            | {
                "args": to_json_list(record.arguments),
                "kwargs": to_json_object(record.keywords),
                "headers": to_json_object(record.headers),
                "errors": record.errors,
                "trace_url": _trace_url(record, trace_url),
            }
        )


def _trace_url(record: TaskRecord, template: str) -> str | None:
    """The address of a task's trace, if it has one and the setting says where traces are shown."""
    found = _TRACE.match(str(record.headers.get(TRACEPARENT, "")))
    return template.replace("{trace_id}", found[1]) if template and found else None


class TaskPageView(View):
    """A page of tasks."""

    tasks: list[TaskSummary]
    cursor: str | None = Field(
        description="Leads to the next page. A page may be short, even empty: as long as there is a cursor, there may "
        "be more."
    )


class Refusal(View):
    """A dead letter that was not requeued, and why."""

    id: str = _ID
    code: str = Field(examples=["not_found"])
    message: str


class Requeued(View):
    """What became of a requeue."""

    requeued: int
    refused: list[Refusal]


class Dropped(View):
    """How many dead letters were deleted."""

    dropped: int


class LogLineView(View):
    """One line that a task has logged."""

    time: datetime
    attempt: int
    level: str
    logger: str
    message: str


class LogsView(View):
    """The last lines that a task has logged, the oldest first."""

    id: str = _ID
    lines: list[LogLineView]
