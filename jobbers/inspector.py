"""Reads and repairs that API, command line and page share."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from jobbers.core.advice import Advice
from jobbers.core.ids import check_id
from jobbers.core.names import check_name
from jobbers.core.payload import encode_arguments
from jobbers.core.queue_rules import WhenFull, check_limit
from jobbers.core.signature import Signature
from jobbers.core.status import FINAL, Status
from jobbers.core.strike import Strike
from jobbers.core.tallies import Tallies
from jobbers.core.task import TaskRecord
from jobbers.core.why import explain, of_run
from jobbers.core.why_facts import Why
from jobbers.errors import Conflict, InvalidInput, NotFound
from jobbers.settings import Settings
from jobbers.statistics import Statistics, gather_advice, gather_statistics
from jobbers.store.blobs import BlobStore
from jobbers.store.control import WorkerInfo
from jobbers.store.inspect import QueueInfo
from jobbers.store.logs import MOST_LINES, LogLine
from jobbers.store.purge import waiting_in
from jobbers.store.queues import MADE_ROOM
from jobbers.store.runs import RUN_TYPE
from jobbers.store.statistics import KEPT_MINUTES
from jobbers.store.store import Store
from jobbers.store.upkeep import Finding
from jobbers.store.why import gather

MAX_PAGE = 500
SCANNED_PER_PAGE = 5_000
"""How many tasks a filtered page looks at before it gives what it has and a cursor."""

NODES_EXPLAINED = 5
"""Of how many nodes of a run it is told why they do not run."""


class HasSignature(Protocol):
    """A task type, as far as the inspector cares."""

    @property
    def signature(self) -> Signature:
        """Its parameters."""
        ...


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks; ``cursor`` leads to the next one, and is ``None`` when that was all."""

    tasks: Sequence[TaskRecord]
    cursor: str | None


