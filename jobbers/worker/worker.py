"""A worker: who it is, what it serves, and its life from the roll call to the shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jobbers.app import Jobbers
from jobbers.core.durability import risks
from jobbers.core.events import WorkerPulse, WorkerStarted, WorkerStopped
from jobbers.core.names import check_name
from jobbers.errors import ConfigError, StoreError
from jobbers.store.store import Store
from jobbers.worker.engine import Capacity, Engine
from jobbers.worker.identity import Identity, identify, known_dead
from jobbers.worker.shutdown import exit_without, hurried

log = logging.getLogger("jobbers.worker")

PRESENCE_SECONDS = 2.0
BURST_SECONDS = 0.02
FLUSH_SECONDS = 3.0
"""How long a worker that ends waits for whoever takes its telemetry."""


class Worker:
    """Claims tasks of some queues and runs them.

    ``queues`` or the queues of a ``role``; by default those of the app's task types. ``concurrency`` bounds the tasks
    on the loop and in threads, ``cpu_processes`` (by default one a processor) those of types with ``process=True``; a
    queue that such a type names is claimed by that bound alone. ``threads`` bounds plain functions and is
    ``concurrency`` by default. With ``burst`` the worker ends when nothing is ready, running or due.

    Raises :class:`ConfigError` for values that make no sense.
    """

    def __init__(
        self,
        app: Jobbers,
        *,
        queues: Sequence[str] | None = None,
        role: str | None = None,
        concurrency: int = 100,
        threads: int | None = None,
        cpu_processes: int | None = None,
        name: str | None = None,
        burst: bool = False,
    ) -> None:
        if queues is not None and role is not None:
            raise ConfigError("give queues or a role, not both")
        self.app = app
        self.queues = [check_name(queue, "the queue") for queue in queues or app.queues_of(role)]
        if not self.queues:
            raise ConfigError("a worker needs at least one queue")
        self.capacity = Capacity(
            concurrency=_at_least_one(concurrency, "concurrency"),
            threads=_at_least_one(concurrency if threads is None else threads, "threads"),
            processes=_at_least_one(
                (os.cpu_count() or 1) if cpu_processes is None else cpu_processes, "cpu_processes"
            ),
        )
        self.identity: Identity = identify(name)
        self.ready = asyncio.Event()
        self._burst = burst
        self._role = role
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def stop(self) -> None:
        """Begin to shut down; a second call ends at once, putting running tasks back. Call it on the worker's loop."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self, *, signals: bool = False) -> None:
        """Work until :meth:`stop`. Raises :class:`ServerUnavailable` when there is no server at the start; later on the
        worker waits for it to come back.

        With ``signals`` the process is the worker's: SIGTERM and SIGINT call :meth:`stop`, and functions that do not let
        themselves be ended do not keep it from ending.
        """
        with self._signals() if signals else contextlib.nullcontext():
            store = await self.app.open_store("jobbers-worker")
            try:
                await self._warn(store)
                await self._introduce(store)
                await self.app.limits.write_defined(store)
                await self.app.schedules.write_defined(store)
                unending = await self._serve(store)
            finally:
                await store.close()
                if self.app.telemetry is not None:
                    await asyncio.to_thread(self.app.telemetry.flush, FLUSH_SECONDS)
        if signals and unending:
            exit_without(unending)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _warn(self, store: Store) -> None:
        """Tell of a server that may lose tasks."""
        try:
            info = await store.inspect.info()
        except (ConfigError, StoreError) as error:
            log.info("cannot see how the server keeps its data: %s", error)
            return
        for risk in risks(self.app.settings.durability, info):
            log.warning("%s; %s", *risk)

    async def _introduce(self, store: Store) -> None:
        """Take a name of its own, and take back at once what dead workers of this machine have left behind."""
        roll = await store.control.workers()
        dead = [info for info in roll if known_dead(info, self.identity.machine)]
        settings = self.app.settings
        for info in dead:
            for shard in range(len(store.shards)):
                taken = await store.upkeep.reclaim_owner(
                    shard, info.id, settings.crash_budget, settings.failed_retention_ms, crashed=True
                )
                if taken:
                    log.warning("took %d tasks back from worker %s, which is dead", len(taken), info.id)
        await store.control.leave([info.id for info in dead])
        living = {
            info.facts.get("name")
            for info in roll
            if info not in dead and info.silent_seconds < max(settings.lease, 3 * PRESENCE_SECONDS)
        }
        if self.identity.name in living:
            suffix = next(
                number
                for number in range(2, len(living) + 3)
                if f"{self.identity.name}-{number}" not in living
            )
            log.warning(
                "a worker named %s is running: this one is %s-%d",
                self.identity.name,
                self.identity.name,
                suffix,
            )
            self.identity = replace(self.identity, name=f"{self.identity.name}-{suffix}")

    async def _serve(self, store: Store) -> int:
        """Work and wind down; returns how many functions do not let themselves be ended."""
        engine = Engine(self.app, store, self.identity.id, self.queues, self.capacity)
        presence = asyncio.create_task(self._presence(store, engine), name="jobbers-presence")
        try:
            engine.start()
            log.info("worker %s serves %s", self.identity.id, ", ".join(self.queues))
            if (tell := self.app.events.tell) is not None:
                tell(WorkerStarted(self.identity.id, tuple(self.queues), self.capacity.concurrency))
            self.ready.set()
            await self._until_stopped(store, engine, presence)
            await engine.wind_down(self._hurry)
            with contextlib.suppress(StoreError):
                await hurried(store.control.leave([self.identity.id]), self._hurry)
        finally:
            presence.cancel()
            await asyncio.gather(presence, return_exceptions=True)
            await engine.close()
        log.info("worker %s has ended", self.identity.id)
        if (tell := self.app.events.tell) is not None:
            tell(WorkerStopped(self.identity.id))
        return engine.unending

    async def _presence(self, store: Store, engine: Engine) -> None:
        """Keep the entry in the roll up to date."""
        started = int(time.time())
        while True:
            facts: dict[str, str | int | float] = {
                **self.identity.facts(),
                "queues": ",".join(self.queues),
                "role": self._role or "",
                "concurrency": self.capacity.concurrency,
                "running": len(engine.runner.running),
                "finished": engine.finisher.finished,
                "refused": engine.finisher.refused,
                "started": started,
                "stopping": int(self._stop.is_set()),
            }
            with contextlib.suppress(StoreError):
                await store.control.announce(self.identity.id, facts, int(self.app.settings.lease * 6000))
            asleep = time.monotonic()
            await asyncio.sleep(PRESENCE_SECONDS)
            if (tell := self.app.events.tell) is not None:
                lag = max(0.0, time.monotonic() - asleep - PRESENCE_SECONDS)
                tell(
                    WorkerPulse(self.identity.id, len(engine.runner.running), self.capacity.concurrency, lag)
                )

    async def _until_stopped(self, store: Store, engine: Engine, presence: asyncio.Task[None]) -> None:
        """Return when asked to stop, or in a burst when nothing is left. A part that dies takes the worker along."""
        ends: list[asyncio.Task[bool]] = [asyncio.create_task(self._stop.wait())]
        if self._burst:
            ends.append(asyncio.create_task(self._nothing_left(store, engine)))
        try:
            done, _ = await asyncio.wait(
                [*ends, presence, *engine.tasks], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        self._stop.set()

    async def _nothing_left(self, store: Store, engine: Engine) -> bool:
        while True:
            await asyncio.sleep(BURST_SECONDS)
            if not engine.idle:
                continue
            counts = await store.inspect.counts()
            queues = await store.inspect.queues()
            ready = sum(queue.depth for queue in queues if queue.name in self.queues and not queue.paused)
            if not (ready or counts["scheduled"] or counts["running"] or engine.runner.running):
                return True


def _at_least_one(value: int, what: str) -> int:
    if value < 1:
        raise ConfigError(f"{what} must be 1 or more, got {value}")
    return value
