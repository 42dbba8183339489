"""What the gateway needs of a connection, whichever library makes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

Argument = str | bytes | int | float
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
"""A reply that takes longer than this (beyond the time a command says it blocks) means that the connection is dead."""


class Disconnected(Exception):
    """The connection is gone. ``sent`` tells whether the command may have reached the server."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ReplyError(Exception):
    """The server answered with an error."""

    @property
    def word(self) -> str:
        """The first word of the error, such as ``NOSCRIPT``."""
        return str(self).partition(" ")[0]


class Wire(Protocol):
    """What the gateway needs of a connection."""

    @property
    def alive(self) -> bool:
        """Whether commands can be sent."""
        ...

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        """Send one command and return its reply; ``block`` is how many seconds the server may keep silent.

        Raises :class:`Disconnected` or :class:`ReplyError`.
        """
        ...

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        """Send commands together; errors are returned in their places. Raises :class:`Disconnected`."""
        ...

    async def close(self) -> None:
        """Close the connection; calls that wait end as :class:`Disconnected`."""
        ...
