"""What holds a task back although it is ready: limits, rates, breakers, and turns over keys; and the gates that they are
in the store.

Pure: a gate's grammar and what the server does with it stand in ``store/lua/_gates.lua``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from jobbers.core.durations import Duration, to_ms
from jobbers.core.payload import Ref
from jobbers.errors import InvalidInput, InvalidName

Arguments = Mapping[str, Any]
Key = str | Callable[[Arguments], Any]
"""The name of a parameter, or a function of all arguments by parameter."""
Full = Literal["wait", "refuse", "replace", "cancel"]

MAX_AMOUNT = 1_000_000
MAX_NAME = 200
_MAX_KEY = 100
_NAME = re.compile(r"[A-Za-z0-9_.@:\-]+")
_PERIODS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
BREAKER = "!"
"""What the gates of breakers begin with, so that they share no name with a limit."""
_MODES: dict[str, str] = {"wait": "w", "refuse": "r", "replace": "p", "cancel": "c"}


@dataclass(frozen=True)
class Limit:
    """At most ``max`` executions at a time: ``Limit(20)``, ``Limit(1, key="user_id")``.

    * ``per``: in the whole ``"cluster"``, in each ``"queue"`` apart, or in each ``"worker"`` process. The queues of a type
      that is limited per worker are claimed by that bound alone, so give such a type a queue of its own.
    * ``key``: the name of a parameter, or a function of all arguments by name; each of its values has a limit of its own.
    * ``weight``: how many of ``max`` a task takes; a number, the name of a parameter, or a function of the arguments.
    * ``full``: what happens when there is none left. ``"wait"``: the task waits in a line, without an attempt used. The
      others count a task from its submission on: ``"refuse"`` it with :class:`LimitReached`; ``"replace"`` those that wait
      in the line; ``"cancel"`` the oldest one, running or not.
    * ``name``: by default that of the task type, with its key. Limits of one name are one limit, also in several types.

    Raises :class:`InvalidInput`.
    """

    max: int
    per: Literal["cluster", "queue", "worker"] = "cluster"
    key: Key | None = None
    name: str | None = None
    weight: int | Key = 1
    full: Full = "wait"

    def __post_init__(self) -> None:
        check_amount(self.max, "a limit")
        if self.per not in ("cluster", "queue", "worker"):
            raise InvalidInput(f"a limit is per 'cluster', 'queue' or 'worker', got {self.per!r}")
        if self.full not in _MODES:
            raise InvalidInput(f"full must be one of {', '.join(map(repr, _MODES))}, got {self.full!r}")
        if isinstance(self.weight, int) and check_amount(self.weight, "the weight of a limit") > self.max:
            raise InvalidInput(f"a task of weight {self.weight} never fits into a limit of {self.max}")
        if self.per == "worker" and (self.key, self.name, self.weight, self.full) != (None, None, 1, "wait"):
            raise InvalidInput("a limit per worker has no key, name or weight, and what is over it waits")
        _check_name(self.name)


@dataclass(frozen=True)
class Rate:
    """At most ``amount`` starts in ``per`` a time: ``Rate(100, per="minute")``.

    * ``per``: ``"second"``, ``"minute"``, ``"hour"``, ``"day"``, seconds or a timedelta. No window of that length, wherever
      it begins, sees more starts, by the server's clock.
    * ``burst``: starts are spread evenly instead, and up to so many may come at once after a pause (the generic cell rate
      algorithm, ITU-T I.371).
    * ``key``, ``name``: as for :class:`Limit`. ``scope``: in the whole ``"cluster"``, or in each ``"queue"`` apart.
    * ``cost``: how many of ``amount`` a start takes; a number, the name of a parameter, or a function of the arguments.

    A task that may not start yet waits in a line, without an attempt used. Raises :class:`InvalidInput`.
    """

    amount: int
    per: Literal["second", "minute", "hour", "day"] | Duration = "second"
    burst: int | None = None
    key: Key | None = None
    name: str | None = None
    cost: int | Key = 1
    scope: Literal["cluster", "queue"] = "cluster"

    def __post_init__(self) -> None:
        check_amount(self.amount, "a rate")
        if isinstance(self.per, str) and self.per not in _PERIODS:
            raise InvalidInput(
                f"per must be one of {', '.join(map(repr, _PERIODS))} or seconds, got {self.per!r}"
            )
        if not self.per_ms:
            raise InvalidInput("a rate needs a time of a millisecond or more")
        if self.burst is not None:
            check_amount(self.burst, "the burst of a rate")
        most = self.amount if self.burst is None else self.burst
        if isinstance(self.cost, int) and check_amount(self.cost, "the cost of a rate") > most:
            what = "rate" if self.burst is None else "burst"
            raise InvalidInput(f"a start that costs {self.cost} never fits into a {what} of {most}")
        if self.scope not in ("cluster", "queue"):
            raise InvalidInput(f"the scope of a rate is 'cluster' or 'queue', got {self.scope!r}")
        _check_name(self.name)

    @property
    def per_ms(self) -> int:
        """The time in ms."""
        return _PERIODS[self.per] if isinstance(self.per, str) else to_ms(self.per, "the time of a rate")


@dataclass(frozen=True)
class Fair:
    """Claims take turns over the values of ``key``: ``Fair("tenant")``, so that one that has submitted a million tasks does
    not keep another waiting that has submitted ten. A value of ``weights`` has so many turns a round, others have one."""

    key: Key
    weights: Mapping[Any, int] | None = None

    def __post_init__(self) -> None:
        for weight in (self.weights or {}).values():
            check_amount(weight, "the weight of a key")


@dataclass(frozen=True)
class Breaker:
    """Tasks wait while most attempts fail: ``Breaker(failures=0.5, of=20, window=60, open_for=30)``.

    Opens when at least ``of`` attempts have ended within ``window`` (seconds or a timedelta) and the share of those that
    failed is ``failures`` or more; a retried attempt has failed, and one that lost its worker. While it is open, tasks wait
    in a line, without an attempt used. After ``open_for`` it is half-open: ``probes`` tasks may run at a time. The first
    that succeeds closes it, one that fails opens it again.

    * ``key``: the name of a parameter, or a function of all arguments by name; each of its values has a breaker of its own.
    * ``name``: by default that of the task type, with its key. Breakers of one name are one breaker, also in several types.
    * ``on``: only these exceptions are failures, and timeouts and lost heartbeats; any other says that what is called
      answers.

    Raises :class:`InvalidInput`.
    """

    failures: float = 0.5
    of: int = 20
    window: Duration = 60.0
    open_for: Duration = 30.0
    probes: int = 1
    key: Key | None = None
    name: str | None = None
    on: type[BaseException] | tuple[type[BaseException], ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.failures, bool) or not 0.000_001 <= self.failures <= 1:
            raise InvalidInput(f"failures is a share: above 0, and 1 at most, got {self.failures!r}")
        check_amount(self.of, "of (attempts that ended in the window)")
        check_amount(self.probes, "probes")
        for what, value in (("window", self.window), ("open_for", self.open_for)):
            if not to_ms(value, f"{what} of a breaker"):
                raise InvalidInput(f"{what} of a breaker must be a millisecond or more")
        _check_name(self.name)

    @property
    def rule(self) -> BreakerRule:
        """What it says, as the store has it."""
        window, open_for = to_ms(self.window, "window"), to_ms(self.open_for, "open_for")
        return BreakerRule(
            round(self.failures * 1_000_000),
            self.of,
            window,
            open_for,
            self.probes,
            int(self.key is not None),
        )


class BreakerRule(NamedTuple):
    """When a breaker opens: ``share`` is of a million, times are in ms, ``keyed`` is 1 where each key has its own."""

    share: int
    of: int
    window_ms: int
    open_ms: int
    probes: int
    keyed: int


class Definition(NamedTuple):
    """What a gate allows: ``amount`` in use at a time, or where ``per_ms`` is not 0, so many starts in that time, spread
    evenly if there is a ``burst``."""

    amount: int
    per_ms: int = 0
    burst: int = 0


class Gate(NamedTuple):
    """One limit, rate or turn of a task type or a queue; ``by_queue``: the queue's name belongs to its own."""

    mode: str
    name: str
    by_queue: bool
    definition: Definition | None
    key: Key | None
    weight: int | Key
    weights: Mapping[Any, int] | None = None

    def written(self, arguments: Arguments, queue: str, whose: str) -> str:
        """The gate of a task with these arguments. Raises :class:`InvalidInput`."""
        name = f"{self.name}@{queue}" if self.by_queue else self.name
        number = 1
        if self.key is not None:
            value = _value(self.key, arguments, f"the key of {self.name!r} of {whose}")
            name = f"{name}={quoted_key(value)}"
            number = (self.weights or {}).get(value, 1)
        if self.mode != "f":
            weight = self.weight
            if not isinstance(weight, int):
                what = f"the weight or cost of {self.name!r} of {whose}"
                weight = check_amount(_value(weight, arguments, what), what)
            number = weight
        return f"{self.mode}{number}/{name}"


