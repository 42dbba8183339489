"""Ends an execution that runs longer than its type allows."""

from __future__ import annotations

import asyncio
from typing import Any

from jobbers.context import CurrentTask
from jobbers.core.decide import TimedOut
from jobbers.middleware import Call
from jobbers.task_type import TaskType


class Timeout:
    """See :class:`jobbers.middleware.Middleware`."""

    def wrap(self, task_type: TaskType[Any, Any], call: Call) -> Call:
        """Types without a timeout are left alone."""
        milliseconds = task_type.policy.timeout_ms
        if milliseconds is None:
            return call
        seconds = milliseconds / 1000

        async def limited(task: CurrentTask, args: list[Any], kwargs: dict[str, Any]) -> Any:
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    return await call(task, args, kwargs)
            except TimeoutError:
                if limit.expired():
                    raise TimedOut(f"ran for more than {seconds:g} seconds") from None
                raise

        return limited
