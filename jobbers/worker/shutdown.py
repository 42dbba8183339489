"""Ends a worker: nothing new, time to finish, then the shutdown policy of each task type."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable

from jobbers.core.policy import OnShutdown
from jobbers.worker.execution import Ending, Execution, Running

log = logging.getLogger("jobbers.worker")

UNWIND_SECONDS = 5.0
"""How long a cancelled task may take for its own cleanup."""
HURRY_SECONDS = 1.0
"""How long the last writes may take once everything is to end at once."""
EXIT_SECONDS = 1.0


async def wind_down(running: Running, grace: float, hurry: asyncio.Event) -> None:
    """Wait for running tasks for up to ``grace`` seconds, then end those that may not finish; ``hurry`` ends all at once.

    What is ended writes its own outcome (released, or failed) through the finisher. What does not let itself be ended
    is still running afterwards.
    """
    if running:
        log.info("waiting up to %g seconds for %d running tasks", grace, len(running))
        await _settled(running, grace, hurry)
    ended = [execution for execution in running if hurry.is_set() or not _may_finish(execution)]
    for execution in ended:
        execution.end(Ending.SHUTDOWN)
    await _settled(ended, UNWIND_SECONDS, None)
    finishing = [execution for execution in running if execution not in ended]
    await _settled(finishing, None, hurry)
    for execution in finishing:
        execution.end(Ending.SHUTDOWN)
    await _settled(finishing, UNWIND_SECONDS, None)


async def hurried(work: Awaitable[object], hurry: asyncio.Event) -> None:
    """Wait for ``work``, but not for long once ``hurry`` is set."""
    working = asyncio.ensure_future(work)
    signal = asyncio.ensure_future(hurry.wait())
    await asyncio.wait({working, signal}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({working}, timeout=HURRY_SECONDS)
    for future in (working, signal):
        future.cancel()
    await asyncio.gather(working, signal, return_exceptions=True)


def exit_without(functions: int) -> None:
    """End this process in a moment, although some functions cannot be ended: a thread that hangs would keep it for ever."""
    log.error("%d functions do not let themselves be ended: the process ends without them", functions)
    threading.Thread(target=_exit_soon, name="jobbers-exit", daemon=True).start()


def _exit_soon() -> None:
    time.sleep(EXIT_SECONDS)
    logging.shutdown()
    os._exit(0)


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
