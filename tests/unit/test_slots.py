"""Places of a worker: never more taken than there are, and nobody waits when some are free."""

from __future__ import annotations

import asyncio

from jobbers.worker.slots import Slots


async def test_no_more_are_taken_than_are_free() -> None:
    slots = Slots(3)
    assert [slots.take(2), slots.take(2), slots.take(2)] == [2, 1, 0]


async def test_a_full_worker_waits_until_a_place_is_given_back() -> None:
    slots = Slots(1)
    slots.take(1)
    waiting = asyncio.create_task(slots.some())
    await asyncio.sleep(0)
    slots.give(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give(1)
    await waiting


async def test_several_claimers_share_places() -> None:
    slots = Slots(10)
    most = 0

    async def claimer() -> None:
        nonlocal most
        for _ in range(50):
            await slots.some()
            await asyncio.sleep(0)
            taken = slots.take(7)
            most = max(most, 10 - slots.free)
            await asyncio.sleep(0)
            slots.give(taken)

    await asyncio.gather(*(claimer() for _ in range(5)))
    assert (slots.free, most <= 10) == (10, True)
