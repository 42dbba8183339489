"""Runs several worker processes and restarts those that die, with growing pauses."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

from jobbers.store.lifeline import tied

log = logging.getLogger("jobbers.supervisor")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
HEALTHY_SECONDS = 10.0
"""A child that lived for so long starts over with the shortest pause."""


class _Child:
    """One place for a worker process, and how often it has died in a row."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._deaths = 0
        self._started = 0.0
        self.restart_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._started = time.monotonic()
        self.process = subprocess.Popen(tied(self._command))

    def tell(self, number: int) -> None:
        """Send a signal if there is a process to hear it."""
        if self.process is not None:
            self.process.send_signal(number)

    def reap(self) -> int | None:
        """The exit code if the process has just ended."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            self.process = None
            self._deaths = 1 if time.monotonic() - self._started > HEALTHY_SECONDS else self._deaths + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._deaths - 1))
            self.restart_at = time.monotonic() + pause * random.uniform(0.8, 1.2)
        return code


def supervise(command: Sequence[str], processes: int) -> int:
    """Keep ``processes`` children of ``command`` running until SIGTERM or SIGINT, which is passed on to them.

    A child that ends by itself with code 0 (a burst) or 2 (bad input: another try would fail the same way) is not
    restarted. On Linux, they are told to end, too, if this process is killed. Returns an exit code: 0 when all ended well,
    else the highest of theirs.
    """
    stopping = threading.Event()

    def pass_on(number: int, _frame: object) -> None:
        again = stopping.is_set()
        stopping.set()
        for child in children:
            if number == signal.SIGTERM or again or not _same_group():
                child.tell(number)

    children = [_Child(command) for _ in range(processes)]
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _tend(children, stopping)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _same_group() -> bool:
    """Whether Ctrl-C on the terminal reaches the children by itself."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _tend(children: list[_Child], stopping: threading.Event) -> int:
    waiting = list(children)
    worst = 0
    while waiting:
        for child in list(waiting):
            code = child.reap()
            if code is not None:
                exit_code = code if code >= 0 else 128 - code
                if stopping.is_set() or code in (0, 2):
                    worst = max(worst, exit_code)
                    waiting.remove(child)
                else:
                    log.error("a worker process ended with %d: restarting it", code)
            elif child.process is None and stopping.is_set():
                waiting.remove(child)
            elif child.process is None and time.monotonic() >= child.restart_at:
                child.start()
                if stopping.is_set():  # the signal came while there was no process yet to pass it on to
                    child.tell(signal.SIGTERM)
        time.sleep(0.05)
    return worst
