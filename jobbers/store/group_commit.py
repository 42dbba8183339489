"""Commands that count only once a replica has them: all that wait go to the server together, with one WAIT behind them.

One call is under way at a time, and what comes meanwhile makes up the next (group commit), so a replica's round trip is
paid once for many. Redis's WAIT speaks for the writes of its own connection, which is why both go in one pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jobbers.store.wire import Argument, Disconnected, ReplyError, Wire

REPLICAS = 1
WAIT_MS = 500
"""Longer than any healthy replica takes, and short enough to try again within a caller's patience."""


class Unconfirmed(ReplyError):
    """Applied, but no replica said in time that it has it."""

    def __init__(self) -> None:
        super().__init__("NOREPLICAS no replica confirmed the write in time")


class GroupCommit:
    """Sends commands over connections that ``ready`` gives, and has them confirmed."""

    def __init__(self, ready: Callable[[], Awaitable[Wire]]) -> None:
        self._ready = ready
        self._waiting: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def call(self, *command: Argument) -> Any:
        """Send one command; returns its reply when a replica has it.

        Raises :class:`Unconfirmed`, :class:`Disconnected` or :class:`ReplyError`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send(), name="jobbers-group-commit")
        return await future

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    wire = await self._ready()
                    *replies, count = await wire.call_many(
                        [*(command for command, _ in batch), ("WAIT", REPLICAS, WAIT_MS)]
                    )
                except (Disconnected, ReplyError) as error:
                    replies, count = [error] * len(batch), REPLICAS
                except BaseException:
                    for _, future in batch:
                        _settle(future, Disconnected("closed", sent=True), REPLICAS)
                    raise
                for (_, future), reply in zip(batch, replies, strict=True):
                    _settle(future, reply, count)
        finally:
            self._sender = None

    async def close(self) -> None:
        """End; callers that wait are told that the connection is gone."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        for _, future in self._waiting:
            _settle(future, Disconnected("closed", sent=False), REPLICAS)


def _settle(future: asyncio.Future[Any], reply: Any, count: Any) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(reply, Exception):
        future.set_exception(reply)
    elif isinstance(count, Exception):
        future.set_exception(count)
    elif count < REPLICAS:
        future.set_exception(Unconfirmed())
    else:
        future.set_result(reply)
