"""The verbs of limits and rates: define, change, look, and repair. All of them lie in the first shard, with the tasks that
they count; turns over keys lie wherever their tasks do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

from jobbers.core.limits import Definition
from jobbers.errors import NotFound
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.wire import Argument

SHARD = 0
"""Where limits are counted."""
MOST_MENDED = 100


class StoredLimit(NamedTuple):
    """What a limit or a rate allows now, and what the code says."""

    name: str
    definition: Definition
    amount_in_code: int


class GateUse(NamedTuple):
    """How one gate stands: one limit or rate, for one value of its key if it has one. ``used`` is in permits; ``held``
    names up to some tasks that have one, ``waiting`` counts its line, ``first`` are the first in it; ``next_ms`` is in how
    many ms the next start of a rate comes back."""

    gate: str
    used: int
    held: Sequence[str]
    waiting: int
    first: Sequence[str]
    next_ms: int | None


class LimitStore:
    """The verbs, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards
        self._keys = shards[SHARD]

    async def define(self, definitions: Mapping[str, Definition]) -> None:
        """Write what the code says. What was set live stays."""
        if definitions:
            rows = [word for name, definition in definitions.items() for word in (name, *definition)]
            await self._gateway.run("limit", self._keys.prefix, ["define", *rows])

    async def set(self, name: str, amount: int) -> None:
        """Allow so much from now on; who waits hears of it. Raises :class:`NotFound`."""
        await self._change(["set", name, amount])

    async def reset(self, name: str) -> None:
        """Allow what the code says. Raises :class:`NotFound`."""
        await self._change(["reset", name])

    async def _change(self, args: list[Argument]) -> None:
        if not await self._gateway.run("limit", self._keys.prefix, args):
            raise NotFound(
                f"there is no limit or rate {str(args[1])[:100]!r}: those of the code are written when an app opens"
            )

    async def listed(self) -> list[StoredLimit]:
        """All limits and rates by name."""
        pairs = await self._gateway.command("HGETALL", self._keys.limits)
        found = []
        for name, text in zip(pairs[::2], pairs[1::2], strict=True):
            words = text.split()
            if len(words) == 4 and all(word.isdigit() for word in words):
                amount, per, burst, default = map(int, words)
                found.append(
                    StoredLimit(name.decode(errors="replace"), Definition(amount, per, burst), default)
                )
        return sorted(found)

    async def lines(self, shard: int = SHARD) -> dict[str, int]:
        """How many wait, by gate, where anybody does."""
        keys = self._shards[shard]
        gates = sorted(
            item.decode(errors="replace") for item in await self._gateway.command("SMEMBERS", keys.gates)
        )
        counts = await self._gateway.commands(("ZCARD", keys.line(gate)) for gate in gates)
        return {
            gate: count for gate, count in zip(gates, counts, strict=True) if isinstance(count, int) and count
        }

    async def standing(self, shard: int, step: int) -> AsyncIterator[list[str]]:
        """The tasks in all lines of a shard, some at a time; one that leaves its line meanwhile may be left out."""
        keys = self._shards[shard]
        for gate in await self.lines(shard):
            cursor = -1
            while cursor:
                reply = await self._gateway.command("ZSCAN", keys.line(gate), max(cursor, 0), "COUNT", step)
                cursor = int(reply[0])
                yield [_text(item) for item in reply[1][::2]]

    async def use(self, gates: Sequence[str], shown: int = 10, shard: int = SHARD) -> list[GateUse]:
        """How gates stand, naming up to so many tasks each."""
        keys = self._shards[shard]
        seconds, micros = await self._gateway.command("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        commands: list[tuple[Argument, ...]] = []
        for gate in gates:
            permits, line = keys.permits(gate), keys.line(gate)
            commands += [
                ("ZCARD", permits),
                ("ZSCORE", permits, "#"),
                ("ZRANGEBYSCORE", permits, f"({now}", "inf", "WITHSCORES", "LIMIT", 0, shown + 1),
                ("ZRANGEBYSCORE", permits, "inf", "inf", "LIMIT", 0, shown),
                ("ZCARD", line),
                ("ZRANGE", line, 0, shown - 1),
            ]
        replies = await self._gateway.commands(commands)
        stands = []
        for place, gate in enumerate(gates):
            members, extra, back, held, waiting, first = replies[6 * place : 6 * place + 6]
            returning = [
                float(score) for score in _list(back)[1::2] if score != b"inf" and float(score) > 1e10
            ]
            stands.append(
                GateUse(
                    gate,
                    weight_in_use(members, extra),
                    [_text(permit).split(" ")[1] for permit in _list(held) if b" " in permit],
                    waiting if isinstance(waiting, int) else 0,
                    [_text(task_id) for task_id in _list(first)],
                    max(0, int(returning[0]) - now) if returning else None,
                )
            )
        return stands

    async def in_use(self, shard: int) -> list[str]:
        """The gates of which permits are out. Cost: one SCAN of the server's whole keyspace, in steps."""
        found: list[str] = []
        cursor = -1
        while cursor:
            cursor, keys = await self._gateway.command(
                "SCAN", max(cursor, 0), "MATCH", self._shards[shard].permits_pattern, "COUNT", 1000
            )
            found += [_text(key).removeprefix(self._shards[shard].permits("")) for key in keys]
            cursor = int(cursor)
        return sorted(found)

    async def mend(self, shard: int) -> list[tuple[str, str]]:
        """Give back what no living task holds, at some of the gates for which somebody waits. Returns gates and what was
        wrong."""
        keys = self._shards[shard]
        gates = await self._gateway.command("SRANDMEMBER", keys.gates, MOST_MENDED)
        if not gates:
            return []
        reply = await self._gateway.run("permits", keys.prefix, [1, *gates])
        words = [item.decode(errors="replace") for item in reply]
        return list(zip(words[::2], words[1::2], strict=True))

    async def wrong(self, shard: int, gates: Sequence[str]) -> list[tuple[str, str]]:
        """What is wrong with the permits of gates; changes nothing."""
        if not gates:
            return []
        reply = await self._gateway.run("permits", self._shards[shard].prefix, [0, *gates])
        words = [item.decode(errors="replace") for item in reply]
        return list(zip(words[::2], words[1::2], strict=True))


def weight_in_use(members: object, extra: object) -> int:
    """What the permits of a gate weigh: ``members`` of its set, and the score of ``#``, if it has that one."""
    if not isinstance(members, int):
        return 0
    return members - 1 + int(float(extra)) if isinstance(extra, bytes) else members


def _list(reply: object) -> list[bytes]:
    return reply if isinstance(reply, list) else []


def _text(word: bytes) -> str:
    return word.decode(errors="replace")
