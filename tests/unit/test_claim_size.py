"""How many tasks a worker claims at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from jobbers.core.lanes import Lane
from jobbers.core.roles import Role
from jobbers.settings import Settings
from jobbers.store.tasks import Taken
from jobbers.worker.claimer import Claimer, most_at_once, next_batch
from jobbers.worker.slots import Slots


@pytest.mark.parametrize(("total", "expected"), [(1, 1), (2, 1), (3, 2), (100, 50)])
def test_at_most_half_of_the_slots(total: int, expected: int) -> None:
    assert most_at_once(total) == expected


@pytest.mark.parametrize("total", [1, 2, 7, 20, 100, 10_000])
def test_long_tasks_bring_the_batch_down_and_short_ones_up_again(total: int) -> None:
    batch = most_at_once(total)
    for _ in range(20):
        batch = next_batch(batch, 0, total)
    assert batch == max(1, -(-total // 20))
    for _ in range(20):
        batch = next_batch(batch, total, total)
    assert batch == most_at_once(total)


def test_half_of_the_slots_free_counts_as_short() -> None:
    assert next_batch(10, 50, 100) == 20
    assert next_batch(10, 49, 100) == 5


class Plenty:
    """A store with tasks without end, and a runner that says after each start when its place is free again."""

    def __init__(self, places: int, runs: Callable[[int, Callable[[], None]], None]) -> None:
        self.slots = Slots(places)
        self.claims: list[int] = []
        self.started = 0
        self.waiting_at_a_claim = 0
        self._runs = runs
        self.claimer = Claimer(
            self_as_store(self),
            Settings(),
            self_as_store(self),
            SimpleNamespace(backlog=0, release=None),  # type: ignore[arg-type]
            worker="w",
            shard=0,
            role=Role({"default": 1}),
            slots=self.slots,
        )

    async def claim(self, _shard: int, _owner: str, _lanes: Any, wanted: int, *_: Any) -> Taken:
        self.waiting_at_a_claim = max(self.waiting_at_a_claim, sum(self.claims) - self.started)
        await asyncio.sleep(0)
        self.claims.append(wanted)
        taken = Taken([SimpleNamespace(crashes=0)] * wanted)  # type: ignore[list-item]
        taken.more = True
        return taken

    def start(self, *_: Any) -> None:
        self.started += 1
        self._runs(self.started, lambda: self.slots.give(1))

    async def open_lanes(self, *_: Any) -> None: ...

    async def used_lanes(self, _shard: int) -> set[Lane]:
        return {Lane("default", 5)}

    async def claim_until(self, tasks: int) -> list[int]:
        """Claim so many tasks; returns how many each claim took."""
        claiming = asyncio.create_task(self.claimer.run())
        async with asyncio.timeout(30):
            while self.started < tasks:  # noqa: ASYNC110 - the loop is to turn
                await asyncio.sleep(0)
        self.claimer.stop()
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
        return self.claims


def self_as_store(plenty: Plenty) -> Any:
    gateway = SimpleNamespace(events=SimpleNamespace(tell=None))
    return SimpleNamespace(tasks=plenty, start=plenty.start, gateway=gateway)


async def test_long_tasks_come_one_by_one_once_the_worker_is_full() -> None:
    """They end at different times: each frees one place, for which one task is claimed."""
    plenty = Plenty(20, lambda number, free: after(100 + 50 * (number % 20), free))
    claims = await plenty.claim_until(100)
    later = claims[len(claims) // 2 :]
    assert sum(later) / len(later) < 2
    assert plenty.waiting_at_a_claim == 0


async def test_short_tasks_come_in_hundreds() -> None:
    plenty = Plenty(1000, lambda _, free: after(1, free))
    claims = await plenty.claim_until(20_000)
    later = claims[len(claims) // 2 :]
    assert sum(later) / len(later) >= 200
    assert plenty.waiting_at_a_claim == 0


def after(turns: int, call: Callable[[], None]) -> None:
    """Call it after so many turns of the loop: as long as a task takes, whatever the machine."""
    loop = asyncio.get_running_loop()
    if turns > 1:
        loop.call_soon(after, turns - 1, call)
    else:
        loop.call_soon(call)
