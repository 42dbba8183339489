"""Batches: gathers claimed tasks of one type, calls their function once for all, and settles each by itself.

Each item keeps its record, lease, attempts, cancellation and slot, and is one of the worker's executions from its claim on.
What all items share is the asyncio task in which the function is called. An item that is ended alone (cancelled, lost)
only has its result dropped; when none is left whose result counts, the call is cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from jobbers.context import CurrentBatch, running_task
from jobbers.core.batch import Batch, Groups, outcomes_of
from jobbers.core.events import BatchStarted, Dispatcher, Outcome
from jobbers.core.payload import Envelope
from jobbers.launch import Startable
from jobbers.middleware import Call
from jobbers.worker.execution import Ending, Execution, Running
from jobbers.worker.finisher import Finisher
from jobbers.worker.observed import ended, started
from jobbers.worker.run_tasks import RunTasks

Work = Callable[["Item", Any], Awaitable[None]]
"""What is done for one item after its batch."""


class Item(Execution):
    """One task of a batch. ``on_end`` is told when it alone is ended, from the moment on when it waits for others."""

    __slots__ = ("call", "envelope", "key", "on_end", "value", "variables")

    call: Call
    envelope: Envelope | None
    key: Any
    value: Any
    variables: contextvars.Context | None
    on_end: Callable[[Item], None] | None

    def end(self, ending: Ending) -> None:
        """End it for a reason; the batch that it is part of goes on as long as others are left."""
        if self.on_end is None:
            super().end(ending)
        elif self.ending is None:
            self.ending = ending
            self.context.over = True
            self.on_end(self)


class Concluder(Protocol):
    """What the runner does for every execution."""

    closing: bool
    running: Running

    def encoded(self, value: Any) -> bytes: ...
    def is_large(self, packed: bytes) -> bool: ...
    async def offload(self, packed: bytes) -> str: ...
    def succeed(
        self, execution: Execution, packed: bytes, blob: str | None, referring: Envelope | None
    ) -> bool: ...
    def ended(self, execution: Execution, error: BaseException) -> None: ...


class Batches:
    """Gathers items and runs their batches, on the event loop of the runner."""

    def __init__(
        self, concluder: Concluder, run_tasks: RunTasks, finisher: Finisher, events: Dispatcher
    ) -> None:
        self._concluder = concluder
        self._run_tasks = run_tasks
        self._finisher = finisher
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, Groups[Item]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._looking: dict[str, Item] = {}

    def take(
        self, item: Item, call: Call, args: Sequence[Any], kwargs: dict[str, Any], referring: Envelope | None
    ) -> asyncio.Task[None] | None:
        """Begin with an item. Returns what runs it, if that is known by now: most have to wait for others first.

        The arguments of a task of a run may refer to results (``referring``), so they are had first.
        """
        item.call, item.envelope = call, referring
        item.variables = item.on_end = None
        if referring is None:
            item.value = _only(args, kwargs)
            return self._gather(item)
        item.task = self._loop.create_task(self._prepare(item, referring))
        return item.task

    def release(self) -> None:
        """Put back what still waits for others; it has used no attempt. Nothing waits any more once the worker closes."""
        for groups in self._waiting.values():
            for items in groups.all():
                for item in items:
                    item.end(Ending.SHUTDOWN)

    async def _prepare(self, item: Item, referring: Envelope) -> None:
        """Have the argument of a task of a run, then let it wait for others."""
        alone = _Call([item], item.call, self)
        try:
            item.begin()
            resumed, value = await self._run_tasks.resumed(referring)
            if resumed:
                self.begin([item])
                await alone.conclude([value])
                return
            item.value = _only(*await self._run_tasks.arguments(item, referring))
        except (Exception, asyncio.CancelledError) as error:
            if item.variables is None:
                self.begin([item])
            alone.fail_all(error)
            return
        item.task = None
        batch = self._gather(item)
        if batch is not None and item.claimed.crashes > 1:
            await asyncio.wait({batch})  # the claimer stands back for as long as a suspect runs

    def _gather(self, item: Item) -> asyncio.Task[None] | None:
        policy = item.type.policy.batch or Batch()
        try:
            item.key = policy.key_of(item.value)
        except Exception as error:  # also what the user's own function raises
            self.begin([item])
            self.fail(item, error)
            return None
        if item.claimed.crashes > 1:
            return self._start([item])  # it may be poison, and shall take nothing along
        item.on_end = self._left_alone
        if self._concluder.closing:
            item.end(Ending.SHUTDOWN)
            return None
        name = item.type.name
        groups = self._waiting.get(name)
        if groups is None:
            groups = self._waiting[name] = Groups(policy.size, policy.linger_seconds)
        full = groups.add(item.key, item, self._loop.time())
        if full is not None:
            return self._start(full)
        if name not in self._looking:
            # Looked at once a turn of the loop: one claim brings many items.
            self._looking[name] = item
            self._loop.call_soon(self._look, name)
        return None

    def _look(self, name: str) -> None:
        """Start what is due or can get no more, since every place of the worker is taken; else come back in time."""
        item = self._looking.pop(name)
        groups = self._waiting[name]
        no_room = len(self._concluder.running) >= item.slots.total
        for items in groups.all() if no_room else groups.due(self._loop.time()):
            self._start(items)
        due = groups.next_due
        if due is not None and name not in self._timers:
            self._timers[name] = self._loop.call_at(due, self._ring, name)

    def _ring(self, name: str) -> None:
        del self._timers[name]
        groups = self._waiting[name]
        # A timer may fire a clock tick early.
        for items in groups.due(self._loop.time() + 0.001):
            self._start(items)
        due = groups.next_due
        if due is not None:
            self._timers[name] = self._loop.call_at(due, self._ring, name)

    def _left_alone(self, item: Item) -> None:
        """An item is ended while it waits: nothing has begun, so it goes back as it came unless it is lost."""
        groups = self._waiting.get(item.type.name)
        if groups is not None:
            groups.drop(item.key, item)
        if item.ending is not Ending.LOST:
            item.outcome = Outcome.RELEASED
            self._finisher.release(item.shard, item.claimed.id, item.claimed.owner)
        self.leave(item, makes_way=False)

    def _start(self, items: list[Item]) -> asyncio.Task[None]:
        return _Call(items, items[0].call, self).start(self._loop)

    def begin(self, items: Sequence[Item]) -> None:
        """The function is about to be called with these."""
        now, tell = time.monotonic(), self._events.tell
        if tell is not None:
            tell(BatchStarted(items[0].type.name, len(items)))
        for item in items:
            # What it waited is no part of how long it took, and its silence counts from here.
            item.started = item.context.beaten_at = now
            if tell is not None:
                item.variables = contextvars.copy_context()  # what is attached for one is for that one only
                item.variables.run(tell, started(item))

    def succeed(self, item: Item, packed: bytes, blob: str | None) -> None:
        """Write the result of one item."""
        makes_way = self._concluder.succeed(item, packed, blob, item.envelope)
        self.leave(item, makes_way=makes_way)

    def fail(self, item: Item, error: BaseException) -> None:
        """Settle an item that failed, or was ended for a reason of its own."""
        self._concluder.ended(item, error)
        self.leave(item, makes_way=False)

    def encoded(self, value: Any) -> bytes:
        """A result as it is stored. Raises :class:`Fail`."""
        return self._concluder.encoded(value)

    async def finish_large(self, item: Item, packed: bytes) -> None:
        """Write a result that lies in the blob store. Raises :class:`Fail`."""
        self.succeed(item, packed, await self._concluder.offload(packed))

    def is_large(self, packed: bytes) -> bool:
        """Whether a result goes to the blob store."""
        return self._concluder.is_large(packed)

    async def hand_over(self, item: Item, value: Startable) -> None:
        """Start what an item's result is, to be run in its place. Raises :class:`Fail`."""
        await self._run_tasks.hand_over(item, value)
        item.outcome = Outcome.SUSPENDED
        self.leave(item, makes_way=False)

    def leave(self, item: Item, *, makes_way: bool) -> None:
        """An item is done with; unless it makes way for another task, its place is free."""
        item.context.over = True
        self._concluder.running.pop(item, None)
        if item.variables is not None:
            if (tell := self._events.tell) is not None:
                item.variables.run(tell, ended(item))
            item.error = item.variables = None
        if not makes_way:
            item.slots.give(1)


