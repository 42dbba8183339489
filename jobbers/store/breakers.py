"""The verbs of breakers: define, look, open and close. They lie in the first shard, with the tasks behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jobbers.core.limits import BREAKER, BreakerRule
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.limits import SHARD
from jobbers.store.wire import Argument

MOST_LISTED = 1_000
"""Most keys whose breakers are listed, those first that have opened or half-open first."""
BUDGET_WINDOW_MS = 60_000
FOR_EVER_MS = 9_000_000_000_000_000


class BreakerUse(NamedTuple):
    """How a breaker stands, for one value of its key: ``gate`` is its name with that key. It is closed if ``open_ms`` is
    ``None``, open for so many ms if that is above 0 (-1: until it is reset), and half-open if it is 0. Of ``ended``
    attempts within its window ``failed`` have failed; ``waiting`` tasks stand in its line."""

    gate: str
    open_ms: int | None
    ended: int
    failed: int
    waiting: int


class RetryUse(NamedTuple):
    """How a retry budget stands: of the last minute the first attempts, and the retries within the share; ``wait_ms`` is
    how much longer than asked for the next retry over it has to wait, in the shard where that is longest."""

    firsts: int
    retries: int
    wait_ms: int


class BreakerStore:
    """The verbs, for a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards
        self._keys = shards[SHARD]

    async def define(self, rules: Mapping[str, BreakerRule]) -> None:
        """Write what the code says."""
        for name, rule in rules.items():
            await self._run("define", name, " ".join(map(str, rule)))

    async def rules(self) -> dict[str, BreakerRule]:
        """What breakers say, by name."""
        pairs = await self._gateway.command("HGETALL", self._keys.breakers)
        found = {}
        for name, text in zip(pairs[::2], pairs[1::2], strict=True):
            words = text.split()
            if len(words) == len(BreakerRule._fields) and all(word.isdigit() for word in words):
                found[name.decode(errors="replace")] = BreakerRule(*map(int, words))
        return dict(sorted(found.items()))

    async def tripped(self) -> list[str]:
        """Names, with their keys, of breakers that are not closed."""
        gates = await self._gateway.command("ZRANGE", self._keys.tripped, 0, MOST_LISTED - 1)
        return sorted(gate.decode(errors="replace").removeprefix(BREAKER) for gate in gates)

    async def use(self, names: Mapping[str, BreakerRule]) -> list[BreakerUse]:
        """How breakers stand; ``names`` with their keys."""
        seconds, micros = await self._gateway.command("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        commands: list[tuple[Argument, ...]] = []
        for name in names:
            gate = BREAKER + name
            commands += [
                ("ZSCORE", self._keys.tripped, gate),
                ("GET", self._keys.outcomes(gate)),
                ("ZCARD", self._keys.line(gate)),
            ]
        replies = await self._gateway.commands(commands)
        found = []
        for place, (name, rule) in enumerate(names.items()):
            till, text, waiting = replies[3 * place : 3 * place + 3]
            ended, failed = _sums(text, rule.window_ms, now)
            found.append(
                BreakerUse(name, _left(till, now), ended, failed, waiting if isinstance(waiting, int) else 0)
            )
        return found

    async def trip(self, name: str, for_ms: int) -> bool:
        """Open one, by its name with its key, for so many ms; 0: until it is reset. Returns whether there is one."""
        return await self._run("trip", BREAKER + name, for_ms)

    async def reset(self, name: str) -> bool:
        """Close one, and forget how attempts ended; who waits goes on. Returns whether there is one."""
        return await self._run("reset", BREAKER + name)

    async def retries(self) -> RetryUse:
        """How the retry budget stands."""
        seconds, micros = await self._gateway.command("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        firsts = retries = wait = 0
        for keys in self._shards:
            text, slot = await self._gateway.commands([("GET", keys.retries), ("GET", keys.retry_slot)])
            sums = _sums(text, BUDGET_WINDOW_MS, now)
            firsts, retries = firsts + sums[0], retries + sums[1]
            if isinstance(slot, bytes):
                wait = max(wait, int(float(slot)) - now)
        return RetryUse(firsts, retries, wait)

    async def reset_retries(self) -> None:
        """Forget what the budget has seen. What waits keeps its time."""
        for keys in self._shards:
            await self._gateway.commands([("DEL", keys.retries, keys.retry_slot)])

    async def _run(self, *args: Argument) -> bool:
        return bool(await self._gateway.run("breaker", self._keys.prefix, list(args)))


def _left(till: object, now: int) -> int | None:
    if not isinstance(till, bytes):
        return None
    until = float(till)
    return -1 if until >= FOR_EVER_MS else max(0, int(until) - now)


def _sums(text: object, window_ms: int, now: int) -> tuple[int, int]:
    """Both counts of what ``tallied`` keeps: see ``store/lua/_breakers.lua``."""
    numbers = [int(word) for word in text.split() if word.isdigit()] if isinstance(text, bytes) else []
    tenth = int(now / max(1, window_ms / 10))
    fresh = [place for place in range(0, len(numbers) - 2, 3) if tenth - 10 < numbers[place] <= tenth]
    return sum(numbers[place + 1] for place in fresh), sum(numbers[place + 2] for place in fresh)
