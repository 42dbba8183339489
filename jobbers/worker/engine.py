"""The parts of a worker, put together over an open store: who feeds whom, and in which order they start and end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from jobbers.app import Jobbers
from jobbers.core.adaptive import Adaptive
from jobbers.core.events import LeaseLost
from jobbers.core.fault_points import parse_fault_points
from jobbers.core.roles import Role
from jobbers.store.inbox import Inbox
from jobbers.store.renewal import Renewal
from jobbers.store.store import Store
from jobbers.worker.adaptation import Adaptation
from jobbers.worker.caretaker import Caretaker
from jobbers.worker.claimer import Claimer
from jobbers.worker.duties import Duty
from jobbers.worker.duties.janitor import Janitor
from jobbers.worker.duties.measure import Measure
from jobbers.worker.duties.promote import Promote
from jobbers.worker.duties.reclaim import Reclaim
from jobbers.worker.duties.schedule import Fire
from jobbers.worker.execution import Ending
from jobbers.worker.executors import Executors
from jobbers.worker.fault_points import install_fault_points
from jobbers.worker.finisher import Finisher
from jobbers.worker.heartbeats import Heartbeats
from jobbers.worker.intakes import Intake, intakes
from jobbers.worker.keeper import Keeper
from jobbers.worker.loop_guard import LoopGuard
from jobbers.worker.runner import Runner
from jobbers.worker.shutdown import hurried, wind_down
from jobbers.worker.strikes import Strikes
from jobbers.worker.task_logs import TaskLogs, kept_types

log = logging.getLogger("jobbers.worker")


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a worker takes on: tasks on the loop and in threads (with ``adaptive`` at the start), threads, processes."""

    concurrency: int
    threads: int
    processes: int
    adaptive: Adaptive | None = None


