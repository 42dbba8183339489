"""A caller is cancelled in the middle of a call: its answer must never be taken for another one's."""

from __future__ import annotations

import asyncio
import random

import pytest

from jobbers.store import connect
from jobbers.store.connect import ServerConnector
from jobbers.store.gateway import Gateway
from jobbers.store.url import parse


@pytest.mark.anyio
@pytest.mark.parametrize("fast", [True, False], ids=["hiredis", "redis-py"])
async def test_no_answer_goes_to_another_caller(
    jobbers_server: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "FAST", fast)
    gateway = Gateway(ServerConnector(parse(jobbers_server)), patience=5.0)
    chance = random.Random(7)
    cancelled = 0

    async def echo(number: int) -> None:
        text = f"{number} " * chance.randrange(1, 500)
        assert await gateway.command("ECHO", text) == text.encode()
        replies = await gateway.commands([("ECHO", f"{number}-{place}") for place in range(5)])
        assert replies == [f"{number}-{place}".encode() for place in range(5)]

    for _ in range(30):
        calls = [asyncio.create_task(echo(number)) for number in range(20)]
        await asyncio.sleep(chance.uniform(0, 0.003))
        for call in calls:
            if chance.random() < 0.5:
                call.cancel()
        for end in await asyncio.gather(*calls, return_exceptions=True):
            cancelled += isinstance(end, asyncio.CancelledError)
            assert end is None or isinstance(end, asyncio.CancelledError), end
    await asyncio.gather(*map(echo, range(100)))
    await gateway.close()
    assert cancelled > 5
