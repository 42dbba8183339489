"""Waiting on behalf of a caller, for as long as that makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from fastapi import Request

from jobbers.errors import WaitTimeout


async def wait_for(wait: Awaitable[object], request: Request, stopping: asyncio.Event) -> None:
    """Await ``wait`` until it is done or runs into its :class:`WaitTimeout`, the caller hangs up, or the server stops.

    Raises what ``wait`` raises otherwise.
    """
    waiting = asyncio.ensure_future(wait)
    others = [asyncio.ensure_future(_hung_up(request)), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait([waiting, *others], return_when=asyncio.FIRST_COMPLETED)
    finally:
        done = waiting.done()
        for task in (waiting, *others):
            task.cancel()
        await asyncio.gather(waiting, *others, return_exceptions=True)
    if done and (error := waiting.exception()) is not None and not isinstance(error, WaitTimeout):
        raise error


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
