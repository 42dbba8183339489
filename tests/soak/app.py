"""The application of the soak. Each execution writes that it began and that it returned into a file of its process."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import tests.soak.plant  # noqa: F401 - before scripts are loaded
from jobbers import Jobbers, Retry, current_task

FOLDER_VARIABLE = "SOAK_FOLDER"
ATTEMPTS = 3

_files: dict[int, int] = {}


def note(kind: str) -> None:
    """Write a line that outlives the process, and whatever becomes of the server."""
    pid = os.getpid()
    if pid not in _files:
        path = Path(os.environ[FOLDER_VARIABLE]) / f"executions-{pid}-{time.time_ns()}.jsonl"
        _files[pid] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    task = current_task()
    line = {"at": time.time(), "kind": kind, "task": task.id, "attempt": task.attempt, "process": str(pid)}
    os.write(_files[pid], json.dumps(line).encode() + b"\n")


async def nap(seconds: float) -> str:
    """Work on the event loop."""
    note("started")
    await asyncio.sleep(seconds)
    note("returned")
    return "rested"


def thread(seconds: float) -> str:
    """Work in a thread."""
    note("started")
    time.sleep(seconds)
    note("returned")
    return "rested"


async def flaky(seconds: float) -> str:
    """Work that fails at first."""
    note("started")
    await asyncio.sleep(seconds)
    if current_task().attempt == 1:
        raise ConnectionError("not yet")
    note("returned")
    return "at last"


def make_app(**settings: Any) -> Jobbers:
    """The app, for workers by their environment and for clients by what they are given."""
    app = Jobbers(**settings)
    app.task(nap)
    app.task(thread)
    app.task(flaky, retry=Retry(attempts=ATTEMPTS, delay=0.1, jitter=False))
    return app


app = make_app()
