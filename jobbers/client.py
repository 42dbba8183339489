"""Submit, wait, cancel: each is one store call. A client serves one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Protocol

from jobbers.core import ids
from jobbers.core.events import Dispatcher, TaskSubmitted
from jobbers.core.limits import is_shared
from jobbers.core.payload import pack, unpack_envelope
from jobbers.core.queue_rules import QueueRules
from jobbers.core.signature import Signature
from jobbers.core.status import FINAL, Status
from jobbers.core.task import Placement, TaskRecord, TaskSpec
from jobbers.errors import InvalidId, InvalidInput, NotFound, StoreError, TaskStruck, WaitTimeout
from jobbers.settings import Settings
from jobbers.store.blobs import BlobStore
from jobbers.store.inspect import Outcome
from jobbers.store.maps import MAP_TYPE
from jobbers.store.references import Resolver
from jobbers.store.rows import MAX_BATCH
from jobbers.store.runs import RUN_TYPE
from jobbers.store.store import Store
from jobbers.store.submissions import draining, full
from jobbers.watcher import Watcher

# Seeded by the system, and anew in forked processes, which would otherwise make the same ids as their parent. A call
# to the system for each id would cost more than all the rest of making one.
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)


FIRST_LOOK_SECONDS = 1.0
"""However short a wait is, it looks once: so long may that take."""


def new_id(unique: str | None = None, *, limited: bool = False) -> str:
    """A new task id (a ULID). With a unique key, one that lives in the shard of that key; with ``limited`` one that lives
    where limits are counted."""
    task_id = ids.make_id(time.time_ns() // 1_000_000, _chance.getrandbits(80))
    if limited:
        return ids.with_tail(task_id, 0)
    return ids.with_tail(task_id, ids.unique_tail(unique)) if unique else task_id


class HasSignature(Protocol):
    """A task type, as far as clients care."""

    @property
    def signature(self) -> Signature:
        """Its parameters."""
        ...


class Client:
    """What programs do with tasks, over an open store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        blobs: BlobStore,
        events: Dispatcher | None = None,
        types: Mapping[str, HasSignature] = MappingProxyType({}),
    ) -> None:
        self._types = types
        self.store = store
        self._settings = settings
        self._blobs = blobs
        self.events = events or Dispatcher(time.monotonic)
        self.definitions = 0  # how many of its app's are written
        self._watcher = Watcher(store)
        self._resolver = Resolver(store.inspect, store.maps, blobs)
        self._sending = False
        self._waiting: list[tuple[TaskSpec, asyncio.Future[str]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def heard_anew(self) -> bool:
        """Look at the rules of queues and task types, unless that was done a second ago. Returns whether that brought other
        policies of types."""
        before = self.store.policies.known
        if self.store.queues.recent is None:
            await self.store.queues.refreshed()
        return self.store.policies.known is not before

    async def submit(self, specs: Sequence[TaskSpec]) -> list[str]:
        """Create tasks in as few calls as possible. Returns for each the id that stands for it: its own, or that of the
        task that holds its unique key. Raises :class:`QueueDraining` or :class:`QueueFull`."""
        rules = self.store.queues.recent or await self.store.queues.refreshed()
        specs = rules.placed(specs)
        if rules.limits or rules.draining:
            await self._admit(specs, rules)
        await self._refuse_struck(specs)
        holders = await self.store.tasks.submit(specs)
        if (tell := self.events.tell) is not None:
            for spec in specs:
                if spec.id not in holders:
                    tell(_submitted(spec))
        return [holders.get(spec.id, spec.id) for spec in specs] if holders else [spec.id for spec in specs]

    async def _admit(self, specs: Sequence[TaskSpec], rules: QueueRules) -> None:
        """Look at a call as a whole, so far as it takes several steps: the store refuses each of them by itself only."""
        counts = Counter(spec.placement.queue for spec in specs)
        tasks = self.store.tasks
        if len(counts) == 1 and len(self.store.shards) == 1 and len(specs) <= MAX_BATCH:
            return
        for queue in counts:
            limit = rules.limits.get(queue)
            most = limit.max_length if limit is not None and limit.when_full == "refuse" else None
            if queue not in rules.draining and most is None:
                continue
            absent = await tasks.absent(spec.id for spec in specs if spec.placement.queue == queue)
            if absent and queue in rules.draining:
                raise draining(queue)
            if absent and most is not None and await self.store.queues.length(queue) + absent > most:
                raise full(queue)

    async def submit_one(self, spec: TaskSpec) -> str:
        """Create one task. Those that come while another is on its way are sent together."""
        if self._sending:
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._waiting.append((spec, future))
            return await future
        self._sending = True
        try:
            return await self._submit_alone(spec)
        finally:
            if self._waiting:
                self._flush = asyncio.get_running_loop().create_task(self._send_waiting())
            else:
                self._sending = False

    async def _submit_alone(self, spec: TaskSpec) -> str:
        rules = self.store.queues.recent or await self.store.queues.refreshed()
        (spec,) = rules.placed((spec,))
        await self._refuse_struck((spec,))
        task_id = await self.store.tasks.submit_one(spec)
        if (tell := self.events.tell) is not None and task_id == spec.id:
            tell(_submitted(spec))
        return task_id

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                got = await self.submit([spec for spec, _ in batch])
            except Exception:
                # Some may have been written. Submitting an id again is harmless, so each caller is told its own truth.
                await asyncio.gather(*(self._send_alone(spec, future) for spec, future in batch))
                continue
            for (_, future), task_id in zip(batch, got, strict=True):
                if not future.done():
                    future.set_result(task_id)
        self._sending = False

    async def _send_alone(self, spec: TaskSpec, future: asyncio.Future[str]) -> None:
        try:
            task_id = await self._submit_alone(spec)
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(task_id)

    async def _refuse_struck(self, specs: Iterable[TaskSpec]) -> None:
        """Raises :class:`TaskStruck` if a strike is on one of these, which are then none of them submitted."""
        strikes = self.store.strikes
        if strikes.stale:
            with contextlib.suppress(
                StoreError
            ):  # a server that is away lets the submission itself tell of it
                await strikes.refresh()
                await self.store.granularity.refresh()
        if not strikes.known:
            return
        for spec in specs:
            kind = spec.placement.type
            strike = strikes.find(kind, functools.partial(self._arguments, spec))
            if strike is not None and strike.action == "cancel":
                raise TaskStruck(
                    f"tasks of type {kind!r} like this one are not taken ({strike.why}); jobbers strike list shows what is "
                    "struck",
                    strike=strike.id,
                    reason=strike.reason,
                )

    def _arguments(self, spec: TaskSpec) -> Mapping[str, Any]:
        """What a task is called with, by parameter as far as its type is known here."""
        envelope = unpack_envelope(spec.envelope)
        known = self._types.get(spec.placement.type)
        if known is None:
            return envelope.kwargs
        return known.signature.named(envelope.args, envelope.kwargs)

    async def outcome(self, task_id: str) -> Outcome:
        """How a task stands. Raises :class:`NotFound`."""
        (outcome,) = await self.store.inspect.outcomes([task_id])
        if outcome is None:
            raise _unknown(task_id)
        return outcome

    async def result_bytes(self, task_id: str, outcome: Outcome) -> bytes:
        """The encoded result of a task, map or run that succeeded, from wherever it lies. Raises :class:`NotFound` if it
        is gone."""
        if outcome.type.startswith((RUN_TYPE, MAP_TYPE)):
            return pack(await self._resolver.result(task_id, outcome))
        if outcome.blob is not None:
            return await self._blobs.get(outcome.blob)
        if outcome.result is None:
            raise NotFound("the result of this task has expired")
        return outcome.result

    async def record(self, task_id: str) -> TaskRecord:
        """Everything known of a task. Raises :class:`NotFound`."""
        (record,) = await self.store.inspect.records([task_id])
        if record is None:
            raise _unknown(task_id)
        return record

    async def wait(self, task_id: str, timeout: float | None) -> Status:
        """Wait until a task is final. Raises :class:`WaitTimeout` or :class:`NotFound`."""
        if timeout is not None and timeout < 0:
            raise InvalidInput(f"timeout must be zero or more seconds, got {timeout!r}")
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        try:
            async with aclosing(self._watcher.follow(task_id)) as statuses:
                async with asyncio.timeout_at(
                    None if end is None else max(end, loop.time() + FIRST_LOOK_SECONDS)
                ):
                    status = await anext(statuses)
                async with asyncio.timeout_at(end):
                    while status is not None and status not in FINAL:
                        status = await anext(statuses)
        except TimeoutError:
            raise WaitTimeout(f"task {task_id} did not end within {timeout} seconds; it goes on") from None
        if status is None:
            raise _unknown(task_id)
        return status

    async def ending(self, task_id: str, timeout: float | None) -> Outcome:
        """Wait until a task is final and say how it ended. Raises :class:`WaitTimeout` or :class:`NotFound`.

        Between hearing of an end and reading it the task may have got a new life, by a requeue or by a server that lost
        its last writes: then the wait goes on.
        """
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        while True:
            await self.wait(task_id, timeout)
            outcome = await self.outcome(task_id)
            if outcome.status in FINAL:
                return outcome
            timeout = None if end is None else max(0.0, end - loop.time())

    def follow(self, task_id: str) -> AsyncGenerator[Status | None, None]:
        """An async iterator of statuses: the present one, then one whenever the task moves, until it is final."""
        return self._watcher.follow(task_id)

    async def cancel(self, task_ids: Iterable[str], reason: str = "cancelled") -> dict[str, bool]:
        """Cancel tasks, in whatever status they are. Tells for each whether that ended it: ``False`` when it had ended
        before. Raises :class:`NotFound` for the first that does not exist, after cancelling the others."""
        before = await self.store.tasks.cancel(task_ids, self._settings.retention_ms, reason[:500])
        for task_id, status in before.items():
            if status is None:
                raise _unknown(task_id)
        return {task_id: status not in FINAL for task_id, status in before.items()}

    async def close(self) -> None:
        """Close the connections."""
        if self._flush is not None:
            await asyncio.gather(self._flush, return_exceptions=True)
        await self._watcher.close()
        await self.store.close()


def place(
    placement: Placement, task_id: str | None, envelope: bytes, gates: str = "", key: str = ""
) -> TaskSpec:
    """A task to submit; without an id it gets a new one. ``key`` is what it is debounced or throttled by. Raises
    :class:`InvalidId`."""
    unique, limited = placement.unique_key or key, is_shared(gates)
    if task_id is None:
        return TaskSpec(new_id(unique or None, limited=limited), placement, envelope, gates, key)
    checked = ids.check_id(task_id)
    if unique and not limited and ids.tail_of(checked) != ids.unique_tail(unique):
        raise InvalidId(
            f"task id {checked} does not belong to the shard of unique key {unique!r}: make ids of tasks with a key with "
            f"jobbers.new_id(unique={unique!r})"
        )
    return TaskSpec(checked, placement, envelope, gates, key)


def _submitted(spec: TaskSpec) -> TaskSubmitted:
    place = spec.placement
    delayed = bool(place.delay_ms or place.at_ms or place.collapse == "d")
    return TaskSubmitted(spec.id, place.type, place.queue, place.priority, delayed)


def _unknown(task_id: str) -> NotFound:
    return NotFound(f"there is no task {task_id}: it never was, or its record has expired")
