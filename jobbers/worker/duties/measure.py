"""Tells how the cluster stands, for all its workers: whoever guards the first shard does it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jobbers.core.events import (
    Dispatcher,
    LimitMeasured,
    QueueMeasured,
    RunsCounted,
    SpreadMeasured,
    TasksCounted,
    Tell,
)
from jobbers.core.tallies import Tallies
from jobbers.errors import StoreError
from jobbers.limits import belongs
from jobbers.store.runs import RUN_TYPE
from jobbers.store.store import Store
from jobbers.task_type import TaskType

SPREAD_MINUTES = 5
MOST_GATES = 500
"""Of those for which somebody waits; the others of limits with a key are not looked at."""


class Measure:
    """See :class:`jobbers.worker.duties.Duty`. Once a minute it writes down how many tasks are ready, for the advice on
    workers; more often it looks only while somebody listens."""

    interval = 10.0

    def __init__(
        self, store: Store, events: Dispatcher, types: Mapping[str, TaskType[Any, Any]] | None = None
    ) -> None:
        self._store = store
        self._events = events
        self._types = types or {}
        self._sampled = self._spread_at = 0
        self._spread: list[SpreadMeasured] = []
        self._runs: list[RunsCounted] = []

    async def tick(self, shard: int) -> float:
        """Measure all queues once."""
        if shard != 0:
            return self.interval
        minute = await self._store.inspect.now_ms() // 60_000
        tell = self._events.tell
        if tell is None and minute == self._sampled:
            return self.interval
        queues = await self._store.inspect.queues()
        if minute != self._sampled:
            with contextlib.suppress(StoreError):  # a full server takes no sample, and that does no harm
                await self._store.statistics.sample(minute, {queue.name: queue.depth for queue in queues})
            self._sampled = minute
        if tell is not None:
            for queue in queues:
                tell(QueueMeasured(queue.name, queue.depth, queue.oldest_seconds, queue.paused))
            await self._tell_more(tell, minute)
        return self.interval

    async def _tell_more(self, tell: Tell, minute: int) -> None:
        for status, number in (await self._store.inspect.counts()).items():
            tell(TasksCounted(status, number))
        for measured in await self._limits():
            tell(measured)
        if minute != self._spread_at:
            queues = {name: it.policy.queues for name, it in self._types.items()}
            self._spread = spreads(await self._store.statistics.by_shard(minute, SPREAD_MINUTES), queues)
            self._runs = runs_of((await self._store.statistics.minutes(minute - 1, 1))[minute - 1])
            self._spread_at = minute
        for spread in self._spread:
            tell(spread)
        for runs in self._runs:
            tell(runs)

    async def _limits(self) -> list[LimitMeasured]:
        names = [stored.name for stored in await self._store.limits.listed()]
        if not names:
            return []
        lines = await self._store.limits.lines()
        gates = sorted({*names, *sorted(lines, key=lambda gate: -lines[gate])[:MOST_GATES]})
        used = {it.gate: it.used for it in await self._store.limits.use(gates, 1)}
        return [
            LimitMeasured(
                name,
                sum(number for gate, number in used.items() if belongs(gate, name)),
                sum(number for gate, number in lines.items() if belongs(gate, name)),
            )
            for name in names
        ]


def runs_of(tallies: Tallies) -> list[RunsCounted]:
    """How the runs ended that ended then."""
    return [
        RunsCounted(name.removeprefix(RUN_TYPE), outcome, number)
        for name, tally in sorted(tallies.by_type().items())
        if name.startswith(RUN_TYPE)
        for outcome, number in sorted(tally.outcomes.items())
    ]


def spreads(shards: Sequence[Tallies], queues: Mapping[str, Sequence[str]]) -> list[SpreadMeasured]:
    """How unevenly tasks lay that have ended: over the shards if there are several, and those of each type that has several
    queues over them. Where none has ended there is nothing to tell."""
    found = []
    if len(shards) > 1:
        skew = _skew([sum(tally.ended for tally in shard.types.values()) for shard in shards])
        found += [SpreadMeasured("shards", "", len(shards), skew)] if skew else []
    by_place: Counter[tuple[str, str]] = Counter()
    for shard in shards:
        for place, tally in shard.types.items():
            by_place[place] += tally.ended
    for name, names in sorted(queues.items()):
        if len(names) > 1:
            skew = _skew([by_place[queue, name] for queue in names])
            found += [SpreadMeasured("queues", name, len(names), skew)] if skew else []
    return found


def _skew(numbers: Sequence[int]) -> float:
    """The share of the largest times how many there are; 0 when there is nothing."""
    total = sum(numbers)
    return max(numbers) * len(numbers) / total if total else 0.0