class _Call:
    """One call of a function for several items. ``_left`` are those that are not settled, ``_live`` how many of them count
    still."""

    __slots__ = ("_batches", "_begun", "_call", "_items", "_left", "_live", "context", "task")

    def __init__(self, items: list[Item], call: Call, batches: Batches) -> None:
        self._items = items
        self._call = call
        self._batches = batches
        self._left: dict[Item, None] = dict.fromkeys(items)
        self._live = len(items)
        self._begun = False
        self.context = CurrentBatch([item.context for item in items])
        self.task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Call the function."""
        task = self.task = loop.create_task(self._run())
        for item in self._items:
            item.task = task
            item.on_end = self._ended_alone
        return task

    async def _run(self) -> None:
        running_task.set(self.context)
        self._batches.begin(self._items)
        try:
            self._begun = True
            if not self._live:
                raise asyncio.CancelledError
            values = [item.value for item in self._items]
            returned = await self._call(self.context, [values], {})
            await self.conclude(outcomes_of(returned, len(values)))
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            self.fail_all(error)
        except BaseException as error:
            self.fail_all(error)
            raise
        finally:
            self.context.over = True

    def _ended_alone(self, item: Item) -> None:
        if item not in self._left:
            return
        self._live -= 1
        if not self._live:
            self.context.over = True
            if self._begun and self.task is not None:
                self.task.cancel()

    def _done_with(self, item: Item) -> None:
        del self._left[item]
        if item.ending is None:
            self._live -= 1

    def fail_all(self, error: BaseException) -> None:
        """Settle all that are left: an error counts for each."""
        for item in list(self._left):
            self._done_with(item)
            self._batches.fail(item, error)

    async def conclude(self, outcomes: Sequence[Any]) -> None:
        """Settle each item by what it came to; what takes a while (large results, graphs) goes last, and together."""
        slow = [
            work
            for item, outcome in zip(self._items, outcomes, strict=True)
            if (work := self._settled(item, outcome)) is not None
        ]
        if slow:
            await asyncio.gather(*(self._slowly(item, work, value) for item, work, value in slow))

    def _settled(self, item: Item, outcome: Any) -> tuple[Item, Work, Any] | None:
        """Settle one item, or say what is to be done for it."""
        batches = self._batches
        if isinstance(outcome, Startable) and item.ending is not Ending.LOST:
            return item, batches.hand_over, outcome
        error = outcome if isinstance(outcome, BaseException) else None
        packed = b""
        if error is None:
            try:
                packed = batches.encoded(outcome)
            except Exception as refused:
                error = refused
        if error is None and batches.is_large(packed):
            return item, batches.finish_large, packed
        self._done_with(item)
        if error is None:
            batches.succeed(item, packed, None)
        else:
            batches.fail(item, error)
        return None

    async def _slowly(self, item: Item, work: Work, value: Any) -> None:
        try:
            await work(item, value)
        except Exception as error:
            self._batches.fail(item, error)
        self._done_with(item)


def _only(args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The one argument of a task, however it was given."""
    return args[0] if args else next(iter(kwargs.values()))
