"""What a listener is told, and how much of it may wait for one that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic_core import to_json

from jobbers.api.live.topics import Topic
from jobbers.api.packing import Piece

MAX_WAITING = 10_000
"""So many ended tasks may wait for one listener; beyond that it is let go, and may come back with its last event id."""


@dataclass(frozen=True)
class Update:
    """News on a topic. ``data`` replaces what was said before. ``parts`` are parts of it by name, which replace those of
    the same names, or all if this is the ``whole``. ``log`` comes after what was said before, up to ``position``."""

    topic: Topic
    event: str
    data: Mapping[str, Any]
    parts: Mapping[str, Any] | None = None
    whole: bool = True
    log: tuple[Mapping[str, Any], ...] | None = None
    position: str = ""

    def over(self, older: Update | None) -> Update:
        """This and what waited before it, as one."""
        if older is None or older.event != self.event:
            return self
        if self.log is not None and older.log is not None:
            data = {**self.data, "missed": bool(self.data.get("missed") or older.data.get("missed"))}
            return Update(self.topic, self.event, data, log=older.log + self.log, position=self.position)
        if self.parts is None or older.parts is None or self.whole:
            return self
        return Update(self.topic, self.event, self.data, {**older.parts, **self.parts}, older.whole)

    @cached_property
    def encoded(self) -> Piece:
        """As it goes over the wire: made once, for all who listen."""
        data = dict(self.data)
        if self.parts is not None:
            data |= {"nodes": list(self.parts.values()), "whole": self.whole}
        if self.log is not None:
            data["tasks"] = self.log
        head = f"id: {self.position}\n" if self.position else ""
        body = to_json({"topic": self.topic.text, "data": data})  # JSON has no line ends of its own
        return Piece(f"{head}event: {self.event}\ndata: ".encode() + body + b"\n\n")


@dataclass(eq=False)
class Listener:
    """One stream: what it wants, and what waits for it. It holds one update a topic, newer ones taking in the older."""

    topics: list[Topic]
    waiting: dict[Topic, Update] = field(default_factory=dict)
    lost: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, update: Update) -> None:
        """Let an update wait."""
        merged = update.over(self.waiting.get(update.topic))
        if merged.log is not None and len(merged.log) > MAX_WAITING:
            self.lost = True
            self.waiting.clear()
        elif not self.lost:
            self.waiting[update.topic] = merged
        self._news.set()

    async def take(self, seconds: float) -> Iterable[Update]:
        """All that waits; nothing, if nothing came within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return ()
        self._news.clear()
        taken, self.waiting = self.waiting, {}
        return taken.values()
