"""Calls that may be repeated: one answer, one at a time, and who died in between is relieved."""

from __future__ import annotations

import asyncio

from jobbers.store.once import Begun
from jobbers.store.store import Store

LEASE = 60_000


async def begin(store: Store, owner: str, fingerprint: str = "call", *, lease_ms: int = LEASE) -> Begun:
    return await store.once.begin(
        "place", owner, fingerprint, seed=f"seed of {owner}", lease_ms=lease_ms, kept_ms=LEASE
    )


async def test_an_answer_is_kept(store: Store) -> None:
    assert await begin(store, "a") == Begun("run", seed="seed of a")
    assert await store.once.finish("place", "a", b"\xff answer", LEASE)
    assert await begin(store, "b") == Begun("done", answer=b"\xff answer")
    assert await begin(store, "b", "another call") == Begun("other")
    key = f"{store.keys.prefix}:once:place"
    assert 0 < await store.gateway.command("PTTL", key) <= LEASE


async def test_one_at_a_time(store: Store) -> None:
    states = [begun.state for begun in await asyncio.gather(*[begin(store, f"{it}") for it in range(20)])]
    assert sorted(set(states)) == ["busy", "run"]
    assert states.count("run") == 1
    assert 0 < (await begin(store, "late")).wait_ms <= LEASE


async def test_who_died_is_relieved_and_hears_of_it(store: Store) -> None:
    assert (await begin(store, "a", lease_ms=1)).state == "run"
    await asyncio.sleep(0.01)
    assert await begin(store, "b") == Begun("run", seed="seed of a")
    assert not await store.once.extend("place", "a", LEASE)
    assert not await store.once.finish("place", "a", b"late", LEASE)
    assert not await store.once.forget("place", "a")
    assert await store.once.finish("place", "b", b"answer", LEASE)
    assert (await begin(store, "c")).answer == b"answer"


async def test_a_lease_is_extended(store: Store) -> None:
    assert (await begin(store, "a", lease_ms=1)).state == "run"
    assert await store.once.extend("place", "a", LEASE)
    await asyncio.sleep(0.01)
    assert (await begin(store, "b")).state == "busy"


async def test_what_was_not_done_may_be_done(store: Store) -> None:
    await begin(store, "a")
    assert await store.once.leave("place", "a")
    assert (await begin(store, "b", "another call")).state == "other"
    assert await begin(store, "b") == Begun("run", seed="seed of a")
    assert await store.once.forget("place", "b")
    assert await begin(store, "c", "another call") == Begun("run", seed="seed of c")
