"""Hear when tasks move: one subscription a process, and a slow poll behind it, for pub/sub may drop messages."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import defaultdict
from collections.abc import AsyncGenerator

from jobbers.core.status import FINAL, Status
from jobbers.store.inbox import Inbox
from jobbers.store.store import Store

POLL_SECONDS = 1.0


class Watcher:
    """Statuses of tasks as they change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = secrets.token_hex(4)
        self._moved: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._inbox: Inbox | None = None

    def _heard(self, _channel: str, message: str) -> None:
        task_id = message.partition(" ")[0]
        for event in self._moved.get(task_id, ()):
            event.set()

    async def follow(self, task_id: str) -> AsyncGenerator[Status | None, None]:
        """The present status, then one at each sign of change; ends after a final one. ``None``: no such task."""
        if self._inbox is None:
            self._inbox = Inbox(self._store.connector, [self._store.keys.inbox(self._name)], self._heard)
            self._inbox.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._inbox.ready.wait()
        moved = asyncio.Event()
        self._moved[task_id].add(moved)
        try:
            while True:
                moved.clear()
                status = (await self._store.tasks.watch(self._name, [task_id]))[task_id]
                yield status
                if status is None or status in FINAL:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await moved.wait()
        finally:
            self._moved[task_id].discard(moved)
            if not self._moved[task_id]:
                del self._moved[task_id]

    async def close(self) -> None:
        """End the subscription."""
        if self._inbox is not None:
            await self._inbox.stop()
