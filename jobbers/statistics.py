"""Statistics of queues and workers over the last minutes, and advice: put together from what the store reads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobbers.core.advice import Advice, Observed, advise
from jobbers.core.tallies import RETRIED, Ran, Tallies, Tally, combined
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo
from jobbers.store.store import Store

ALIVE_SECONDS = 10.0
"""A worker that has been silent for longer is not counted on. It says something every two seconds."""
ADVICE_MINUTES = 5
SHORTEST_SECONDS = 0.001
"""The server counts whole ms, so that very short tasks seem to take no time at all."""
RUN_TIME_MINUTES = 60
"""How far back run times are looked for, where the last minutes have none."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """A queue: where its tasks stand now, and what became of them within the minutes that were asked for.

    ``places`` has ``ready``, ``parked``, ``scheduled``, ``running``, ``dead``; ``workers`` serve it now, ``seen`` did so
    within those minutes; ``slots`` is the concurrency of its workers, which may serve other queues, too. ``history`` and
    ``depths`` are by minute: outcomes, and how many tasks were ready when it began (``None``: nobody looked).
    """

    name: str
    places: Mapping[str, int]
    oldest_seconds: float
    paused: bool
    workers: int
    seen: int
    slots: int
    tally: Tally
    history: Mapping[int, Counter[str]]
    depths: Mapping[int, int | None]


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A worker of the last minutes: the queues that it served, whether it is alive, and what it ended early."""

    id: str
    queues: Sequence[str]
    alive: bool
    tally: Tally


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it. ``since_ms`` is when the first of the minutes began; ``exact`` whether every number of ``places`` was
    counted rather than scaled up; ``types`` are the tallies by (queue, type)."""

    now_ms: int
    since_ms: int
    exact: bool
    queues: Sequence[QueueStatistics]
    workers: Sequence[WorkerStatistics]
    types: Mapping[tuple[str, str], Tally] = field(default_factory=dict)


async def gather_statistics(store: Store, minutes: int) -> Statistics:
    """Statistics of the last ``minutes``, the present one among them. Costs one small read a minute and shard, and one
    for each task that is scheduled, running or dead, up to 10,000 of each."""
    now = await store.inspect.now_ms()
    last = now // 60_000
    since = (last - minutes + 1) * 60_000
    counted, places, served, queues, roll = await asyncio.gather(
        store.statistics.minutes(last, minutes),
        store.statistics.places(),
        store.statistics.served(since),
        store.inspect.queues(),
        store.control.workers(),
    )
    total = combined(counted)
    tallies = total.by_queue()
    infos = {queue.name: queue for queue in queues}
    alive = _alive(roll)
    names = sorted({*infos, *tallies, *places.by_queue, *served})
    return Statistics(
        now_ms=now,
        since_ms=since,
        exact=places.exact,
        queues=[
            QueueStatistics(
                name=name,
                places={
                    "ready": _depth(infos.get(name)),
                    "parked": infos[name].parked if name in infos else 0,
                    **{
                        it: places.by_queue.get(name, Counter())[it]
                        for it in ("scheduled", "running", "dead")
                    },
                },
                oldest_seconds=infos[name].oldest_seconds if name in infos else 0.0,
                paused=name in infos and infos[name].paused,
                workers=sum(it.claims_from(name) for it in alive.values()),
                seen=len(served.get(name, ())),
                slots=sum(it.slots for it in alive.values() if it.claims_from(name)),
                tally=tallies.get(name, Tally()),
                history={minute: _outcomes(it, name) for minute, it in sorted(counted.items())},
                depths={minute: it.ready[name] if it.sampled else None for minute, it in counted.items()},
            )
            for name in names
        ],
        workers=_workers(total, served, alive),
        types=total.types,
    )


async def gather_advice(store: Store, target_wait: float, queue: str | None = None) -> list[Advice]:
    """Advice for all queues, or for one: from the last five minutes, and for run times from the last hour if need be.
    A queue that nothing is known of has no advice."""
    now = await store.inspect.now_ms()
    last = now // 60_000
    counted, queues, roll = await asyncio.gather(
        store.statistics.minutes(last, RUN_TIME_MINUTES), store.inspect.queues(), store.control.workers()
    )
    recent = {minute: it for minute, it in counted.items() if minute > last - ADVICE_MINUTES}
    # The samples of depth are from the begin of their minutes, so the oldest one is where counting begins.
    first = min((minute for minute, it in recent.items() if it.sampled), default=min(recent))
    recent = {minute: it for minute, it in recent.items() if minute >= first}
    before = counted[first]
    tallies, hour = combined(recent).by_queue(), combined(counted).by_queue()
    alive = _alive(roll)
    infos = {it.name: it for it in queues}
    found = []
    for name in sorted({*infos, *hour} if queue is None else {queue} & {*infos, *hour}):
        tally = tallies.get(name, Tally())
        ran: Ran = tally.ran if tally.ran.count else hour.get(name, Tally()).ran
        workers = [it for it in alive.values() if it.claims_from(name)]
        seen = Observed(
            queue=name,
            seconds=now / 1000 - first * 60,
            left=tally.ended + tally.outcomes[RETRIED],
            ready=_depth(infos.get(name)),
            ready_before=before.ready[name] if before.sampled else None,
            ran_seconds=None if ran.mean is None else max(ran.mean, SHORTEST_SECONDS),
            workers=len(workers),
            slots=sum(it.slots for it in workers),
            paused=name in infos and infos[name].paused,
            busy=any(it.running for it in alive.values() if name in it.queues)
            or (name in infos and infos[name].parked > 0),
        )
        found.append(advise(seen, target_wait))
    return found


@dataclass(frozen=True, slots=True)
class _Present:
    queues: frozenset[str]
    slots: int
    running: int
    paused: bool

    def claims_from(self, queue: str) -> bool:
        """Whether it takes tasks of a queue: one that was told to pause only ends what it runs."""
        return queue in self.queues and not self.paused


def _alive(roll: Sequence[WorkerInfo]) -> dict[str, _Present]:
    """The workers that are there and do not end, by id."""
    return {
        it.id: _Present(
            frozenset(it.facts.get("queues", "").split(",")),
            _whole(it.facts.get("concurrency")),
            _whole(it.facts.get("running")),
            it.facts.get("paused") == "1",
        )
        for it in roll
        if it.silent_seconds <= ALIVE_SECONDS and it.facts.get("stopping") != "1"
    }


def _workers(
    total: Tallies, served: Mapping[str, set[str]], alive: Mapping[str, _Present]
) -> list[WorkerStatistics]:
    queues: dict[str, set[str]] = {}
    for queue, workers in served.items():
        for worker in workers:
            queues.setdefault(worker, set()).add(queue)
    return [
        WorkerStatistics(name, sorted(queues.get(name, ())), name in alive, total.workers.get(name, Tally()))
        for name in sorted({*queues, *total.workers})
    ]


def _outcomes(tallies: Tallies, queue: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, _), tally in tallies.types.items():
        if name == queue:
            found.update(tally.outcomes)
    return found


def _depth(info: QueueInfo | None) -> int:
    return 0 if info is None else info.depth


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else 0
