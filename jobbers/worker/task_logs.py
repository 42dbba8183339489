"""Keeps what tasks log: a handler that knows the task, and a loop that sends what has gathered."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from jobbers.context import running_task
from jobbers.errors import StoreError
from jobbers.store.logs import MOST_LINES, LogStore, pack_line

log = logging.getLogger("jobbers.worker")

FLUSH_SECONDS = 1.0
MOST_WAITING = 10_000
"""Lines of all tasks that may wait to be sent; what comes beyond is dropped, and counted."""
SETTLING_ROUNDS = 60
"""So often it is looked whether the record of a task that ended here expires; one that is repeated does not."""


class TaskLogs(logging.Handler):
    """A handler for the root logger. ``kept`` says for which task types lines are kept; lines are those that the loggers
    let pass, from tasks on the loop and in threads, of this ``worker``: a process may have several."""

    def __init__(
        self,
        store: LogStore,
        worker: str,
        kept: Callable[[str], bool],
        runs: Callable[[], set[str]],
        ttl_ms: int,
    ) -> None:
        super().__init__()
        self._store = store
        self._worker = worker
        self._kept = kept
        self._runs = runs
        self._ttl_ms = ttl_ms
        self._lines: dict[str, deque[bytes]] = {}
        self._waiting = 0
        self._dropped = 0
        self._following: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """See logging. Called with the handler's lock held, on any thread."""
        task = running_task.get()
        if task is None or task.worker != self._worker or not self._kept(task.type):
            return
        if self._waiting >= MOST_WAITING:
            self._dropped += 1
            return
        try:
            lines = self._lines.setdefault(task.id, deque(maxlen=MOST_LINES))
            before = len(lines)
            lines.append(
                pack_line(
                    record.created, task.attempt, record.levelname.lower(), record.name, self.format(record)
                )
            )
            self._waiting += len(lines) - before
        except Exception:
            self.handleError(record)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush_lines()

    async def flush_lines(self) -> None:
        """Send what has gathered, in one go. What a server that is away or full does not take is lost."""
        self.acquire()
        try:
            lines, self._lines, self._waiting = self._lines, {}, 0
            dropped, self._dropped = self._dropped, 0
        finally:
            self.release()
        if dropped:
            log.warning("%d lines of task logs were dropped: tasks log faster than can be sent", dropped)
        running = self._runs()
        try:
            if lines:
                await self._store.append(lines, self._ttl_ms)
            self._following |= dict.fromkeys(lines, 0)
            over = [task_id for task_id in self._following if task_id not in running]
            settled = await self._store.settle(over) if over else set()
        except StoreError as error:
            log.warning("the logs of %d tasks could not be kept: %s", len(lines), error)
            return
        for task_id in over:
            self._following[task_id] += 1
            if task_id in settled or self._following[task_id] >= SETTLING_ROUNDS:
                del self._following[task_id]


def kept_types(setting: str, chosen: Mapping[str, bool | None]) -> Callable[[str], bool] | None:
    """Which types' lines are kept: ``None`` for none. ``setting`` is ``all``, or types with commas between; what is
    ``chosen`` for a type itself goes before it."""
    names = {name.strip() for name in setting.split(",") if name.strip()}
    yes = {name for name, kept in chosen.items() if kept}
    no = {name for name, kept in chosen.items() if kept is False}
    if "all" in names:
        return lambda name: name not in no
    return ((names - no) | yes).__contains__ if (names - no) | yes else None
