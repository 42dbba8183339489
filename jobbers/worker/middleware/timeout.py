"""Ends an execution that runs longer than its type allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from jobbers.context import CurrentTask
from jobbers.core.decide import TimedOut
from jobbers.middleware import Call
from jobbers.task_type import TaskType


class Timeout:
    """See :class:`jobbers.middleware.Middleware`."""

    def wrap(self, task_type: TaskType[Any, Any], call: Call) -> Call:
        """Each execution by the timeout that its type has when it begins; those without one are left alone."""

        def timed(task: CurrentTask, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any]:
            milliseconds = task_type.policy.timeout_ms
            if milliseconds is None:
                return call(task, args, kwargs)
            return limited(milliseconds / 1000, task, args, kwargs)

        async def limited(seconds: float, task: CurrentTask, args: list[Any], kwargs: dict[str, Any]) -> Any:
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    return await call(task, args, kwargs)
            except TimeoutError:
                if limit.expired():
                    raise TimedOut(f"ran for more than {seconds:g} seconds") from None
                raise

        return timed
