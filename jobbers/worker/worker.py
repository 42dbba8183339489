"""A worker: who it is, what it serves, and its life from the roll call to the shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from jobbers.app import Jobbers
from jobbers.core.adaptive import Adaptive, parse_concurrency
from jobbers.core.durability import risks
from jobbers.core.events import WorkerPulse, WorkerStarted, WorkerStopped
from jobbers.core.names import check_name
from jobbers.core.roles import Role
from jobbers.errors import ConfigError, StoreError
from jobbers.store.store import Store
from jobbers.worker.duties.reclaim import tell_reclaimed
from jobbers.worker.engine import Capacity, Engine
from jobbers.worker.granularity import watch_granularity
from jobbers.worker.identity import Identity, identify, known_dead, used
from jobbers.worker.metrics_port import MetricsPort
from jobbers.worker.roles import NOTHING, RoleWatch
from jobbers.worker.shutdown import exit_without, hurried

log = logging.getLogger("jobbers.worker")

PRESENCE_SECONDS = 2.0
BURST_SECONDS = 0.02
FLUSH_SECONDS = 3.0
"""How long a worker that ends waits for whoever takes its telemetry."""


class Worker:
    """Claims tasks of some queues and runs them.

    ``queues`` or the queues of a ``role``, which may change while it works; by default those of the app's task types. A
    role that is not defined (yet) is waited for. ``concurrency`` bounds the tasks
    on the loop and in threads: a number, or ``"auto"`` (``"auto:4-1000"``, :class:`Adaptive`) for one that follows how
    loaded the worker is; ``cpu_processes`` (by default one a processor) those of types with ``process=True``; a
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
        concurrency: int | str | Adaptive = 100,
        threads: int | None = None,
        cpu_processes: int | None = None,
        name: str | None = None,
        burst: bool = False,
    ) -> None:
        if queues is not None and role is not None:
            raise ConfigError("give queues or a role, not both")
        self.app = app
        if queues is not None and not queues:
            raise ConfigError("a worker needs at least one queue")
        self._role = None if role is None else check_name(role, "the role")
        fixed = [] if role is not None else queues or app.queues_of()
        self._serves = Role({check_name(queue, "the queue"): 1 for queue in fixed})
        chosen = parse_concurrency(concurrency)
        adaptive = chosen if isinstance(chosen, Adaptive) else None
        start, most = (chosen, chosen) if isinstance(chosen, int) else (chosen.start, chosen.most)
        self.capacity = Capacity(
            concurrency=start,
            adaptive=adaptive,
            threads=_at_least_one(most if threads is None else threads, "threads"),
            processes=_at_least_one(
                (os.cpu_count() or 1) if cpu_processes is None else cpu_processes, "cpu_processes"
            ),
        )
        self.identity: Identity = identify(name)
        self.ready = asyncio.Event()
        self._burst = burst
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._moved = asyncio.Event()
        self._paused = False

    @property
    def queues(self) -> list[str]:
        """What it serves at the moment."""
        return list(self._serves.queues)

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
        if self.app.telemetry is not None:
            self.app.telemetry.send_logs()
        with self._signals() if signals else contextlib.nullcontext():
            store = await self.app.open_store("jobbers-worker")
            try:
                await self._warn(store)
                await self._introduce(store)
                await self.app.schedules.write_defined(store)
                async with self._metrics():
                    unending = await self._serve(store)
            finally:
                await store.close()
                if self.app.telemetry is not None:
                    await asyncio.to_thread(self.app.telemetry.flush, FLUSH_SECONDS)
        if signals and unending:
            exit_without(unending)

    @contextlib.asynccontextmanager
    async def _metrics(self) -> AsyncIterator[None]:
        if not self.app.settings.metrics_listen or self.app.telemetry is None:
            yield
            return
        port = MetricsPort(self.app.settings.metrics_listen, self.app.telemetry)
        await port.start()
        try:
            yield
        finally:
            await port.stop()

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
        """Tell of settings that do nothing, and of a server that may lose tasks."""
        for pattern in self.app.idle_overrides():
            log.warning("the setting telemetry_types names %r, which fits no task type of this app", pattern)
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
                    await tell_reclaimed(store, self.app.events, taken)
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
        watch = None if self._role is None else RoleWatch(self.app, store, self._role)
        if watch is not None:
            self._serves = await watch.first()
        engine = Engine(
            self.app,
            store,
            self.identity.id,
            self._serves,
            self.capacity,
            on_roles=None if watch is None else watch.ring,
        )
        parts = [asyncio.create_task(self._presence(store, engine), name="jobbers-presence")]
        try:
            engine.start()
            if watch is not None:
                following = watch.run(lambda role: self._follow(engine, role))
                parts.append(asyncio.create_task(following, name="jobbers-role"))
            if store.granularity.follow is not None:
                watching = watch_granularity(store.granularity, self.app.task_types.keys())
                parts.append(asyncio.create_task(watching, name="jobbers-granularity"))
            log.info("worker %s serves %s", self.identity.id, str(self._serves) or "nothing yet")
            if (tell := self.app.events.tell) is not None:
                tell(WorkerStarted(self.identity.id, tuple(self.queues), self.capacity.concurrency))
            self.ready.set()
            await self._until_stopped(store, engine, parts)
            await engine.wind_down(self._hurry)
            await _ended(parts)  # one that announced itself behind its leave would stay on the roll
            with contextlib.suppress(StoreError):
                await hurried(store.control.leave([self.identity.id]), self._hurry)
        finally:
            await _ended(parts)
            await engine.close()
        log.info("worker %s has ended", self.identity.id)
        if (tell := self.app.events.tell) is not None:
            tell(WorkerStopped(self.identity.id))
        return engine.unending

    def _follow(self, engine: Engine, role: Role) -> None:
        """The role has become another."""
        self._serves = role
        if not self._paused:
            engine.serve(role)
        self._moved.set()

    def _obey(self, engine: Engine, order: str) -> None:
        """Do what an operator has told this worker."""
        if order == "drain":
            if not self._stop.is_set():
                log.info("worker %s has been told to end", self.identity.id)
                self.stop()
        elif (order == "pause") is not self._paused:
            self._paused = not self._paused
            log.info("worker %s has been told to %s", self.identity.id, "pause" if self._paused else "go on")
            engine.serve(NOTHING if self._paused else self._serves)
            self._moved.set()

    async def _presence(self, store: Store, engine: Engine) -> None:
        """Keep the entry in the roll up to date."""
        started, lag = int(time.time()), 0.0
        default = self.app.roles.get(self._role or "")
        while True:
            self._moved.clear()
            facts: dict[str, str | int | float] = {
                **self.identity.facts(),
                "queues": ",".join(self.queues),
                "role": self._role or "",
                "role_default": default.stored() if default else "",
                "type_queues": ",".join(sorted(self.app.type_queues())),
                "concurrency": engine.concurrency,
                "adaptive": str(self.capacity.adaptive or ""),
                "running": len(engine.runner.running),
                "places": engine.places,
                "finished": engine.finisher.finished,
                "refused": engine.finisher.refused,
                "started": started,
                "stopping": int(self._stop.is_set()),
                "paused": int(self._paused),
                "lag_ms": round(lag * 1000),
                **used(),
            }
            with contextlib.suppress(StoreError):
                told = await store.control.announce(
                    self.identity.id, facts, int(self.app.settings.lease * 6000)
                )
                self._obey(engine, told)
            asleep = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PRESENCE_SECONDS):
                    await self._moved.wait()
                    continue
            lag = max(0.0, time.monotonic() - asleep - PRESENCE_SECONDS)
            if (tell := self.app.events.tell) is not None:
                usage = used()
                tell(
                    WorkerPulse(
                        self.identity.id,
                        len(engine.runner.running),
                        engine.concurrency,
                        lag,
                        float(usage["cpu_seconds"]),
                        int(usage.get("memory_bytes", 0)),
                    )
                )

    async def _until_stopped(self, store: Store, engine: Engine, parts: list[asyncio.Task[None]]) -> None:
        """Return when asked to stop, or in a burst when nothing is left. A part that dies takes the worker along."""
        ends: list[asyncio.Task[bool]] = [asyncio.create_task(self._stop.wait())]
        if self._burst:
            ends.append(asyncio.create_task(self._nothing_left(store, engine)))
        try:
            done, _ = await asyncio.wait([*ends, *parts, *engine.tasks], return_when=asyncio.FIRST_COMPLETED)
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
            mine = [queue for queue in queues if queue.name in self.queues and not queue.paused]
            ready = sum(queue.depth + queue.parked for queue in mine)
            if not (ready or counts["scheduled"] or counts["running"] or engine.runner.running):
                return True


async def _ended(parts: list[asyncio.Task[None]]) -> None:
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)


def _at_least_one(value: int, what: str) -> int:
    if value < 1:
        raise ConfigError(f"{what} must be 1 or more, got {value}")
    return value