class Inspector:
    """Everything one can see and repair, over an open store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        blobs: BlobStore,
        types: Mapping[str, HasSignature] = MappingProxyType({}),
    ) -> None:
        self._types = types
        self.store = store
        self._settings = settings
        self._blobs = blobs

    async def task(self, task_id: str) -> TaskRecord:
        """Everything known of a task. Raises :class:`NotFound`, :class:`InvalidId`."""
        (record,) = await self.store.inspect.records([check_id(task_id)])
        if record is None:
            raise NotFound(f"there is no task {task_id}: it never was, or its record has expired")
        return record

    async def why(self, task_id: str, queues: Collection[str] | None = None) -> Why:
        """Why a task or a run does not run: what holds it up now, and what would next. With ``queues`` what is told of
        others is told only of those in these queues. Raises :class:`NotFound`, :class:`InvalidId`."""
        record = await self.task(task_id)
        facts = await gather(self.store, record, self._named(record), queues)
        why = explain(facts)
        if not facts.is_run:
            return why
        next_ones = [node.id for node in facts.nodes if node.ready and node.status is not Status.RUNNING]
        records = await self.store.inspect.records(next_ones[:NODES_EXPLAINED])
        nodes = await asyncio.gather(
            *(gather(self.store, it, self._named(it), queues) for it in records if it is not None)
        )
        return of_run(why, [explain(node) for node in nodes])

    def _named(self, record: TaskRecord) -> Mapping[str, Any]:
        """A task's arguments by parameter; where its type is not known here, its keywords."""
        known = self._types.get(record.type)
        try:
            if known is not None:
                return known.signature.named(record.arguments, record.keywords)
        except TypeError:  # of an item of a map, or of other code
            pass
        return record.keywords

    async def logs(self, task_id: str, limit: int = MOST_LINES) -> list[LogLine]:
        """The last lines that a task has logged, the oldest first; none unless the setting ``keep_logs`` names its type.
        Raises :class:`NotFound`, :class:`InvalidId`."""
        await self.task(task_id)
        return await self.store.logs.read(task_id, limit)

    async def tasks(
        self,
        status: Status,
        *,
        type: str | None = None,
        queue: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        takes: Callable[[TaskRecord], bool] | None = None,
    ) -> TaskPage:
        """Tasks in a status, optionally of one type or queue, or those that ``takes`` says. ``cursor`` is that of the page
        before; ``limit`` from 1 to 500. A page may be short, or run a little over its limit; there is more as long as it
        has a cursor. Long arguments and all errors but the last are left out: see :meth:`task`."""
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"limit must be from 1 to {MAX_PAGE}, got {limit}")
        found: list[TaskRecord] = []
        looked_at = 0
        while len(found) < limit and looked_at < SCANNED_PER_PAGE:
            try:
                page = await self.store.inspect.list_ids(status, queue, cursor, limit - len(found))
            except ValueError:
                raise InvalidInput("the cursor is not one that a page of this list gave", "cursor") from None
            records = await self.store.inspect.records(page.ids, brief=True)
            looked_at += max(1, len(page.ids))
            found += [
                record
                for record in records
                if record is not None
                and record.status is status
                and type in (None, record.type)
                and queue in (None, record.queue)
                and (takes is None or takes(record))
            ]
            cursor = page.cursor
            if cursor is None:
                break
        return TaskPage(found, cursor)

    async def runs(self, *, dag: str | None = None, cursor: str | None = None, limit: int = 100) -> TaskPage:
        """The records of runs, the newest first, optionally of one graph. ``cursor`` is that of the page before; ``limit``
        from 1 to 500. A page may be short; there is more as long as it has a cursor."""
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput(f"limit must be from 1 to {MAX_PAGE}, got {limit}")
        try:
            page = await self.store.inspect.list_runs(cursor, limit)
        except ValueError:
            raise InvalidInput("the cursor is not one that a page of this list gave", "cursor") from None
        records = await self.store.inspect.records(page.ids, brief=True)
        wanted = RUN_TYPE if dag is None else f"{RUN_TYPE}{dag}"
        found = [
            it for it in records if it and (it.type == wanted or (dag is None and it.type.startswith(wanted)))
        ]
        return TaskPage(found, page.cursor)

    async def queues(self) -> list[QueueInfo]:
        """All queues with depth, age of the oldest ready task and pause."""
        return await self.store.inspect.queues()

    async def counts(self) -> dict[str, int]:
        """How many tasks are ``queued``, ``scheduled``, ``running`` and ``dead``."""
        queued = sum(queue.depth for queue in await self.queues())
        return {"queued": queued, **await self.store.inspect.counts()}

    async def pause(self, queue: str) -> None:
        """Give nothing out of a queue any more; what runs goes on."""
        await self.store.control.pause(check_name(queue, "the queue"))

    async def resume(self, queue: str) -> None:
        """Give out of a queue again, and let it take submissions again."""
        await self.store.queues.undrain(check_name(queue, "the queue"))
        await self.store.control.resume(queue)

    async def drain(self, queue: str) -> None:
        """Let a queue take nothing more that is submitted; what is there, and what runs and retries put there, is done."""
        await self.store.queues.drain(check_name(queue, "the queue"))

    async def limit(self, queue: str, max_length: int | None, when_full: WhenFull = "refuse") -> None:
        """Let a queue have at most so many ready tasks from now on, whatever the code says; ``None`` for any number. With
        ``"drop_oldest"`` what is too much becomes dead letters at once. Raises :class:`InvalidInput`."""
        wanted = check_limit(max_length, when_full)
        await self.store.queues.limit(
            check_name(queue, "the queue"), wanted, self._settings.failed_retention_ms
        )
        for shard in range(len(self.store.shards)):
            while await self.store.queues.make_room(shard, queue) == MADE_ROOM:
                pass

    async def unlimit(self, queue: str) -> None:
        """Let the code say again how long a queue may become."""
        await self.store.queues.unlimit(check_name(queue, "the queue"))

    async def routes(self) -> Mapping[str, str]:
        """To which queues types are sent instead of their own."""
        return (await self.store.queues.rules()).routes

    async def route(self, type: str, queue: str) -> None:
        """Let clients send the tasks of a type to this queue from now on; they look at most every second."""
        await self.store.queues.route(check_name(type, "the task type"), check_name(queue, "the queue"))

    async def unroute(self, type: str) -> None:
        """Let tasks of a type go where it says. Raises :class:`NotFound` if they do."""
        if not await self.store.queues.unroute(check_name(type, "the task type")):
            raise NotFound(f"tasks of type {type} are not sent elsewhere")

    async def purge(self, queue: str) -> int:
        """Cancel everything that waits in a queue: what is scheduled, then what is ready. What runs goes on, and what comes
        while this is under way may stay. Returns how many."""
        check_name(queue, "the queue")
        retention = self._settings.retention_ms
        purged = 0
        async for shard, ids in waiting_in(self.store, queue):
            call = secrets.token_hex(4)
            purged += await self.store.queues.purge(shard, queue, ids, call, retention_ms=retention)
        return purged

    async def workers(self) -> list[WorkerInfo]:
        """The workers that are alive or were a short while ago."""
        return await self.store.control.workers()

    async def worker(self, worker: str) -> WorkerInfo:
        """One worker of the roll. Raises :class:`NotFound`."""
        found = next((one for one in await self.workers() if one.id == worker), None)
        if found is None:
            raise NotFound(f"there is no worker {worker[:100]!r}: see the list of workers for their ids")
        return found

    async def running_on(self, worker: str, most: int = 10_000) -> tuple[list[TaskRecord], bool]:
        """What runs on a worker, of the first ``most`` running tasks; and whether these were all."""
        found: list[TaskRecord] = []
        cursor: str | None = None
        for _ in range(0, most, MAX_PAGE):
            page = await self.tasks(Status.RUNNING, cursor=cursor, limit=MAX_PAGE)
            found += [record for record in page.tasks if record.worker == worker]
            cursor = page.cursor
            if cursor is None:
                break
        return found, cursor is None

    async def pause_worker(self, worker: str) -> None:
        """Let a worker claim nothing more; what runs there goes on. It hears of it within two seconds, and forgets it with
        its end. Raises :class:`NotFound`, like the next two."""
        await self.store.control.tell(worker, "pause")

    async def resume_worker(self, worker: str) -> None:
        """Let a worker claim again."""
        await self.store.control.tell(worker, "")

    async def drain_worker(self, worker: str) -> None:
        """Let a worker claim nothing more, and end as at SIGTERM: in its grace time, by the policies of its types."""
        await self.store.control.tell(worker, "drain")

    async def stats(self, minutes: int = 60) -> dict[int, Counter[tuple[str, str, str]]]:
        """Counts by (queue, type, outcome) for each minute since 1970 of the last ``minutes``."""
        return await self.store.inspect.stats(_minutes(minutes))

    async def tallies(self, minutes: int = 60) -> dict[int, Tallies]:
        """All that was counted in each minute since 1970 of the last ``minutes``."""
        last = await self.store.inspect.now_ms() // 60_000
        return await self.store.statistics.minutes(last, _minutes(minutes))

    async def statistics(self, minutes: int = 60) -> Statistics:
        """Where the tasks of each queue stand, and what became of them and of their workers in the last ``minutes``: up to
        a day of them."""
        return await gather_statistics(self.store, _minutes(minutes))

    async def advice(self, target_wait: float = 5.0, queue: str | None = None) -> list[Advice]:
        """How many workers each queue needs (or one) for its tasks to wait ``target_wait`` seconds at most, on average."""
        if not 0.001 <= target_wait <= 86_400:
            raise InvalidInput(f"target_wait must be from 0.001 to 86400 seconds, got {target_wait}")
        return await gather_advice(self.store, target_wait, queue)

    async def cancel(
        self, task_ids: Iterable[str], reason: str = "cancelled by an operator"
    ) -> dict[str, bool | None]:
        """Cancel tasks: ``True`` ended now, ``False`` had ended before, ``None`` no such task."""
        ids = [check_id(task_id) for task_id in task_ids]
        before = await self.store.tasks.cancel(ids, self._settings.retention_ms, reason[:500])
        return {
            task_id: None if status is None else status not in FINAL for task_id, status in before.items()
        }

    async def requeue(
        self,
        task_id: str,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        reason: str = "requeued by an operator",
    ) -> None:
        """Give a failed or cancelled task a new life, with other arguments or keywords where they are given. Raises
        :class:`NotFound`, :class:`Conflict`, :class:`PayloadTooLarge`."""
        (outcome,) = await self.store.inspect.outcomes([check_id(task_id)])
        if outcome is not None and outcome.type.startswith(RUN_TYPE):
            raise Conflict(
                f"{task_id} is a run, not a task: repeat it with jobbers dag retry, or POST /runs/{{id}}/retry"
            )
        envelope = b""
        if args is not None or kwargs is not None:
            record = await self.task(task_id)
            envelope = encode_arguments(
                record.type,
                record.arguments if args is None else args,
                record.keywords if kwargs is None else kwargs,
                record.headers,
                self._settings.max_payload,
            )
        before = (await self.store.tasks.requeue({check_id(task_id): envelope}, reason))[check_id(task_id)]
        if before is None:
            raise NotFound(f"there is no task {task_id}: it never was, or its record has expired")
        if before not in (Status.FAILED, Status.CANCELLED):
            raise Conflict(f"task {task_id} is {before}: only failed and cancelled tasks can be requeued")

    async def requeue_dead(
        self, *, type: str | None = None, queue: str | None = None, limit: int | None = None
    ) -> int:
        """Requeue dead letters, all or those of a type or queue; runs are repeated by themselves. Returns how many."""
        done = 0
        async for ids in self._dead(type, queue):
            chosen = ids if limit is None else ids[: limit - done]
            before = await self.store.tasks.requeue(dict.fromkeys(chosen, b""), "requeued by an operator")
            done += sum(status is Status.FAILED for status in before.values())
            if limit is not None and done >= limit:
                break
        return done

    async def drop_dead(
        self, task_ids: Iterable[str] | None = None, *, type: str | None = None, queue: str | None = None
    ) -> int:
        """Delete dead letters for good: the given ones, or all of a type or queue. Returns how many."""
        if task_ids is not None:
            return await self.store.upkeep.drop_dead([check_id(task_id) for task_id in task_ids])
        dropped = 0
        async for ids in self._dead(type, queue, runs=True):
            dropped += await self.store.upkeep.drop_dead(ids)
        return dropped

    async def _dead(
        self, type: str | None, queue: str | None, *, runs: bool = False
    ) -> AsyncIterator[list[str]]:
        """Pages of ids of dead letters, with ``runs`` those of runs, too. Those of a page may be gone from the index before
        the next is read."""
        cursor: str | None = None
        while True:
            page = await self.tasks(Status.FAILED, type=type, queue=queue, cursor=cursor, limit=MAX_PAGE)
            yield [record.id for record in page.tasks if runs or not record.type.startswith(RUN_TYPE)]
            cursor = page.cursor
            if cursor is None:
                return

    async def strike(self, strike: Strike) -> Strike:
        """Add a strike; workers and clients go by it within a second. Raises :class:`InvalidInput`."""
        return await self.store.strikes.add(strike)

    async def strikes(self) -> list[Strike]:
        """What is struck, the oldest first."""
        return await self.store.strikes.every()

    async def lift(self, strike_id: str) -> Strike:
        """Take a strike back. Raises :class:`NotFound`."""
        return await self.store.strikes.lift(check_id(strike_id))

    async def check(self, *, mend: bool = False) -> list[Finding]:
        """Compare every record with the indexes; ``mend`` puts right what is wrong."""
        findings: list[Finding] = []
        for shard in range(len(self.store.shards)):
            findings += await self.store.upkeep.repair_all(
                shard, self._settings.lease_ms, self._settings.failed_retention_ms, mend=mend
            )
        return findings

    async def server(self) -> dict[str, str]:
        """What the server says of itself, and ``latency_ms``."""
        return await self.store.inspect.server_info()


def _minutes(value: int) -> int:
    if not 1 <= value <= KEPT_MINUTES:
        raise InvalidInput(f"minutes must be from 1 to {KEPT_MINUTES}, got {value}")
    return value
