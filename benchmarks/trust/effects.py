"""What tasks did, in a file that only grows and that no server under test can lose. Needs nothing but Python.

One JSON line an effect: ``start`` or ``end``, the task's number, the session of the worker, the process and the monotonic
clock, which all processes of a machine share. The session is that of the process that the harness started, so it names
the worker whichever of its children ran the task.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from typing import Any

PULSE = -1
"""The number of tasks that only keep the queue alive; they leave no trace."""

_file = -1


def bind(path: str) -> None:
    """Say where effects of this process, and of those forked from it, go."""
    global _file
    _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def note(kind: str, task: int) -> None:
    """Append one effect; lines this short are written whole."""
    line = {"kind": kind, "task": task, "worker": os.getsid(0), "pid": os.getpid(), "at": time.monotonic()}
    os.write(_file, (json.dumps(line) + "\n").encode())


def _token(task: int) -> str:
    """Names this execution: the task, the worker, and something random."""
    return f"{task}/{os.getsid(0)}/{secrets.token_hex(4)}"


async def body(task: int, seconds: float) -> str:
    """The task of asyncio systems: start, sleep, end; returns a name for this very execution."""
    if task == PULSE:
        return ""
    note("start", task)
    await asyncio.sleep(seconds)
    note("end", task)
    return _token(task)


def body_blocking(task: int, seconds: float) -> str:
    """``body`` for systems that run tasks in threads or processes."""
    if task == PULSE:
        return ""
    note("start", task)
    time.sleep(seconds)
    note("end", task)
    return _token(task)


def read(path: str) -> list[dict[str, Any]]:
    """All effects so far."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]
