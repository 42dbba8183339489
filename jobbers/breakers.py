"""Breakers as programs see them: defined in code with the task types, looked at, opened and closed while workers run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from jobbers.client import Client
from jobbers.core.durations import Duration, to_ms
from jobbers.core.limits import BreakerRule, Gates, check_limit_name, quoted_key
from jobbers.errors import ConfigError, InvalidInput, NotFound
from jobbers.settings import Settings
from jobbers.store.breakers import BreakerUse
from jobbers.store.store import Store


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a breaker stands. ``key`` is the value of its key, ``None`` if it has none; of breakers with keys only those are
    listed that are not closed, or one line without a key. ``half_opens_in`` is in seconds, ``None`` when it is not open or
    stays so until it is reset. Of ``ended`` attempts within the last ``window`` seconds ``failed`` have failed; ``waiting``
    tasks stand in line. It opens for ``open_for`` seconds when the share ``failures`` of ``of`` or more have failed."""

    name: str
    key: str | None
    state: Literal["closed", "open", "half-open"]
    half_opens_in: float | None
    ended: int
    failed: int
    waiting: int
    failures: float
    of: int
    window: float
    open_for: float
    probes: int


@dataclass(frozen=True, slots=True)
class RetryBudgetState:
    """How the retry budget stands: of the last minute the first ``attempts``, and the ``retries`` within their share; one
    over it would wait ``wait`` seconds longer than asked for. ``share`` and ``least`` (a second) are this app's settings;
    without a share nobody counts."""

    share: float
    least: float
    attempts: int
    retries: int
    wait: float


class Breakers:
    """The breakers of an app; as ``app.breakers``."""

    def __init__(self, client: Callable[[], Awaitable[Client]], settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self.defined: dict[str, BreakerRule] = {}

    def define(self, gates: Gates) -> None:
        """That of a task type. Raises :class:`ConfigError` when its name has another meaning."""
        for name, rule in gates.breakers.items():
            if self.defined.setdefault(name, rule) != rule:
                raise ConfigError(
                    f"breaker {name!r} is defined twice, with different options: breakers of one name are one"
                )

    async def list(self) -> Sequence[BreakerState]:
        """All breakers by name and key."""
        store = (await self._client()).store
        rules = await store.breakers.rules()
        names = {name: rule for name, rule in rules.items() if not rule.keyed}
        for name in await store.breakers.tripped():
            rule = rules.get(name.partition("=")[0])
            if rule is not None:
                names[name] = rule
        tripped = {name.partition("=")[0] for name in names}
        names |= {name: rule for name, rule in rules.items() if name not in tripped}
        found = await store.breakers.use(dict(sorted(names.items())))
        return [_state(use, names[use.gate]) for use in found]

    async def get(self, name: str, key: object = None) -> BreakerState:
        """One of them, for a value of its key if it has one. Raises :class:`NotFound`, :class:`InvalidInput`."""
        store = (await self._client()).store
        gate, rule = await self._find(store, name, key)
        (use,) = await store.breakers.use({gate: rule})
        return _state(use, rule)

    async def trip(self, name: str, key: object = None, *, open_for: Duration | None = None) -> None:
        """Open one, for seconds (or a timedelta), or until it is reset. What runs goes on. Raises :class:`NotFound`,
        :class:`InvalidInput`."""
        store = (await self._client()).store
        for_ms = 0 if open_for is None else max(1, to_ms(open_for, "open_for"))
        gate, _ = await self._find(store, name, key)
        await store.breakers.trip(gate, for_ms)

    async def reset(self, name: str, key: object = None) -> None:
        """Close one, and forget how attempts ended; who waits goes on. Without the ``key`` of one that has keys, those of
        all its keys (a thousand in one call) are closed. Raises :class:`NotFound`, :class:`InvalidInput`."""
        store = (await self._client()).store
        gate, rule = await self._find(store, name, key, all_keys=True)
        gates = [gate]
        if rule.keyed and key is None:
            gates = [one for one in await store.breakers.tripped() if one.startswith(f"{name}=")]
        for one in gates:
            await store.breakers.reset(one)

    async def retry_budget(self) -> RetryBudgetState:
        """How the cluster's retry budget stands."""
        use, settings = await (await self._client()).store.breakers.retries(), self._settings
        return RetryBudgetState(
            settings.retry_budget, settings.retry_budget_least, use.firsts, use.retries, use.wait_ms / 1000
        )

    async def reset_retry_budget(self) -> None:
        """Forget what the budget has seen; what waits keeps its time."""
        await (await self._client()).store.breakers.reset_retries()

    async def _find(
        self, store: Store, name: str, key: object, *, all_keys: bool = False
    ) -> tuple[str, BreakerRule]:
        rule = (await store.breakers.rules()).get(check_limit_name(name))
        if rule is None:
            raise NotFound(f"there is no breaker {name!r}: those of the code are written when an app opens")
        if key is not None and not rule.keyed:
            raise InvalidInput(f"breaker {name!r} has no key")
        if key is None:
            if rule.keyed and not all_keys:
                raise InvalidInput(f"each key of breaker {name!r} has its own: say the key")
            return name, rule
        return f"{name}={quoted_key(key)}", rule


def _state(use: BreakerUse, rule: BreakerRule) -> BreakerState:
    name, separator, key = use.gate.partition("=")
    left = use.open_ms
    return BreakerState(
        name=name,
        key=unquote(key) if separator else None,
        state="closed" if left is None else "half-open" if left == 0 else "open",
        half_opens_in=left / 1000 if left is not None and left > 0 else None,
        ended=use.ended,
        failed=use.failed,
        waiting=use.waiting,
        failures=rule.share / 1_000_000,
        of=rule.of,
        window=rule.window_ms / 1000,
        open_for=rule.open_ms / 1000,
        probes=rule.probes,
    )
