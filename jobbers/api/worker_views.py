"""What callers get to see of workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jobbers.api.task_views import TaskSummary, View
from jobbers.api.windows import Next
from jobbers.inspector import Inspector


class WorkerView(View):
    """A worker that is alive or was a short while ago."""

    id: str
    seen: datetime
    silent_seconds: float
    facts: dict[str, str] = Field(description="What it says of itself.")


class WorkerList(View):
    """All workers."""

    workers: list[WorkerView]
    cursor: Next = None


class WorkerDetails(View):
    """A worker, and what it runs."""

    worker: WorkerView
    running: list[TaskSummary]
    complete: bool = Field(description="False: so many tasks run that not all were looked at.")

    @classmethod
    async def of(cls, inspector: Inspector, worker: str) -> WorkerDetails:
        """A worker as it is now. Raises :class:`NotFound`."""
        found = await inspector.worker(worker)
        tasks, complete = await inspector.running_on(worker)
        return cls(
            worker=WorkerView.model_validate(found),
            running=[TaskSummary.of(record) for record in tasks],
            complete=complete,
        )


class WorkerTold(View):
    """What a worker has been told, until it is told otherwise."""

    id: str
    told: Literal["pause", "drain"] | None
