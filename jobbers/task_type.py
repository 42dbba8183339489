"""A decorated function: callable as before, and submittable."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from jobbers.client import Client, place
from jobbers.core.batch_signature import BatchSignature
from jobbers.core.durations import Duration, to_ms, to_optional_ms
from jobbers.core.ids import check_id
from jobbers.core.keyed import key_text, only_one, placed
from jobbers.core.limits import NO_GATES, Gates
from jobbers.core.live_policy import Live, overlaid
from jobbers.core.names import check_name, check_unique_key
from jobbers.core.payload import encode_arguments
from jobbers.core.policy import Debounce, Keyed, Policy, Throttle, Unique, check_priority
from jobbers.core.results import is_results
from jobbers.core.signature import Signature
from jobbers.core.spread import Spread
from jobbers.core.task import Placement, TaskSpec
from jobbers.dag.compose import Call
from jobbers.errors import ConfigError, InvalidInput
from jobbers.handle import TaskHandle
from jobbers.telemetry.ports import Outbound, Sending

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_LAST_YEAR = 9000
_chance = random.Random()


class TakesItem(Protocol[T_contra, R]):
    """Submits tasks that need no more than one ``T``; this is how ``map`` knows what its items are."""

    def submit(self, item: T_contra, /) -> Coroutine[Any, Any, TaskHandle[R]]: ...

    def starmap(self, items: Iterable[Sequence[Any]]) -> Coroutine[Any, Any, list[TaskHandle[R]]]: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How one submission differs from its type's defaults; already validated."""

    placement: Placement
    spread: Spread | None = None
    id: str | None = None
    headers: Mapping[str, str] | None = None
    keyed: Keyed | None = None


class Submitter(Generic[P, R]):
    """Submits tasks of one type with one set of options."""

    def __init__(self, task_type: TaskType[P, R], options: Options) -> None:
        self._type = task_type
        self._options = options
        self._placements = {options.placement.queue: options.placement}

    async def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Submit one task.

        With a unique key that another holds, debounced or throttled, it may join a task that is there: then the handle is
        that one's and ``attached``. Returns when the server has it. Raises :class:`InvalidArgument` (naming the parameter),
        :class:`PayloadTooLarge`, :class:`ServerUnavailable`, :class:`UnknownOutcome`, :class:`OutOfMemory`.
        """
        if self._type.outbound is not None:
            return await self._traced(self._type.outbound, args, kwargs)
        spec = self._spec(args, kwargs, self._options.id, self._options.headers)
        client = await self._type.client()
        return self._type.submitted(spec, await client.submit_one(spec))

    async def _traced(
        self, outbound: Outbound, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> TaskHandle[R]:
        with self._sending(outbound, 1) as sending:
            spec = self._spec(args, kwargs, self._options.id, sending.headers)
            client = await self._type.client()
            task_id = await client.submit_one(spec)
            sending.sent(task_id)
        return self._type.submitted(spec, task_id)

    @contextlib.contextmanager
    def _sending(self, outbound: Outbound, count: int) -> Iterator[Sending]:
        """A call that submits, in its trace; the caller says when it is sent."""
        options = self._options
        sending = outbound.begin(
            self._type.name, options.placement.queue, self._type.telemetry, options.headers, count
        )
        try:
            yield sending
        except BaseException as error:
            sending.failed(error)
            raise

    async def map(self: TakesItem[T, R], items: Iterable[T]) -> list[TaskHandle[R]]:  # pyright: ignore[reportGeneralTypeIssues]
        """Submit one task for each item, which becomes its first argument, in one call. Raises like :meth:`submit`,
        before anything is written."""
        return await self.starmap([(item,) for item in items])

    async def starmap(self, items: Iterable[Sequence[Any]]) -> list[TaskHandle[R]]:
        """Submit one task for each tuple of positional arguments, in one call. Raises like :meth:`submit`, before
        anything is written."""
        return await self._many(items)

    async def _many(self, items: Iterable[Sequence[Any]]) -> list[TaskHandle[R]]:
        if self._options.id is not None or self._options.placement.unique_key:
            raise InvalidInput("map submits many tasks: an id or a unique key fits only one")
        outbound = self._type.outbound
        rows = list(items)
        if outbound is None or not rows:
            specs = [self._spec(row, {}, None, self._options.headers) for row in rows]
            if not specs:
                return []
            client = await self._type.client()
            return list(map(self._type.submitted, specs, await client.submit(specs)))
        with self._sending(outbound, len(rows)) as sending:
            specs = [self._spec(row, {}, None, sending.headers) for row in rows]
            client = await self._type.client()
            ids = await client.submit(specs)
            sending.sent(None)
        return list(map(self._type.submitted, specs, ids))

    def spec(self, args: Sequence[Any], kwargs: Mapping[str, Any], id: str | None = None) -> TaskSpec:
        """What :meth:`submit` would send: checked, encoded, and with its id or this one. Raises like it, before anything is
        sent."""
        outbound, task_id = self._type.outbound, id or self._options.id
        if outbound is None:
            return self._spec(args, kwargs, task_id, self._options.headers)
        with self._sending(outbound, 1) as sending:
            spec = self._spec(args, kwargs, task_id, sending.headers)
            sending.sent(spec.id)
        return spec

    def _spec(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str | None,
        headers: Mapping[str, str] | None,
    ) -> TaskSpec:
        self._type.signature.check(args, kwargs)
        envelope = encode_arguments(self._type.name, args, kwargs, headers, self._type.max_payload)
        placement, keyed = self._placement(args, kwargs), self._options.keyed
        gates = self._type.gates_of(args, kwargs, placement)
        if keyed is None:
            return place(placement, task_id, envelope, gates)
        key = key_text(self._type.name, keyed, self._type.signature.named(args, kwargs))
        if placement.collapse:
            return place(placement, task_id, envelope, gates, key)
        return place(replace(placement, unique_key=check_unique_key(key)), task_id, envelope, gates)

    def _placement(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Placement:
        """The placement in the task's queue: one object for all tasks of a queue, which therefore go together."""
        if self._options.spread is None:
            return self._options.placement
        queue = self._type.choose_queue(self._options.spread, args, kwargs)
        placement = self._placements.get(queue)
        if placement is None:
            placement = self._placements[queue] = replace(self._options.placement, queue=queue)
        return placement


