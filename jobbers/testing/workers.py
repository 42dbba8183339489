"""A real worker inside a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from jobbers.app import Jobbers
from jobbers.worker import Worker


@contextlib.asynccontextmanager
async def running_worker(app: Jobbers, **options: Any) -> AsyncIterator[Worker]:
    """Run a :class:`jobbers.worker.Worker` with these options in the background; it is shut down at the end.

    When the block ends with an error, running tasks are put back at once instead of being waited for.
    """
    worker = Worker(app, **options)
    running = asyncio.create_task(worker.run(), name="jobbers-worker")
    ready = asyncio.create_task(worker.ready.wait())
    try:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        yield worker
    except BaseException:
        worker.stop()
        raise
    finally:
        ready.cancel()
        worker.stop()
        await running
