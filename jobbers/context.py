"""What a running task can reach: :func:`current_task`, and :func:`current_batch` where it is one of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime

from jobbers.core.task import Claimed
from jobbers.errors import InvalidInput, JobbersError

MAX_STEP = 200


class AttemptOver(JobbersError):
    """Raised by ``heartbeat`` in a thread or process whose attempt was cancelled, timed out or lost its lease: what it
    does from here on counts for nothing, so it should end."""

    code = "attempt_over"


class _Done:
    """An awaitable that is ready: lets ``heartbeat`` be called from plain functions and awaited in async ones."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield  # makes this a generator


_DONE = _Done()


class CurrentTask:
    """The task that runs here, as its function sees it."""

    __slots__ = (
        "_claimed",
        "_headers",
        "_on_beat",
        "beaten_at",
        "changed",
        "over",
        "progress",
        "step",
        "worker",
    )

    def __init__(
        self,
        claimed: Claimed,
        worker: str,
        headers: Mapping[str, str],
        on_beat: Callable[[str, float | None], None] | None = None,
    ) -> None:
        self._claimed = claimed
        self._headers = headers
        self._on_beat = on_beat
        self.worker = worker
        self.step = ""
        self.progress: float | None = None
        self.beaten_at = time.monotonic()
        self.changed = False
        self.over = False

    @property
    def claimed(self) -> Claimed:
        """The execution, as the worker claimed it."""
        return self._claimed

    @property
    def id(self) -> str:
        """The task's ULID; with :attr:`attempt` the key for effects that must happen once."""
        return self._claimed.id

    @property
    def type(self) -> str:
        """The name of the task type."""
        return self._claimed.type

    @property
    def queue(self) -> str:
        """The queue that the task was claimed from."""
        return self._claimed.queue

    @property
    def priority(self) -> int:
        """0 (last) to 9 (first)."""
        return self._claimed.priority

    @property
    def attempt(self) -> int:
        """Which execution this is; the first is 1. Snoozes and releases do not count, crashes do."""
        return self._claimed.attempt

    @property
    def crashes(self) -> int:
        """How many executions ended with their worker."""
        return self._claimed.crashes

    @property
    def snoozes(self) -> int:
        """How often the task was put back without using an attempt."""
        return self._claimed.snoozes

    @property
    def created(self) -> datetime:
        """When the task was submitted, by the server's clock."""
        return datetime.fromtimestamp(self._claimed.created / 1000, UTC)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the submitter sent along."""
        return self._headers

    def heartbeat(self, step: str = "", progress: float | None = None) -> _Done:
        """Say that the task is alive, where it is, and how far (``progress`` from 0 to 1).

        Costs no round trip: the worker sends the latest heartbeats of all its tasks together, once a second by default.
        May be awaited in async functions and is called without ``await`` in plain ones. Raises :class:`AttemptOver`
        when a plain function's attempt is over, :class:`InvalidInput` for a progress outside of 0 to 1.
        """
        if progress is not None and not 0 <= progress <= 1:
            raise InvalidInput(f"progress must be from 0 to 1, got {progress!r}")
        if self.over:
            raise AttemptOver(f"attempt {self.attempt} of task {self.id} is over")
        self.step = str(step)[:MAX_STEP]
        self.progress = progress
        self.beaten_at = time.monotonic()
        self.changed = True
        if self._on_beat is not None:
            self._on_beat(self.step, progress)
        return _DONE

    def __repr__(self) -> str:
        return f"<CurrentTask {self.type} {self.id} attempt {self.attempt}>"


class CurrentBatch(CurrentTask):
    """The tasks that one call of their function takes together, in the order of their items.

    What is said of one task (:attr:`id`, :attr:`attempt`, :attr:`headers` and so on) is said of the first: middleware,
    which is around the call of a batch, gets this in the place of a task. :attr:`over` is only set with the whole batch;
    a task of it that was cancelled or lost meanwhile has its own :attr:`over` set, and its result will be dropped.
    """

    __slots__ = ("tasks",)

    def __init__(self, tasks: Sequence[CurrentTask]) -> None:
        super().__init__(tasks[0].claimed, tasks[0].worker, tasks[0].headers)
        self.tasks = tasks

    @property
    def ids(self) -> list[str]:
        """The tasks' ULIDs."""
        return [task.id for task in self.tasks]

    def heartbeat(self, step: str = "", progress: float | None = None) -> _Done:
        """Like :meth:`CurrentTask.heartbeat`, for all tasks of the batch that are not over."""
        super().heartbeat(step, progress)
        for task in self.tasks:
            if not task.over:
                task.heartbeat(step, progress)
        return _DONE

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        return f"<CurrentBatch {self.type} of {len(self.tasks)}>"


running_task: ContextVar[CurrentTask | None] = ContextVar("running_task", default=None)


def current_task() -> CurrentTask:
    """The task that is running here. Raises :class:`JobbersError` outside of a task, and in a batch, which has many."""
    task = running_task.get()
    if task is None:
        raise JobbersError("current_task() was called outside of a running task")
    if isinstance(task, CurrentBatch):
        raise JobbersError(f"current_task() was called in a batch of {len(task)}: use current_batch().tasks")
    return task


def current_batch() -> CurrentBatch:
    """The batch that is running here. Raises :class:`JobbersError` outside of one."""
    batch = running_task.get()
    if not isinstance(batch, CurrentBatch):
        raise JobbersError("current_batch() was called outside of a running batch: is it a task with batch=?")
    return batch
