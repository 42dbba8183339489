"""Commands that wait for a replica go together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from jobbers.store.group_commit import GroupCommit, Unconfirmed
from jobbers.store.wire import Argument, Disconnected, ReplyError

pytestmark = pytest.mark.anyio


class Wire:
    """Answers each batch with what it is told to, and keeps the batches."""

    alive = True

    def __init__(self, *counts: Any) -> None:
        self.batches: list[list[tuple[Argument, ...]]] = []
        self._counts = list(counts)

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        raise NotImplementedError

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        batch = list(commands)
        self.batches.append(batch)
        await asyncio.sleep(0.01)
        count = self._counts.pop(0)
        if isinstance(count, Disconnected):
            raise count
        replies: list[Any] = [
            ReplyError("ERR no") if command == ("bad",) else command[0] for command in batch[:-1]
        ]
        return [*replies, count]

    async def close(self) -> None: ...


def commit(wire: Wire) -> GroupCommit:
    async def ready() -> Wire:
        return wire

    return GroupCommit(ready)


async def test_what_comes_while_one_is_under_way_goes_together() -> None:
    wire = Wire(1, 2)
    group = commit(wire)
    assert await asyncio.gather(*[group.call(number) for number in range(5)]) == [0, 1, 2, 3, 4]
    assert await group.call(5) == 5
    assert [len(batch) for batch in wire.batches] == [6, 2]
    assert all(batch[-1][0] == "WAIT" for batch in wire.batches)


async def test_without_a_replica_all_are_unconfirmed_but_those_that_were_refused() -> None:
    group = commit(Wire(0))
    first, second = await asyncio.gather(group.call("good"), group.call("bad"), return_exceptions=True)
    assert isinstance(first, Unconfirmed)
    assert str(second) == "ERR no"


async def test_all_learn_of_a_lost_connection_and_the_next_call_goes_on() -> None:
    wire = Wire(Disconnected("gone", sent=True), 1)
    group = commit(wire)
    found = await asyncio.gather(group.call("a"), group.call("b"), return_exceptions=True)
    assert [type(error) for error in found] == [Disconnected, Disconnected]
    assert await group.call("c") == "c"


async def test_a_caller_that_was_cancelled_does_not_hold_up_the_others() -> None:
    group = commit(Wire(1, 1))
    first, second = asyncio.create_task(group.call("a")), asyncio.create_task(group.call("b"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "b"


async def test_closing_ends_the_wait() -> None:
    group = commit(Wire(1))
    waiting = asyncio.create_task(group.call("a"))
    await asyncio.sleep(0.001)
    await group.close()
    with pytest.raises(Disconnected):
        await asyncio.wait_for(waiting, 20)
