"""What many ask for at the same time is read once, and never before somebody asked."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.api.coalescing import Answer, Coalescing

pytestmark = pytest.mark.anyio


class Source:
    """A value that takes a moment to be read."""

    def __init__(self) -> None:
        self.reads = Coalescing()
        self.value = 0
        self.begun = 0
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None

    async def _read(self) -> Answer:
        self.begun += 1
        seen = self.value
        await asyncio.sleep(0)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return Answer(200, (), b"%d" % seen)

    async def ask(self, key: str = "it") -> bytes:
        return (await self.reads.read(key, self._read)).body


@pytest.fixture
async def source() -> Source:
    return Source()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_come_meanwhile_share_the_next_read(source: Source) -> None:
    source.go.clear()
    first = asyncio.create_task(source.ask())
    await turn()
    source.value = 1  # written after the first read has looked
    others = [asyncio.create_task(source.ask()) for _ in range(50)]
    await turn()
    source.go.set()
    assert await first == b"0"
    assert await asyncio.gather(*others) == [b"1"] * 50
    assert source.begun == 2
    assert await source.ask() == b"1"
    assert source.begun == 3


async def test_other_keys_do_not_wait(source: Source) -> None:
    source.go.clear()
    both = [asyncio.create_task(source.ask(key)) for key in ("one", "two")]
    await turn()
    assert source.begun == 2
    source.go.set()
    assert await asyncio.gather(*both) == [b"0", b"0"]


async def test_all_hear_of_an_error(source: Source) -> None:
    source.go.clear()
    source.error = ValueError("no")
    asked = [asyncio.create_task(source.ask()) for _ in range(10)]
    await turn()
    source.go.set()
    assert all(isinstance(it, ValueError) for it in await asyncio.gather(*asked, return_exceptions=True))
    assert source.begun == 2
    source.error = None
    assert await source.ask() == b"0"


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2, 3]])
async def test_who_hangs_up_takes_no_answer_from_the_others(source: Source, gone: list[int]) -> None:
    source.go.clear()
    asked = [asyncio.create_task(source.ask()) for _ in range(5)]
    await turn()
    for number in gone:
        asked[number].cancel()
    await turn()
    source.go.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    for number, answer in enumerate(found):
        assert isinstance(answer, asyncio.CancelledError) if number in gone else answer == b"0"


async def test_nothing_is_kept(source: Source) -> None:
    await asyncio.gather(*(source.ask(str(number % 7)) for number in range(100)))
    task = asyncio.create_task(source.ask())
    await asyncio.sleep(0)
    task.cancel()
    await turn()
    assert not source.reads._running
    assert not source.reads._next