class Gates:
    """All gates of a task type, or of a queue: ``whose`` is for messages, ``base`` what their names begin with."""

    def __init__(
        self,
        base: str,
        whose: str,
        limits: Sequence[Limit] = (),
        rates: Sequence[Rate] = (),
        fair: Fair | None = None,
        *,
        breaker: Breaker | None = None,
    ) -> None:
        self._whose = whose
        self.breakers: dict[str, BreakerRule] = {}
        # A name that is given stands for itself; others tell whose they are, by what key and over what time.
        self.gates = [
            Gate(
                _MODES[limit.full], limit.name or base + _key_name(limit.key),
                limit.per == "queue", Definition(limit.max),
                limit.key, limit.weight,
            )
            for limit in limits if limit.per != "worker"
        ] + [
            Gate(
                "w", rate.name or f"{base}{_key_name(rate.key)}:{_time_name(rate)}", rate.scope == "queue",
                Definition(rate.amount, rate.per_ms, rate.burst or 0), rate.key, rate.cost,
            )
            for rate in rates
        ]  # fmt: skip
        names = [(gate.name, gate.by_queue) for gate in self.gates]
        twice = next((gate.name for gate in self.gates if names.count((gate.name, gate.by_queue)) > 1), None)
        if twice is not None:
            raise InvalidInput(
                f"{whose} has two limits or rates that are called {twice!r}: give one of them a name="
            )
        if fair is not None:
            self.gates.append(
                Gate("f", f"{base}{_key_name(fair.key)}:turn", True, None, fair.key, 1, fair.weights)
            )
        if (
            breaker is not None
        ):  # asked first, and the first to hear of an end: what others give back goes by it
            name = breaker.name or base + _key_name(breaker.key)
            self.breakers[name] = breaker.rule
            self.gates.insert(0, Gate("b", BREAKER + name, False, None, breaker.key, 1))
        self._static = all(gate.key is None and isinstance(gate.weight, int) for gate in self.gates)
        self._texts: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.gates)

    @property
    def shared(self) -> bool:
        """Whether it counts tasks of the whole cluster: see :func:`is_shared`."""
        return any(gate.mode != "f" for gate in self.gates)

    @property
    def definitions(self) -> dict[str, Definition]:
        """What its gates allow, by their names in the store."""
        return {
            f"{gate.name}@" if gate.by_queue else gate.name: gate.definition
            for gate in self.gates
            if gate.definition is not None
        }

    def text(self, arguments: Callable[[], Arguments], queue: str) -> str:
        """The gates of a task, as its record has them. Raises :class:`InvalidInput` when a key cannot be had."""
        if not self._static:
            given = arguments()
            return ",".join(gate.written(given, queue, self._whose) for gate in self.gates)
        text = self._texts.get(queue)
        if text is None:
            text = self._texts[queue] = ",".join(gate.written({}, queue, self._whose) for gate in self.gates)
        return text


