"""Ends connections that only take up room: uvicorn waits for ever for the rest of a request's head, and for a caller to
take what was written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

LOOKS_FOR_A_HEAD = 2
"""A connection that waits for a request at so many looks after the first one is ended: 10 to 15 s, at a look every 5 s.
Those that are silent between two requests uvicorn ends itself, sooner."""
LOOKS_FOR_A_READER = 4
"""And so is one whose other end has taken nothing of what was written."""


class _Seen(NamedTuple):
    """A connection at the last look: what it answered last, how many bytes waited to be taken, and for how many looks both
    have been so."""

    cycle: Any
    unsent: int
    waited: int = 0
    stuck: int = 0


class Connections:
    """What is remembered of connections from one look to the next."""

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Any, _Seen] = WeakKeyDictionary()

    def look(self, connections: Iterable[Any]) -> None:
        """End those of uvicorn's connections that have waited for too long."""
        for connection in list(connections):
            if connection.transport is None:
                continue
            cycle: Any = connection.cycle  # the request that it is at, or was at
            unsent = connection.transport.get_write_buffer_size()
            before = self._seen.get(connection)
            if before is None:
                self._seen[connection] = _Seen(cycle, unsent)
                continue
            idle = unsent == 0 and cycle is before.cycle and (cycle is None or cycle.response_complete)
            now = _Seen(
                cycle,
                unsent,
                before.waited + 1 if idle else 0,
                before.stuck + 1 if unsent and unsent >= before.unsent > 0 else 0,
            )
            self._seen[connection] = now
            if now.waited >= LOOKS_FOR_A_HEAD or now.stuck >= LOOKS_FOR_A_READER:
                connection.transport.abort()  # close() would wait for the other end to take what is left
