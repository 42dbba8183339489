"""Tells of code that blocks the worker's event loop while it does so, from a thread: which task, where, and how long."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from jobbers.core.events import Dispatcher, LoopBlocked
from jobbers.worker.execution import Running

log = logging.getLogger("jobbers.worker")

LOOKS = 4
"""So often it looks within the time that the loop may be blocked."""
LONGEST_LOOK = 0.5
MAX_STACK = 4_000
_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


@dataclass(frozen=True, slots=True)
class _Found:
    """A loop that is blocked, since when (monotonic seconds) and by what."""

    since: float
    id: str
    type: str
    stack: str


class LoopGuard:
    """Asks the loop for an answer again and again; made on the loop's own thread. What blocks it for less than ``limit``
    seconds is passed over."""

    def __init__(self, worker: str, limit: float, running: Running, events: Dispatcher) -> None:
        self._worker = worker
        self._limit = limit
        self._running = running
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._answered = time.monotonic()
        self._found: _Found | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobbers-loop-guard", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._answered = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def _run(self) -> None:
        asked = 0.0
        while not self._stop.wait(min(self._limit / LOOKS, LONGEST_LOOK)):
            try:
                self._look()
                if self._answered >= asked:  # one question at a time
                    asked = time.monotonic()
                    self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop is closed
                return
            except Exception:
                log.exception("the guard of the event loop failed; it goes on")

    def _answer(self) -> None:
        self._answered = time.monotonic()

    def _look(self) -> None:
        now, answered, found = time.monotonic(), self._answered, self._found
        if found is not None and answered > found.since:
            self._found = None
            log.warning("the event loop runs again after %.1f seconds", answered - found.since)
            self._tell(found, answered - found.since, over=True)
        elif found is None and now - answered > self._limit:
            found = self._found = self._blocker(answered)
            log.warning(
                "the event loop has been blocked for %.1f seconds by %s; use await, a plain function (which runs in a "
                "thread) or process=True\n%s",
                now - answered,
                self._named(found),
                found.stack,
            )
            self._tell(found, now - answered, over=False)

    def _tell(self, found: _Found, seconds: float, *, over: bool) -> None:
        if (tell := self._events.tell) is not None:
            tell(LoopBlocked(self._worker, seconds, found.id, found.type, found.stack, over))

    def _blocker(self, since: float) -> _Found:
        frame = sys._current_frames().get(self._loop_thread)
        stack = [] if frame is None else traceback.extract_stack(frame)
        own = [it for it in stack if it.filename.startswith(_PACKAGE)]
        # What is around the function is the same for all: the loop, and how we call tasks.
        begin = stack.index(own[-1]) + 1 if own and own[-1] is not stack[-1] else 0
        text = "".join(traceback.format_list(stack[begin:]))[-MAX_STACK:]
        current = asyncio.current_task(self._loop)
        for execution in self._running.copy():
            if execution.task is current:
                return _Found(since, execution.claimed.id, execution.type.name, text)
        return _Found(since, "", "", text)

    def _named(self, found: _Found) -> str:
        lines = [line.strip() for line in found.stack.splitlines() if line.startswith("  File ")]
        place = lines[-1] if lines else "unknown code"
        return f"task {found.id} ({found.type}): {place}" if found.id else place