NO_GATES = Gates("", "")


def is_shared(gates: str) -> bool:
    """Whether the gates of a task count tasks of the whole cluster, so that it must lie where they are counted."""
    return any(gate[0] != "f" for gate in gates.split(",")) if gates else False


def check_amount(value: object, what: str) -> int:
    """Return ``value`` if it can be a number of permits. Raises :class:`InvalidInput`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_AMOUNT:
        raise InvalidInput(f"{what} must be a whole number from 1 to {MAX_AMOUNT:,}, got {str(value)[:40]!r}")
    return value


def check_limit_name(value: object) -> str:
    """Return ``value`` if it can be the name of a limit or a rate. Raises :class:`InvalidName`."""
    if not isinstance(value, str) or len(value) > MAX_NAME or not _NAME.fullmatch(value):
        raise InvalidName(
            f"{str(value)[:60]!r} cannot be the name of a limit: use 1 to {MAX_NAME} letters, digits, '_', '-', '.', ':' "
            "and '@'"
        )
    return value


def _check_name(name: str | None) -> None:
    if name is not None:
        check_limit_name(name)
        if "@" in name:
            raise InvalidName(f"{name!r}: names that are given have no '@', which is for queues")


def _value(key: Key, arguments: Arguments, what: str) -> Any:
    if isinstance(key, str):
        if key not in arguments:
            raise InvalidInput(
                f"{what} is argument {key!r}, and there is none (there are: {', '.join(arguments)})"
            )
        value = arguments[key]
    else:
        try:
            value = key(arguments)
        except Exception as error:
            raise InvalidInput(
                f"{what} cannot be had: its function raised {type(error).__name__}: {error}"
            ) from error
    if isinstance(value, Ref):
        raise InvalidInput(
            f"{what} is the result of another task, which nobody knows when this one is submitted"
        )
    return value


def quoted_key(value: Any) -> str:
    """A key's value as part of a name; a long one is hashed."""
    text = quote(str(value), safe="")
    return text if len(text) <= _MAX_KEY else "#" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _key_name(key: Key | None) -> str:
    if key is None:
        return ""
    name = key if isinstance(key, str) else getattr(key, "__name__", "key")
    return ":" + re.sub(r"[^A-Za-z0-9_.\-]", "", name)


def _time_name(rate: Rate) -> str:
    return rate.per if isinstance(rate.per, str) else f"{rate.per_ms}ms"
