"""Request coalescing: what many ask for at the same time is read once for all of them.

Who comes while a read is under way waits for the next one, and shares that with all others who came meanwhile: the one
under way may have looked before a write that they know of. So at most one read of a kind runs at a time, however many ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from fastapi import Response


class Answer(NamedTuple):
    """A response that can be given more than once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, response: Response) -> Answer:
        """What a response says that is no stream."""
        return cls(response.status_code, tuple(response.headers.items()), bytes(response.body))

    def response(self) -> Response:
        """A response of one's own."""
        return Response(self.body, self.status, dict(self.headers))


class Coalescing:
    """The reads of one service that are under way, and those who wait for the next."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Lock] = {}
        self._next: dict[Hashable, asyncio.Future[Answer | None]] = {}

    async def read(self, key: Hashable, read: Callable[[], Awaitable[Answer]]) -> Answer:
        """What ``read()`` returns or raises, which all who give an equal ``key`` may share. It begins after this call."""
        while (gathering := self._next.get(key)) is not None:
            answer = await asyncio.shield(gathering)
            if answer is not None:
                return answer
        running = self._running.setdefault(key, asyncio.Lock())
        ours = self._next[key] = asyncio.get_running_loop().create_future()
        try:
            async with running:
                del self._next[key]
                answer = await read()
            ours.set_result(answer)
        except Exception as error:
            ours.set_exception(error)
            ours.exception()  # there may be nobody else to hear of it
            raise
        finally:
            if not ours.done():  # cancelled: one of those who wait for it does it
                if self._next.get(key) is ours:
                    del self._next[key]
                ours.set_result(None)
            if not running.locked() and key not in self._next:
                self._running.pop(key, None)
        return answer
