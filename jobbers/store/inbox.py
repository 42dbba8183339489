"""A subscription that comes back by itself. Messages may be lost while it is down: users of it also poll."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from jobbers.store.connect import Connector

PAUSE_SECONDS = 0.5


class Inbox:
    """Listens on channels and calls ``heard(channel, message)`` on the event loop for each message."""

    def __init__(
        self, connector: Connector, channels: Sequence[str], heard: Callable[[str, str], None]
    ) -> None:
        self._connector = connector
        self._channels = channels
        self._heard = heard
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    def start(self) -> None:
        """Begin to listen, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._listen(), name="jobbers-inbox")

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            while not self._task.done():
                # Python 3.11's wait_for, which redis-py uses, sometimes loses a cancellation: ask again.
                self._task.cancel()
                await asyncio.wait([self._task], timeout=0.1)
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen(self) -> None:
        while True:
            client = self._connector.async_client()
            subscription = client.pubsub()
            try:
                await subscription.subscribe(*self._channels)
                self.ready.set()
                while True:
                    message = await subscription.get_message(timeout=None)
                    if message is not None and message["type"] == "message":
                        self._heard(message["channel"].decode(), message["data"].decode(errors="replace"))
            except (RedisError, OSError):
                self.ready.clear()
                await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await subscription.aclose()  # type: ignore[no-untyped-call]
                with contextlib.suppress(RedisError, OSError):
                    await client.aclose()
