"""Sends what executions came to. What gathers while a call is in flight goes out with the next one."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from jobbers.core.decide import Decision
from jobbers.core.events import Dispatcher, FinishRefused
from jobbers.core.status import Event
from jobbers.core.task import Claimed
from jobbers.errors import OutOfMemory, StoreError
from jobbers.store.rows import MAX_BATCH, Failure, Postponement, Retrial, Skipping, Success, Succession
from jobbers.store.store import Store
from jobbers.store.tasks import chunked
from jobbers.worker.execution import Execution
from jobbers.worker.report import bounded

log = logging.getLogger("jobbers.worker")
OOM_PAUSE_SECONDS = 1.0
MAX_REASON = 500


OnFollow = Callable[[Execution, bytes, Claimed | None, float], None]
"""Called when an execution has made way: with its encoded result, the execution that follows it, if any, and when the call
was sent (monotonic seconds)."""


class Finisher:
    """Collects completions and writes them in batches, a verb and shard at a time."""

    def __init__(self, store: Store, lease_ms: int, events: Dispatcher) -> None:
        self._store = store
        self._events = events
        self._lease_ms = lease_ms
        self._pending: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self._leaving: dict[tuple[str, str], tuple[Execution, bytes]] = {}
        self.on_follow: OnFollow = lambda *_: None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.backlog = 0
        self.finished = 0
        self.refused = 0

    def succeed(self, execution: Execution, packed: bytes, blob: str | None = None) -> None:
        """The function returned; ``packed`` is its encoded result, which lies in the blob store if ``blob`` names it."""
        claimed, retention = execution.claimed, execution.type.policy.retention_ms
        where, value = ("result", packed) if blob is None else ("blob", blob.encode())
        self._add("succeed", execution.shard, Success(claimed.id, claimed.owner, retention, where, value))

    def follow(self, execution: Execution, packed: bytes, blob: str | None, heir: str) -> None:
        """Like :meth:`succeed`; the worker would go on with the task ``heir`` in the same place: see ``on_follow``."""
        claimed, retention = execution.claimed, execution.type.policy.retention_ms
        where, value = ("result", packed) if blob is None else ("blob", blob.encode())
        self._leaving[claimed.id, claimed.owner] = execution, packed
        self._add(
            "follow", execution.shard, Succession(claimed.id, claimed.owner, retention, where, value, heir)
        )

    def settle(
        self, shard: int, task_id: str, owner: str, retention_ms: int, decision: Decision, report: bytes
    ) -> None:
        """Write what was decided about an execution that did not succeed."""
        reason = bounded(decision.reason, MAX_REASON)
        if decision.event is Event.FAIL:
            self._add("fail", shard, Failure(task_id, owner, retention_ms, reason, report, decision.cause))
        elif decision.event is Event.SKIP:
            self._add("skip", shard, Skipping(task_id, owner, retention_ms, reason))
        elif decision.event is Event.RETRY:
            self._add(
                "retry", shard, Retrial(task_id, owner, decision.delay_ms, reason, report, decision.cause)
            )
        else:
            self._add("snooze", shard, Postponement(task_id, owner, decision.delay_ms, reason))

    def cancel(self, execution: Execution, reason: str) -> None:
        """End the task as cancelled, and not by what it came to."""
        claimed, retention = execution.claimed, execution.type.policy.retention_ms
        self._add("cancel", execution.shard, (claimed.id, retention, bounded(reason, MAX_REASON)))

    def release(self, shard: int, task_id: str, owner: str) -> None:
        """Put an execution back into its lane."""
        self._add("release", shard, (task_id, owner))

    def _add(self, verb: str, shard: int, row: Any) -> None:
        self._pending[verb, shard].append(row)
        self.backlog += 1
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            batches, self._pending = self._pending, defaultdict(list)
            calls = [
                self._send(verb, shard, chunk)
                for (verb, shard), rows in batches.items()
                for chunk in chunked(rows, MAX_BATCH)
            ]
            if len(calls) == 1:
                await calls[0]
            else:
                await asyncio.gather(*calls)
            if not self._pending:
                self._idle.set()

    async def drained(self) -> None:
        """Wait until everything has been written."""
        while self._pending or not self._idle.is_set():
            await self._idle.wait()
            await asyncio.sleep(0)

    async def _send(self, verb: str, shard: int, rows: Sequence[Any]) -> None:
        try:
            refused = await self._insist(verb, shard, rows)
        except StoreError as error:
            refused = await self._one_by_one(verb, shard, rows, error)
        self.backlog -= len(rows)
        self.finished += len(rows) - len(refused)
        for task_id in refused:
            self.refused += 1
            if (tell := self._events.tell) is not None:
                tell(FinishRefused(task_id, verb))
            log.warning(
                "the %s of task %s was refused: its lease was lost and the task has moved on", verb, task_id
            )

    async def _insist(self, verb: str, shard: int, rows: Sequence[Any]) -> list[str]:
        """A server that is away or full is waited for: what has been worked out must not be lost."""
        tasks = self._store.tasks
        while True:
            try:
                if verb == "follow":
                    return await self._follow(shard, rows)
                if verb == "cancel":
                    for retention, reason in {row[1:] for row in rows}:
                        await tasks.cancel(
                            [row[0] for row in rows if row[1:] == (retention, reason)], retention, reason
                        )
                    return []
                if verb == "release":
                    return await tasks.release(rows, "its worker was shut down", patience=math.inf)
                send: Callable[..., Awaitable[list[str]]] = getattr(tasks, verb)
                return await send(shard, rows, patience=math.inf)
            except OutOfMemory:
                log.error("the server is at its memory limit: %d completions wait", self.backlog)
                await asyncio.sleep(OOM_PAUSE_SECONDS)

    async def _follow(self, shard: int, rows: Sequence[Succession]) -> list[str]:
        sent = time.monotonic()
        refused, followed = await self._store.tasks.follow(shard, rows, self._lease_ms, patience=math.inf)
        for row in rows:
            execution, packed = self._leaving.pop((row.id, row.owner))
            self.on_follow(execution, packed, followed.get(row.id), sent)
        return refused

    async def _one_by_one(self, verb: str, shard: int, rows: Sequence[Any], error: StoreError) -> list[str]:
        """One record that the server cannot handle must not take its neighbours along."""
        if len(rows) == 1:
            log.error(
                "the %s of task %s cannot be written, its lease will run out: %s", verb, rows[0][0], error
            )
            if verb == "follow":
                execution, packed = self._leaving.pop(rows[0][:2])
                self.on_follow(execution, packed, None, 0.0)
            return []
        refused: list[str] = []
        for row in rows:
            try:
                refused += await self._insist(verb, shard, [row])
            except StoreError as single:
                refused += await self._one_by_one(verb, shard, [row], single)
        return refused