class TaskType(Generic[P, R]):
    """A task function with its name and policies. Calling it runs the function here and now, as ever."""

    def __init__(
        self,
        function: Callable[P, R] | Callable[P, Awaitable[R]],
        name: str,
        policy: Policy,
        client: Callable[[], Awaitable[Client]],
        max_payload: int,
        extras: Mapping[str, Any],
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigError(
                f"task {name!r} is a generator function: return a list, or submit a task an item"
            )
        self.function = function
        self.name = check_name(name, "the name of a task type")
        self.coded = policy
        self.live: Live = {}
        self.policy = policy  # as it is now: operators change it live
        self.extras = extras
        self.max_payload = max_payload
        self.client = client
        self.outbound: Outbound | None = None
        self.telemetry = policy.telemetry  # as it is now: operators change it live
        self.gates = NO_GATES
        self.gates_of_queues: Mapping[str, Gates] = {}
        self.signature = (Signature if policy.batch is None else BatchSignature)(function, name)
        plain = Placement(
            name,
            policy.queue,
            policy.priority,
            deadline_ms=policy.deadline_ms or 0,
            retention_ms=policy.retention_ms,
        )
        self._defaults = Options(placed(plain, policy.keyed), policy.spread, keyed=policy.keyed)
        self._turns = itertools.count(_chance.randrange(1000))
        self._submitter: Submitter[P, R] = Submitter(self, self._defaults)
        self.submit = self._submitter.submit
        self.starmap = self._submitter.starmap
        functools.update_wrapper(self, function)

    async def map(self: TakesItem[T, R], items: Iterable[T]) -> list[TaskHandle[R]]:  # pyright: ignore[reportGeneralTypeIssues]
        """Submit one task for each item, in one call: see :meth:`Submitter.map`."""
        return await self.starmap([(item,) for item in items])

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self.function(*args, **kwargs)

    def options(
        self,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        unique: str | Unique | None = None,
        debounce: Debounce | None = None,
        throttle: Throttle | None = None,
        deadline: Duration | None = None,
        id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Submitter[P, R]:
        """A submitter that differs from the type's defaults.

        ``delay`` (seconds or timedelta) or ``at`` (an aware datetime) say when the task is due; ``priority`` is from 0
        (last) to 9 (first); ``unique`` is a key, or a :class:`Unique` with its scope, of which one task is accepted at a
        time; ``debounce`` and ``throttle`` are a :class:`Debounce` and a :class:`Throttle`; one of these three takes the
        place of what the type says; ``deadline`` is how long it may wait for its start, from its submission on; ``id`` is a
        ULID made by :func:`new_id`; ``headers`` are text that travels along. Raises :class:`InvalidInput` and its kinds.
        """
        if all(
            it is None
            for it in (delay, at, priority, queue, unique, debounce, throttle, deadline, id, headers or None)
        ):
            return self._submitter
        placement = self._defaults.placement
        if delay is not None and at is not None:
            raise InvalidInput("give a delay or a time (at), not both", "at")
        given = only_one(Unique(unique) if isinstance(unique, str) else unique, False, debounce, throttle)
        literal = given.key if isinstance(given, Unique) and isinstance(given.key, str) else None
        keyed = None if literal is not None else given or self.policy.keyed
        if isinstance(keyed, Debounce | Throttle) and (delay is not None or at is not None):
            raise InvalidInput(
                f"a {type(keyed).__name__} says when the task runs: give no delay and no time (at)",
                "at" if delay is None else "delay",
            )
        placement = replace(
            placement,
            delay_ms=0 if delay is None else to_ms(delay, "delay"),
            at_ms=0 if at is None else _at_ms(at),
            priority=placement.priority if priority is None else check_priority(priority),
            queue=placement.queue if queue is None else check_name(queue, "the queue"),
            deadline_ms=placement.deadline_ms
            if deadline is None
            else to_optional_ms(deadline, "deadline") or 0,
            unique_key="" if literal is None else check_unique_key(literal),
            chosen=frozenset(
                name for name, it in (("priority", priority), ("deadline", deadline)) if it is not None
            ),
        )
        placement = placed(placement, given or self.policy.keyed)
        spread = self.policy.spread if queue is None else None
        return Submitter(self, Options(placement, spread, id, _check_headers(headers), keyed))

    def follow(self, live: Live) -> None:
        """From now on these options hold in the place of those of the code. Raises :class:`InvalidInput`,
        :class:`ConfigError`."""
        self.policy, self.live = overlaid(self.coded, live), live

    def choose_queue(self, spread: Spread, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """The queue of a task with these arguments. Raises :class:`InvalidInput` for one that the spread does not list."""
        chosen = spread.choose(self.signature.bound(args, kwargs), next(self._turns), _chance.random())
        if chosen not in spread.queues:
            raise InvalidInput(
                f"the spread of task {self.name!r} chose queue {str(chosen)[:80]!r}, which is none of its own "
                f"({', '.join(spread.queues)})"
            )
        return chosen

    def limited_in(self, queue: str) -> bool:
        """Whether its tasks in this queue have to lie where limits are counted."""
        return self.gates.shared or self.gates_of_queues.get(queue, NO_GATES).shared

    def gates_of(self, args: Sequence[Any], kwargs: Mapping[str, Any], placement: Placement) -> str:
        """The gates that a task with these arguments has to pass, as its record has them. Raises :class:`InvalidInput` when
        the key of one cannot be had."""
        if not (self.gates.gates or self.gates_of_queues):
            return ""
        of_queue = self.gates_of_queues.get(placement.queue, NO_GATES)
        texts = [
            gates.text(lambda: self.signature.bound(args, kwargs), placement.queue)
            for gates in (self.gates, of_queue)
            if gates.gates
        ]
        if (
            texts
            and (placement.delay_ms or placement.at_ms)
            and any(gate[0] == "p" for gate in ",".join(texts).split(","))
        ):
            raise InvalidInput(
                f"task {self.name!r} has a limit that replaces those that wait: it takes no delay and no time (at)"
            )
        return ",".join(texts)

    @functools.cached_property
    def results_parameters(self) -> frozenset[str]:
        """The parameters that get :class:`Results`. Raises :class:`ConfigError` when the function is not async."""
        names = [parameter.name for parameter in self.signature.parameters]
        lazy = {name for name in names if is_results(self.signature.annotation(name))}
        if lazy and not self.is_async:
            raise ConfigError(
                f"task {self.name!r} takes Results, which only an async function can iterate over"
            )
        return frozenset(lazy)

    def s(self, /, *args: Any, **kwargs: Any) -> Call:
        """A call that is not submitted yet, for :func:`jobbers.chain` and :func:`jobbers.group`."""
        return Call(self, args, kwargs)

    def handle(self, task_id: str) -> TaskHandle[R]:
        """The handle of a task of this type that was submitted before. Raises :class:`InvalidId`."""
        return self.adopt(check_id(task_id))

    def adopt(self, task_id: str) -> TaskHandle[R]:
        """The handle of an id that is known to be one."""
        return TaskHandle(task_id, self.client, self.signature)

    def submitted(self, spec: TaskSpec, task_id: str) -> TaskHandle[R]:
        """The handle of what a submission came to: its own task, or the one that it was attached to."""
        return TaskHandle(task_id, self.client, self.signature, attached=task_id != spec.id)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    def __repr__(self) -> str:
        return f"<TaskType {self.name}>"


def _at_ms(at: datetime) -> int:
    if at.tzinfo is None:
        raise InvalidInput(
            f"at must be an aware datetime, got {at.isoformat()} without a time zone: add tzinfo",
            "at",
        )
    if not 1970 <= at.year <= _LAST_YEAR:
        raise InvalidInput(f"at must lie between 1970 and {_LAST_YEAR}, got {at.isoformat()}", "at")
    milliseconds = int(at.timestamp() * 1000)
    return max(1, milliseconds)


def _check_headers(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidInput("headers must map text to text", "headers")
    return headers
