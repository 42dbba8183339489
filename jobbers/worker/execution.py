"""One execution of one task in this worker."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from enum import StrEnum
from typing import Any

from jobbers.context import CurrentTask
from jobbers.core.events import Outcome
from jobbers.core.task import Claimed
from jobbers.task_type import TaskType
from jobbers.worker.slots import Slots


class Ending(StrEnum):
    """Why the worker itself ends an execution before its function does."""

    LOST = "lost"  # the task is somebody else's now, or cancelled: nothing may be written
    HEARTBEAT = "heartbeat"
    SHUTDOWN = "shutdown"


class Execution:
    """What runs, since when (monotonic seconds), and what it occupies.

    ``confirmed`` is when the call was sent by which the server last confirmed its lease; ``shown`` whether its first
    heartbeat was sent. ``before`` has results of the task that it follows in the same place. ``outcome`` and ``error`` are
    what it came to, for those who listen to events. An asyncio task that is cancelled before its first step never runs, not
    even what settles it: so what is ended before it has ``begun`` is told then.
    """

    __slots__ = (
        "before",
        "begun",
        "claimed",
        "confirmed",
        "context",
        "ending",
        "error",
        "outcome",
        "shard",
        "shown",
        "slots",
        "started",
        "task",
        "type",
    )

    def __init__(
        self, claimed: Claimed, task_type: TaskType[Any, Any], context: CurrentTask, slots: Slots, shard: int
    ) -> None:
        self.claimed = claimed
        self.type = task_type
        self.context = context
        self.slots = slots
        self.shard = shard
        self.started = self.confirmed = context.beaten_at
        self.shown = self.begun = False
        self.before: Mapping[str, bytes] | None = None
        self.ending: Ending | None = None
        self.outcome = Outcome.LOST
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None

    def end(self, ending: Ending) -> None:
        """Cancel the execution for a reason; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self.context.over = True
            if self.task is not None and self.begun:
                self.task.cancel()

    def begin(self) -> None:
        """The asyncio task has made its first step. Raises :class:`asyncio.CancelledError` if it was ended before."""
        self.begun = True
        if self.ending is not None:
            raise asyncio.CancelledError


Running = dict[Execution, None]
"""What a worker executes, the oldest first. After a lost lease there may be two executions of one task."""


def without_task(executions: Iterable[Execution], lost: Container[str]) -> list[Execution]:
    """Which of these have lost their task, given the ids of which one or more lost theirs. Of several executions of
    one task only the newest can still hold it: the older ones have lost it, and the newest shows the next time."""
    groups: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        if execution.claimed.id in lost:
            groups[execution.claimed.id].append(execution)
    found: list[Execution] = []
    for group in groups.values():
        group.sort(key=lambda execution: execution.started)
        found += group[:-1] or group
    return found
