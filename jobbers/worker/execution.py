"""One execution of one task in this worker."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import Any

from jobbers.context import CurrentTask
from jobbers.core.task import Claimed
from jobbers.task_type import TaskType
from jobbers.worker.slots import Slots


class Ending(StrEnum):
    """Why the worker itself ends an execution before its function does."""

    LOST = "lost"  # the task is somebody else's now, or cancelled: nothing may be written
    HEARTBEAT = "heartbeat"
    SHUTDOWN = "shutdown"


class Execution:
    """What runs, since when (monotonic seconds), and what it occupies."""

    __slots__ = ("claimed", "context", "ending", "shard", "slots", "started", "task", "type")

    def __init__(
        self, claimed: Claimed, task_type: TaskType[Any, Any], context: CurrentTask, slots: Slots, shard: int
    ) -> None:
        self.claimed = claimed
        self.type = task_type
        self.context = context
        self.slots = slots
        self.shard = shard
        self.started = time.monotonic()
        self.ending: Ending | None = None
        self.task: asyncio.Task[None] | None = None

    def end(self, ending: Ending) -> None:
        """Cancel the execution for a reason; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self.context.over = True
            if self.task is not None:
                self.task.cancel()


Running = dict[str, Execution]
"""What a worker executes, by owner and id (see :func:`running_key`)."""


def running_key(claimed: Claimed) -> str:
    """Tells two executions of one task in one worker apart, as after a lost lease."""
    return f"{claimed.owner}/{claimed.id}"
