"""Ends a worker: nothing new, time to finish, then the shutdown policy of each task type."""

from __future__ import annotations

import asyncio
import logging

from jobbers.core.policy import OnShutdown
from jobbers.worker.execution import Ending, Execution, Running

log = logging.getLogger("jobbers.worker")

UNWIND_SECONDS = 5.0
"""How long a cancelled task may take for its own cleanup."""


async def wind_down(running: Running, grace: float, hurry: asyncio.Event) -> None:
    """Wait for running tasks for up to ``grace`` seconds, then end those that may not finish; ``hurry`` ends all at once.

    What is ended writes its own outcome (released, or failed) through the finisher.
    """
    if running:
        log.info("waiting up to %g seconds for %d running tasks", grace, len(running))
        await _settled(running, grace, hurry)
    ended = [execution for execution in running if hurry.is_set() or not _may_finish(execution)]
    for execution in ended:
        execution.end(Ending.SHUTDOWN)
    await _settled(ended, UNWIND_SECONDS, None)
    if running:
        await _settled(running, None, hurry)
    left = list(running)
    for execution in left:
        execution.end(Ending.SHUTDOWN)
    await _settled(left, UNWIND_SECONDS, None)


def _may_finish(execution: Execution) -> bool:
    return execution.type.policy.on_shutdown is OnShutdown.FINISH


async def _settled(executions: object, seconds: float | None, hurry: asyncio.Event | None) -> None:
    tasks = {execution.task for execution in list(executions) if execution.task is not None}  # type: ignore[call-overload]
    if not tasks:
        return
    done = asyncio.ensure_future(asyncio.wait(tasks))
    signal = asyncio.ensure_future(hurry.wait()) if hurry is not None else None
    waiting = {done} if signal is None else {done, signal}
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for future in waiting:
        future.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
