"""The hub: reads what is listened to, once for all who listen, and only while somebody does.

A topic is read by one task, every so often: at the rate of its kind, and more rarely where a read takes long, so that the
hub spends no more than a tenth of its time on one that is read within half a second. What is as it was is not told again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from jobbers.api.live.topics import Topic
from jobbers.api.live.updates import Listener, Update
from jobbers.app import Jobbers
from jobbers.errors import JobbersError

log = logging.getLogger("jobbers.api")

MAX_LISTENERS = 1_000
MAX_WATCHES = 256
"""How many different topics are read at a time."""
AFTER_ERROR = 2.0
SOON = 0.25
"""Whoever begins to listen is told what is read after that, and not before this many seconds after the last read."""
SHARE = 10
"""A read that took so many seconds is followed by SHARE times as many without one,"""
LONGEST_REST = 5.0
"""but by no more than these: on a machine that stood still, those who look would see nothing new for half a minute."""


class Reader(Protocol):
    """Reads one topic, again and again."""

    every: float
    """Seconds between two reads."""

    async def read(self, topics: Collection[Topic]) -> Sequence[Update]:
        """What is new, on those topics that somebody listens to."""
        ...

    def now(self, topic: Topic) -> Update | None:
        """What somebody is told who begins to listen, after a read; ``None``: there is nothing yet."""
        ...


@dataclass(eq=False)
class Watch:
    """A topic that is read, and who listens."""

    reader: Reader
    listeners: dict[Listener, set[Topic]] = field(default_factory=dict)
    fresh: dict[Listener, set[Topic]] = field(default_factory=dict)
    """Who has been told nothing yet."""
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    error: Update | None = None

    @property
    def topics(self) -> set[Topic]:
        """What is listened to."""
        return set[Topic]().union(*self.listeners.values())

    def tell(self, updates: Sequence[Update]) -> None:
        """Give updates to those who listen to their topics."""
        fresh, self.fresh = self.fresh, {}
        for listener, topics in fresh.items():
            for topic in topics:
                whole = Update(topic, "trouble", self.error.data) if self.error else self.reader.now(topic)
                if whole is not None:
                    listener.put(whole)
        for update in updates:
            for listener, topics in self.listeners.items():
                told = update.topic in fresh.get(listener, ()) and update.log is None
                if update.topic in topics and not told:
                    listener.put(update)

    async def follow(self) -> None:
        """Read until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            pause = self.reader.every
            try:
                updates = await self.reader.read(self.topics)
                self.error = None
            except JobbersError as error:
                updates, pause = self._refused(error), AFTER_ERROR
            except Exception:
                log.exception("a topic of the event stream cannot be read; trying again")
                pause = AFTER_ERROR
                updates = ()
            self.tell(updates)
            rest = min(SHARE * (clock() - begun), LONGEST_REST)
            await asyncio.sleep(max(SOON, rest))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause - max(SOON, rest)):
                    await self.nudge.wait()
            self.nudge.clear()

    def _refused(self, error: JobbersError) -> Sequence[Update]:
        said = {
            "code": error.code,
            "message": str(error) if error.code == "not_found" else "it cannot be read now",
        }
        if self.error is not None and self.error.data == said:
            return ()
        updates = [Update(topic, "trouble", said) for topic in self.topics]
        self.error = updates[0] if updates else None
        return updates


class Hub:
    """All streams of one app in one event loop."""

    def __init__(self) -> None:
        self._watches: dict[object, Watch] = {}
        self.listeners: set[Listener] = set()

    @property
    def watched(self) -> int:
        """How many topics are read."""
        return len(self._watches)

    def room(self, topics: Sequence[Topic]) -> bool:
        """Whether another stream can be taken in."""
        fresh = {key_of(topic) for topic in topics} - self._watches.keys()
        return len(self.listeners) < MAX_LISTENERS and len(self._watches) + len(fresh) <= MAX_WATCHES

    def join(self, listener: Listener, make: MakeReader) -> None:
        """Begin to tell somebody; ``make`` makes the readers of topics that nobody listened to."""
        self.listeners.add(listener)
        for topic in listener.topics:
            watch = self._watches.get(key_of(topic))
            if watch is None:
                watch = self._watches[key_of(topic)] = Watch(make(topic))
            watch.listeners.setdefault(listener, set()).add(topic)
            watch.fresh.setdefault(listener, set()).add(topic)
            watch.nudge.set()
            if watch.task is None:
                watch.task = asyncio.create_task(watch.follow(), name=f"jobbers events {topic.text}")

    def reader(self, topic: Topic) -> Reader | None:
        """Who reads a topic, if somebody does."""
        watch = self._watches.get(key_of(topic))
        return watch.reader if watch else None

    def leave(self, listener: Listener) -> None:
        """Tell somebody nothing more, and read no more what only they wanted."""
        self.listeners.discard(listener)
        for topic in listener.topics:
            watch = self._watches.get(key_of(topic))
            if watch is None:
                continue
            watch.listeners.pop(listener, None)
            watch.fresh.pop(listener, None)
            if not watch.listeners:
                del self._watches[key_of(topic)]
                if watch.task is not None:
                    watch.task.cancel()


class MakeReader(Protocol):
    """Makes the reader of a topic."""

    def __call__(self, topic: Topic, /) -> Reader:
        """A new reader."""
        ...


def key_of(topic: Topic) -> Any:
    """Topics with one key share a reader: all that follow what ends do."""
    return "ended" if topic.kind == "ended" else topic


_HUBS: WeakKeyDictionary[Jobbers, tuple[asyncio.AbstractEventLoop, Hub]] = WeakKeyDictionary()


def hub_of(app: Jobbers) -> Hub:
    """The hub of an app in the running event loop."""
    loop = asyncio.get_running_loop()
    found = _HUBS.get(app)
    if found is None or found[0] is not loop:
        found = _HUBS[app] = (loop, Hub())
    return found[1]
