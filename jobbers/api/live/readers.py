"""The readers of all kinds of topics. Each gives what the route of the same subject gives."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from jobbers.api.live.hub import Reader
from jobbers.api.live.topics import Topic
from jobbers.api.live.updates import Update
from jobbers.api.live.views import EVERY, SEARCH, dumped, view_of
from jobbers.api.run_views import RunView
from jobbers.app import Jobbers
from jobbers.store.feed import Batch, FeedStore, Position, read_position, write_position

CATCH_UP = 4
"""How many reads in a row the ended tasks may take when they come fast."""


def reader_of(app: Jobbers, topic: Topic) -> Reader:
    """The reader of a topic."""
    match topic.kind:
        case "run":
            return RunReader(app, topic)
        case "ended":
            return EndedReader(app)
        case _:
            return ViewReader(app, topic)


class ViewReader:
    """Reads a view as a whole, and tells of it when it is another one."""

    def __init__(self, app: Jobbers, topic: Topic) -> None:
        self._app = app
        self._topic = topic
        self._last: Update | None = None
        self.every = SEARCH if topic.chosen else EVERY.get(topic.kind, 0.5)

    async def read(self, topics: Collection[Topic]) -> Sequence[Update]:  # noqa: ARG002 - it has but one
        """See :class:`Reader`."""
        data = await view_of(self._app, self._topic)
        if self._last is not None and _still(data) == _still(self._last.data):
            return ()
        self._last = Update(self._topic, self._topic.kind, data)
        return (self._last,)

    def now(self, topic: Topic) -> Update | None:  # noqa: ARG002 - it has but one
        """See :class:`Reader`."""
        return self._last


class RunReader:
    """Reads a run, and tells of the nodes that have moved."""

    every = 0.5

    def __init__(self, app: Jobbers, topic: Topic) -> None:
        self._app = app
        self._topic = topic
        self._nodes: dict[str, Any] = {}
        self._data: dict[str, Any] | None = None
        self._whole: Update | None = None

    async def read(self, topics: Collection[Topic]) -> Sequence[Update]:  # noqa: ARG002 - it has but one
        """See :class:`Reader`."""
        data = dumped(await RunView.of(self._app.run(self._topic.name)))
        nodes = {node["name"]: node for node in data.pop("nodes")}
        moved = {name: node for name, node in nodes.items() if self._nodes.get(name) != node}
        first = self._data is None
        if not moved and data == self._data:
            return ()
        self._nodes, self._data = nodes, data
        self._whole = Update(self._topic, "run", data, nodes)
        return (self._whole if first else Update(self._topic, "run", data, moved, whole=False),)

    def now(self, topic: Topic) -> Update | None:  # noqa: ARG002 - it has but one
        """See :class:`Reader`."""
        return self._whole


class EndedReader:
    """Reads what ends, for all topics that follow it."""

    every = 0.25

    def __init__(self, app: Jobbers) -> None:
        self._app = app
        self.position: Position | None = None
        self.began: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        """Where it began to read."""

    async def read(self, topics: Collection[Topic]) -> Sequence[Update]:
        """See :class:`Reader`."""
        feed = (await self._app.client()).store.feed
        if self.position is None:
            self.position = await feed.end()
            if not self.began.done():
                self.began.set_result(self.position)
            return [update for topic in topics if (update := self.now(topic))]
        updates: list[Update] = []
        for _ in range(CATCH_UP):
            batch = await feed.since(self.position)
            if batch.ended or batch.missed:
                updates += await _told(feed, batch, topics)
            self.position = batch.position
            if not batch.more:
                break
        return updates

    def now(self, topic: Topic) -> Update | None:
        """See :class:`Reader`: nothing but the position from which on more is told."""
        if self.position is None:
            return None
        return Update(topic, "ended", {"missed": False}, log=(), position=write_position(self.position))

    async def replay(self, after: str, until: Position, topics: Collection[Topic]) -> list[Update]:
        """What ended between two positions. What is no longer known is said to be missed."""
        feed = (await self._app.client()).store.feed
        position = read_position(after, len(until))
        if position is None:  # of a namespace with another number of shards, say
            there = write_position(until)
            return [Update(topic, "ended", {"missed": True}, log=(), position=there) for topic in topics]
        updates: list[Update] = []
        more = True
        while more:
            batch = await feed.since(position, until)
            updates += await _told(feed, batch, topics)
            position, more = batch.position, batch.more
        return updates


async def _told(feed: FeedStore, batch: Batch, topics: Collection[Topic]) -> list[Update]:
    kinds = await feed.kinds([task_id for task_id, _ in batch.ended])
    tasks = [
        {"id": task_id, "status": status, "type": kind and kind[0], "queue": kind and kind[1]}
        for (task_id, status), kind in zip(batch.ended, kinds, strict=True)
    ]
    position = write_position(batch.position)
    return [
        Update(
            topic,
            "ended",
            {"missed": batch.missed},
            log=tuple(
                it for it in tasks if topic.type in (None, it["type"]) and topic.queue in (None, it["queue"])
            ),
            position=position,
        )
        for topic in topics
    ]


def _still(data: Any) -> Any:
    """What was read, without what is another with every read."""
    return {name: value for name, value in data.items() if name != "now"}