class Engine:
    """Claimers feed the runner, the runner feeds the finisher; keeper, heartbeats, caretaker and inbox stand by."""

    def __init__(
        self,
        app: Jobbers,
        store: Store,
        worker: str,
        role: Role,
        capacity: Capacity,
        *,
        on_roles: Callable[[], None] | None = None,
    ) -> None:
        """``on_roles`` is called when a role may have changed; with it, :meth:`serve` may be called."""
        settings = app.settings
        self._store = store
        self._settings = settings
        self._events = app.events
        self._worker = worker
        self._control_channel = store.keys.control(worker)
        self._executors = Executors(capacity.threads, capacity.processes)
        self.finisher = Finisher(store, settings.lease_ms, app.events)
        self.runner = Runner(app, worker, self.finisher, self._executors, store)
        running = self.runner.running
        self._strikes = Strikes(store, self.finisher, running)
        self._heartbeats = Heartbeats(store, settings, running)
        self._executors.on_beat = self._heartbeats.heard
        chosen = {name: it.policy.keep_logs for name, it in app.task_types.items()}
        kept = kept_types(settings.keep_logs, chosen)
        self._logs = kept and TaskLogs(
            store.logs,
            worker,
            kept,
            lambda: {it.claimed.id for it in running},
            max(settings.retention_ms, settings.failed_retention_ms),
        )
        renewal = Renewal(store.connector, store.shards)
        self._keeper = Keeper(renewal, settings, running, self._lose)
        self._guard = LoopGuard(worker, settings.block_warning, running, app.events)
        if settings.fault_points:
            install_fault_points(
                parse_fault_points(settings.fault_points), store.tasks, store.upkeep, self.finisher, renewal
            )
        duties: list[Duty] = [
            Promote(store, settings),
            Fire(store, settings, app.schedules, app.events),
            Reclaim(store, settings, app.events),
            Janitor(store, settings, app.blobs, app.result_seconds),
            Measure(store, app.events, app.task_types),
        ]
        self._caretaker = Caretaker(store, worker, duties, settings.lease)
        most = capacity.concurrency if capacity.adaptive is None else capacity.adaptive.most
        self._intakes = intakes(app, capacity.concurrency, capacity.processes, most)
        self._places = self._intakes[0].slots
        self._adaptation = (
            None if capacity.adaptive is None else Adaptation(capacity.adaptive, self._places, app.events)
        )
        self._on_roles = on_roles
        self._of_intakes = [self._claimers(role, intake) for intake in self._intakes]
        self.claimers = [claimer for claimers in self._of_intakes for claimer in claimers]
        self._bells = {keys.bell: shard for shard, keys in enumerate(store.shards)}
        self._roles_channel = store.keys.roles
        channels = [self._control_channel, *self._bells, *([self._roles_channel] if on_roles else [])]
        self._inbox = Inbox(store.connector, channels, self._heard)
        self._background: list[asyncio.Task[None]] = []
        self._claiming: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start all parts."""
        self._background = [
            asyncio.create_task(self.finisher.run(), name="jobbers-finisher"),
            asyncio.create_task(self._heartbeats.run(), name="jobbers-heartbeats"),
            asyncio.create_task(self._keeper.fence(), name="jobbers-fence"),
            asyncio.create_task(self._strikes.run(), name="jobbers-strikes"),
            *(
                asyncio.create_task(self._caretaker.run(shard), name=f"jobbers-upkeep-{shard}")
                for shard in range(len(self._store.shards))
            ),
        ]
        if self._adaptation is not None:
            self._background.append(asyncio.create_task(self._adaptation.run(), name="jobbers-adaptation"))
        if self._logs is not None:
            self._background.append(asyncio.create_task(self._logs.run(), name="jobbers-task-logs"))
            logging.getLogger().addHandler(self._logs)
        self._keeper.start()
        self._guard.start()
        self._inbox.start()
        self._claiming = [
            asyncio.create_task(claimer.run(), name="jobbers-claimer") for claimer in self.claimers
        ]

    def _claimers(self, role: Role, intake: Intake) -> list[Claimer]:
        """Who fills the slots of an intake, one for each shard; nobody if there will never be a queue for them."""
        mine, live = intake.part(role, self._intakes), self._on_roles is not None
        if not mine.queues and not live:
            return []
        return [
            Claimer(
                self._store,
                self._settings,
                self.runner,
                self.finisher,
                worker=self._worker,
                shard=shard,
                role=mine,
                slots=intake.slots,
                live=live,
            )
            for shard in range(len(self._store.shards))
        ]

    def serve(self, role: Role) -> None:
        """Claim from the queues of this role from now on; what runs goes on."""
        for intake, claimers in zip(self._intakes, self._of_intakes, strict=True):
            for claimer in claimers:
                claimer.serve(intake.part(role, self._intakes))

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The loops of the parts: none of them ends by itself as long as the worker works."""
        return [*self._background, *self._claiming]

    @property
    def concurrency(self) -> int:
        """How many tasks on the loop and in threads it takes on at this moment."""
        return self._places.total

    @property
    def places(self) -> str:
        """Slots as JSON: for which queues (``null``: all others), how many, and how many are free."""
        return json.dumps(
            [
                [None if it.queues is None else sorted(it.queues), it.slots.total, max(0, it.slots.free)]
                for it in self._intakes
            ]
        )

    @property
    def idle(self) -> bool:
        """Whether nothing runs here and nothing ready was found."""
        return not self.runner.running and all(claimer.idle for claimer in self.claimers)

    async def wind_down(self, hurry: asyncio.Event) -> None:
        """Claim nothing more, let running tasks end as their types want it, and write what they came to."""
        for claimer in self.claimers:
            claimer.stop()
        self.runner.closing = True
        # Claimers that wait for work hold nothing and can be cancelled; a claim in flight is waited for.
        for claimer, task in zip(self.claimers, self._claiming, strict=True):
            if not claimer.claiming:
                task.cancel()
        await hurried(asyncio.gather(*self._claiming, return_exceptions=True), hurry)
        self.runner.batches.release()
        await wind_down(self.runner.running, self._settings.grace, hurry)
        for execution in self.runner.running:
            self.finisher.release(execution.shard, execution.claimed.id, execution.claimed.owner)
        await hurried(self.finisher.drained(), hurry)
        await self._caretaker.leave()
        if self._logs is not None:
            await hurried(self._logs.flush_lines(), hurry)

    @property
    def unending(self) -> int:
        """How many functions still run although they were told to end."""
        return len(self.runner.running) + len(self._executors.in_threads)

    async def close(self) -> None:
        """End all parts, whatever state they are in. What still runs is left to its lease, and nothing is said about it."""
        for execution in list(self.runner.running):
            execution.end(Ending.LOST)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._inbox.stop()
        self._guard.stop()
        if self._logs is not None:
            logging.getLogger().removeHandler(self._logs)
        await asyncio.to_thread(self._keeper.stop)
        with contextlib.suppress(OSError):
            self._executors.close()

    def _lose(self, task_id: str, owner: str | None, why: str) -> None:
        """An execution must not go on: the task is somebody else's, or over."""
        for execution in list(self.runner.running):
            if execution.claimed.id == task_id and owner in (None, execution.claimed.owner):
                if execution.ending is None:
                    log.warning(
                        "task %s is not this worker's any more (%s): ending its execution", task_id, why
                    )
                    if (tell := self._events.tell) is not None:
                        tell(LeaseLost(task_id, execution.type.name, self._worker, why))
                execution.end(Ending.LOST)

    def _heard(self, channel: str, message: str) -> None:
        if channel == self._control_channel:
            self._lose(message, None, "cancelled")
        elif channel == self._roles_channel:
            if self._on_roles is not None:
                self._on_roles()
        else:
            self._caretaker.ring(self._bells[channel])
