"""Limits and rates as programs see them: defined in code with the task types, looked at and changed while workers run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from jobbers.client import Client
from jobbers.core.limits import (
    Breaker,
    Definition,
    Fair,
    Gates,
    Key,
    Limit,
    Rate,
    check_amount,
    check_limit_name,
)
from jobbers.errors import ConfigError, InvalidInput, NotFound
from jobbers.store.limits import GateUse, StoredLimit

SHOWN = 10
MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How a limit or a rate stands for one value of its key: ``key`` is ``None`` if it has none. ``used`` permits of those
    allowed are taken, by the tasks ``held_by`` (some of them); ``waiting`` tasks stand in line, ``first`` are the first of
    them. ``next_in`` seconds pass until a start of a rate counts no more."""

    name: str
    key: str | None
    used: int
    held_by: Sequence[str]
    waiting: int
    first: Sequence[str]
    next_in: float | None


@dataclass(frozen=True, slots=True)
class LimitState:
    """What a limit or a rate allows: ``amount`` at a time, or starts in ``per`` seconds, up to ``burst`` at once if they
    are spread evenly. ``amount_in_code`` is what it was before somebody changed it. ``waiting`` counts those who wait for
    it, whatever their key."""

    name: str
    amount: int
    per: float | None
    burst: int | None
    amount_in_code: int
    waiting: int


class Limits:
    """The limits and rates of an app; as ``app.limits``."""

    def __init__(self, client: Callable[[], Awaitable[Client]]) -> None:
        self._client = client
        self.defined: dict[str, Definition] = {}
        self.of_queues: dict[str, Gates] = {}

    def define_queue(
        self, queue: str, limits: Sequence[Limit], rates: Sequence[Rate], fair_by: Key | Fair | None
    ) -> None:
        """Those of a queue, for tasks of all types. Raises :class:`ConfigError`, :class:`InvalidInput`."""
        if queue in self.of_queues:
            raise ConfigError(f"queue {queue!r} is described already: say all that holds for it in one place")
        if per_worker(limits) is not None:
            raise InvalidInput(
                "a limit per worker belongs to a task type: its queues are then claimed by that bound"
            )
        gates = gates_of(f"@{queue}", f"queue {queue!r}", limits, rates, fair_by)
        self.define(gates)
        self.of_queues[queue] = gates

    def define(self, gates: Gates) -> None:
        """Those of a task type or a queue. Raises :class:`ConfigError` when one of its names has another meaning."""
        for name, definition in gates.definitions.items():
            if self.defined.setdefault(name, definition) != definition:
                raise ConfigError(
                    f"limit {name!r} is defined twice, with different amounts: limits of one name are one limit"
                )

    async def list(self) -> Sequence[LimitState]:
        """All limits and rates by name."""
        store = (await self._client()).store
        lines = await store.limits.lines()
        return [_state(stored, lines) for stored in await store.limits.listed()]

    async def get(self, name: str) -> LimitState:
        """One of them. Raises :class:`NotFound`."""
        check_limit_name(name)
        found = next((state for state in await self.list() if state.name == name), None)
        if found is None:
            raise NotFound(
                f"there is no limit or rate {name!r}: those of the code are written when an app opens"
            )
        return found

    async def uses(self, name: str, shown: int = SHOWN) -> Sequence[LimitUse]:
        """How it stands, for each value of its key for which somebody waits; without a key once. Raises
        :class:`NotFound`."""
        state = await self.get(name)
        store = (await self._client()).store
        gates = [gate for gate in await store.limits.lines() if belongs(gate, state.name)][:MOST_SHOWN]
        return [_use(use) for use in await store.limits.use(gates or [name], shown)]

    async def set(self, name: str, amount: int) -> None:
        """Allow ``amount`` from now on. Who waits for more hears of it within a second; what runs goes on. Raises
        :class:`NotFound`, :class:`InvalidInput`."""
        check_amount(amount, f"limit {check_limit_name(name)!r}")
        await (await self._client()).store.limits.set(name, amount)

    async def reset(self, name: str) -> None:
        """Allow what the code says. Raises :class:`NotFound`."""
        await (await self._client()).store.limits.reset(check_limit_name(name))


def gates_of(
    base: str,
    whose: str,
    limits: Sequence[Limit],
    rates: Sequence[Rate],
    fair_by: Key | Fair | None,
    breaker: Breaker | None = None,
) -> Gates:
    """The gates of a task type or a queue. Raises :class:`InvalidInput`."""
    for given, kind in ((limits, Limit), (rates, Rate)):
        for one in given:
            if not isinstance(one, kind):
                raise InvalidInput(
                    f"{kind.__name__.lower()}s of {whose} are a list of {kind.__name__}(…), got {one!r}"
                )
    if breaker is not None and not isinstance(breaker, Breaker):
        raise InvalidInput(f"the breaker of {whose} is a Breaker(…), got {breaker!r}")
    fair = fair_by if isinstance(fair_by, Fair) or fair_by is None else Fair(fair_by)
    return Gates(base, whose, limits, rates, fair, breaker=breaker)


def per_worker(limits: Sequence[Limit]) -> int | None:
    """How many executions one worker may have at a time; ``None`` if that is not limited."""
    return min((limit.max for limit in limits if limit.per == "worker"), default=None)


def belongs(gate: str, name: str) -> bool:
    """Whether a gate is one of a limit's: for a value of its key, or in a queue."""
    base = gate.partition("=")[0]
    return base == name or (name.endswith("@") and base.startswith(name))


def _state(stored: StoredLimit, lines: dict[str, int]) -> LimitState:
    definition = stored.definition
    return LimitState(
        name=stored.name,
        amount=definition.amount,
        per=definition.per_ms / 1000 or None,
        burst=definition.burst or None,
        amount_in_code=stored.amount_in_code,
        waiting=sum(count for gate, count in lines.items() if belongs(gate, stored.name)),
    )


def _use(use: GateUse) -> LimitUse:
    name, separator, key = use.gate.partition("=")
    return LimitUse(
        name=name,
        key=unquote(key) if separator else None,
        used=use.used,
        held_by=use.held,
        waiting=use.waiting,
        first=use.first,
        next_in=None if use.next_ms is None else use.next_ms / 1000,
    )
