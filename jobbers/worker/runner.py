"""Executes claimed tasks: decode, call, encode, settle. Each step is small; only tasks of runs need the server for it."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from jobbers.app import Jobbers
from jobbers.context import CurrentTask, running_task
from jobbers.core.decide import APART, Decision, HeartbeatMissed, decide, decide_unknown_type
from jobbers.core.events import Outcome
from jobbers.core.payload import Envelope, unpack_envelope
from jobbers.core.policy import OnShutdown
from jobbers.core.signals import Fail
from jobbers.core.status import Event
from jobbers.core.strike import Strike, hold_ms
from jobbers.core.task import Claimed
from jobbers.core.trace_context import RUN_HEADER
from jobbers.errors import InvalidInput
from jobbers.launch import Startable
from jobbers.middleware import Call
from jobbers.store.maps import MAP_TYPE
from jobbers.store.store import Store
from jobbers.task_type import TaskType
from jobbers.worker.batches import Batches, Item
from jobbers.worker.execution import Ending, Execution, Running
from jobbers.worker.executors import Executors, packed_result
from jobbers.worker.finisher import Finisher
from jobbers.worker.middleware import BUILT_IN
from jobbers.worker.observed import OUTCOMES, ended, started
from jobbers.worker.report import make_report, safe_text
from jobbers.worker.run_tasks import RunTasks
from jobbers.worker.slots import Slots

log = logging.getLogger("jobbers.worker")
SUSPENDED = object()


class Struck(Exception):
    """The task meets a strike."""

    def __init__(self, strike: Strike) -> None:
        super().__init__(strike.why)
        self.strike = strike


class Runner:
    """Starts executions and settles them through the finisher."""

    def __init__(
        self, app: Jobbers, worker: str, finisher: Finisher, executors: Executors, store: Store
    ) -> None:
        self._app = app
        self._events = app.events
        self._run_tasks = RunTasks(store, app.blobs)
        self._strikes = store.strikes
        self._worker = worker
        self._finisher = finisher
        self.batches = Batches(self, self._run_tasks, finisher, app.events)
        self._offload_above = app.settings.offload_above
        self._loop = asyncio.get_running_loop()
        self.running: Running = {}
        self.closing = False
        finisher.on_follow = self._go_on
        for task_type in app.task_types.values():
            task_type.results_parameters  # noqa: B018 - a type that cannot take what it asks for is found out here
        self._calls = {
            task_type.name: (task_type, _chain(app, task_type, executors.call_for(task_type)))
            for task_type in app.task_types.values()
        }
        self._run_tasks.known = self._calls.keys()

    def start(
        self,
        claimed: Claimed,
        slots: Slots,
        shard: int,
        leased_at: float | None = None,
        before: Mapping[str, bytes] | None = None,
    ) -> asyncio.Task[None] | None:
        """Begin one execution; it gives its place in ``slots`` back when it ends. ``None``: it cannot run here, or waits
        for others of its batch.

        ``leased_at`` is when its claim was sent (monotonic seconds): its lease cannot have begun earlier. ``before`` has
        encoded results by the task that returned them, which need not be read again.
        """
        known = self._calls.get(claimed.type) or self._calls.get(claimed.type.removeprefix(MAP_TYPE))
        if known is None:
            self._put_back(claimed, shard)
            slots.give(1)
            return None
        task_type, call = known
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        try:
            envelope = unpack_envelope(claimed.envelope)
            in_run = (
                RUN_HEADER in envelope.headers or bool(envelope.extras) or bool(task_type.results_parameters)
            )
            if not in_run:
                args, kwargs = task_type.signature.load(envelope.args, envelope.kwargs)
        except Exception as error:  # also what a validator of the user's own raises
            self._refuse(claimed, task_type, shard, error)
            slots.give(1)
            return None
        context = CurrentTask(claimed, self._worker, envelope.headers)
        batched = task_type.policy.batch is not None and not claimed.type.startswith(MAP_TYPE)
        execution = (Item if batched else Execution)(claimed, task_type, context, slots, shard)
        if leased_at is not None:
            execution.confirmed = leased_at
        self.running[execution] = None
        referring = envelope if in_run else None
        execution.before = before
        if isinstance(execution, Item):
            return self.batches.take(execution, call, args, kwargs, referring)
        execution.task = self._loop.create_task(self._execute(execution, call, args, kwargs, referring))
        return execution.task

    async def _execute(
        self,
        execution: Execution,
        call: Call,
        args: list[Any],
        kwargs: dict[str, Any],
        referring: Envelope | None,
    ) -> None:
        """Call the function; ``referring`` holds the arguments of a run's task, which may refer to results of others."""
        makes_way = False
        running_task.set(execution.context)  # an asyncio task has a context of its own: nothing to reset
        if (tell := self._events.tell) is not None:
            tell(started(execution))
        try:
            execution.begin()
            value = await self._called(execution, call, args, kwargs, referring)
            if value is SUSPENDED:
                execution.outcome = Outcome.SUSPENDED
                return
            packed = self.encoded(value)
            blob = await self.offload(packed) if self.is_large(packed) else None
        except asyncio.CancelledError as error:
            self.ended(execution, error)
        except (Exception, SystemExit) as error:  # sys.exit() ends the task that calls it, not its neighbours
            if execution.ending is None:
                self._settle(execution, error)
            else:  # its answer to being cancelled
                self.ended(execution, error)
        except BaseException as error:
            self._settle(execution, error)
            raise
        else:
            makes_way = self.succeed(execution, packed, blob, referring)
        finally:
            execution.context.over = True
            self.running.pop(execution, None)
            if (tell := self._events.tell) is not None:
                tell(ended(execution))
                execution.error = None  # its traceback leads back to here
            if not makes_way:
                execution.slots.give(1)

    async def _called(
        self,
        execution: Execution,
        call: Call,
        args: list[Any],
        kwargs: dict[str, Any],
        referring: Envelope | None,
    ) -> Any:
        """What the function returned; :data:`SUSPENDED` when the task waits for others that it has started."""
        if referring is not None:
            if execution.claimed.type.startswith(MAP_TYPE):
                await self._run_tasks.expand(execution, referring)
                return SUSPENDED
            resumed, value = await self._run_tasks.resumed(referring)
            if resumed:
                return value
            args, kwargs = await self._run_tasks.arguments(execution, referring)
        if self._strikes.known:
            named = functools.partial(execution.type.signature.named, args, kwargs)
            if (strike := self._strikes.find(execution.type.name, named)) is not None:
                raise Struck(strike)
        value = await call(execution.context, args, kwargs)
        if isinstance(value, Startable):
            await self._run_tasks.hand_over(execution, value)
            return SUSPENDED
        return value

    def succeed(
        self, execution: Execution, packed: bytes, blob: str | None, referring: Envelope | None
    ) -> bool:
        """Write a result. Returns whether another execution may follow in the same place."""
        if execution.ending is Ending.LOST:
            return False
        execution.outcome = Outcome.SUCCEEDED
        heir = None if referring is None or self.closing else self._run_tasks.heir(execution, referring)
        if heir is None:
            self._finisher.succeed(execution, packed, blob)
        else:
            self._finisher.follow(execution, packed, blob, heir)
        return heir is not None

    def _go_on(self, execution: Execution, packed: bytes, claimed: Claimed | None, leased_at: float) -> None:
        """An execution has made way for the one that follows it in its place, or for none."""
        if claimed is None:
            execution.slots.give(1)
        elif self.closing:
            self._finisher.release(execution.shard, claimed.id, claimed.owner)
            execution.slots.give(1)
        else:
            before = {execution.claimed.id: packed}
            self.start(claimed, execution.slots, execution.shard, leased_at, before)

    def encoded(self, value: Any) -> bytes:
        """A result as it is stored. Raises :class:`Fail`."""
        try:
            packed = packed_result(value)
        except InvalidInput as error:
            raise Fail(f"the result cannot be stored: {error}") from error
        limit = self._app.settings.max_result
        if len(packed) > limit:
            raise Fail(
                f"the result takes {len(packed):,} bytes and the limit is {limit:,} (setting max_result)"
            )
        return packed

    def is_large(self, packed: bytes) -> bool:
        """Whether a result goes to the blob store."""
        return len(packed) > self._offload_above

    async def offload(self, packed: bytes) -> str:
        """Part of the execution, so that it keeps its slot and its lease for as long as it takes."""
        try:
            return await self._app.blobs.put(packed)
        except Exception as error:
            raise Fail(f"the result could not be offloaded: {type(error).__name__}") from error

    def ended(self, execution: Execution, error: BaseException) -> None:
        """The execution was cancelled: by the worker, or by the task's own code."""
        match execution.ending:
            case None:
                self._settle(execution, error)
            case Ending.HEARTBEAT:
                silence = (execution.type.policy.heartbeat_ms or 0) / 1000
                self._settle(execution, HeartbeatMissed(f"no heartbeat for more than {silence:g} seconds"))
            case Ending.SHUTDOWN if execution.type.policy.on_shutdown is OnShutdown.FAIL:
                self._settle(execution, Fail("its worker was shut down"))
            case Ending.SHUTDOWN:
                execution.outcome = Outcome.RELEASED
                self._finisher.release(execution.shard, execution.claimed.id, execution.claimed.owner)
            case Ending.LOST:
                pass

    def _settle(self, execution: Execution, error: BaseException) -> None:
        claimed, policy = execution.claimed, execution.type.policy
        if execution.ending is Ending.LOST:
            return
        if isinstance(error, Struck):
            self._strike_out(execution, error.strike)
            return
        decision = decide(policy, claimed.attempt - claimed.crashes, error, random.random())
        execution.outcome = OUTCOMES[decision.event]
        if self._events.tell is not None:
            execution.error = error
        report = b""
        if decision.report:
            ran = time.monotonic() - execution.started
            report = make_report(error, claimed.attempt, self._worker, ran)
            log.warning(
                "task %s (%s) attempt %d ended with %s: %s",
                claimed.id, claimed.type, claimed.attempt, type(error).__name__, decision.reason,
            )  # fmt: skip
        self._finisher.settle(
            execution.shard, claimed.id, claimed.owner, policy.failed_retention_ms, decision, report
        )

    def _strike_out(self, execution: Execution, strike: Strike) -> None:
        """A task that must not run: it ends as cancelled, or is put back for as long as the strike is there."""
        claimed = execution.claimed
        log.warning("task %s (%s) does not run: %s", claimed.id, claimed.type, strike.why)
        if strike.action == "cancel":
            execution.ending = Ending.LOST  # what the server says of it is not about this execution
            self._finisher.cancel(execution, strike.why)
            return
        execution.outcome = Outcome.SNOOZED
        decision = Decision(Event.SNOOZE, hold_ms(claimed.snoozes), f"held by {strike.why}", report=False)
        retention = execution.type.policy.failed_retention_ms
        self._finisher.settle(execution.shard, claimed.id, claimed.owner, retention, decision, b"")

    def _put_back(self, claimed: Claimed, shard: int) -> None:
        decision = decide_unknown_type(claimed.type, claimed.snoozes)
        log.warning("task %s: %s", claimed.id, decision.reason)
        retention = self._app.settings.failed_retention_ms
        self._finisher.settle(shard, claimed.id, claimed.owner, retention, decision, b"")

    def _refuse(self, claimed: Claimed, task_type: TaskType[Any, Any], shard: int, error: Exception) -> None:
        """Arguments that cannot be read will not become readable: a dead letter, with its bytes kept."""
        log.error("task %s (%s) cannot run: %s", claimed.id, claimed.type, error)
        reason = f"its arguments cannot be read: {safe_text(error)}"
        decision = Decision(Event.FAIL, 0, reason, report=True, cause=APART)
        report = make_report(error, claimed.attempt, self._worker, 0.0)
        retention = task_type.policy.failed_retention_ms
        self._finisher.settle(shard, claimed.id, claimed.owner, retention, decision, report)


def _chain(app: Jobbers, task_type: TaskType[Any, Any], innermost: Call) -> Call:
    """The built-in features nearest to the function, then the app's middleware, the first added outermost."""
    call = innermost
    for middleware in (*BUILT_IN, *reversed(app.middleware)):
        call = middleware.wrap(task_type, call)
    return call
