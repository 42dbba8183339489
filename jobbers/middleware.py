"""Middleware: a feature around every execution, one file each.

A middleware says for which task types it has something to do; types that it skips pay nothing. The worker builds the
chain of a task type once, when it starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from jobbers.context import CurrentTask
from jobbers.task_type import TaskType

Call = Callable[[CurrentTask, list[Any], dict[str, Any]], Awaitable[Any]]
"""Runs one execution: the task, its arguments and keywords; returns what the function returns."""


class Middleware(Protocol):
    """Wraps executions; may do work before and after, change arguments or result, or raise to change the outcome
    (also ``Retry``, ``Fail`` and ``Snooze``)."""

    def wrap(self, task_type: TaskType[Any, Any], call: Call) -> Call:
        """The call to make instead of ``call``; ``call`` itself when there is nothing to do for this type."""
        ...
