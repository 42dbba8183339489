"""One simulated run: clients, workers, a server, a time of faults, a time of healing, and the checker's verdict."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from jobbers.app import Jobbers
from jobbers.core.status import FINAL
from jobbers.errors import JobbersError
from jobbers.store.blobs import FolderBlobStore
from jobbers.store.keys import ShardKeys
from jobbers.testing.audit import audit_store
from jobbers.testing.checker import check
from jobbers.testing.finding import Finding
from jobbers.testing.history import Event, History
from jobbers.testing.simulate.faults import FAULTS
from jobbers.testing.simulate.keeper import NoGuard, SimulatedKeeper
from jobbers.testing.simulate.load import Client, add_tasks
from jobbers.testing.simulate.loop import Process, VirtualLoop
from jobbers.testing.simulate.network import Network, SimulatedConnector
from jobbers.testing.simulate.patches import simulated_time_and_chance
from jobbers.testing.simulate.server import Rewrite, SimulatedServer
from jobbers.worker import Worker, engine

LEASE = 3.0
HEALING_SECONDS = 90.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What a simulation is made of. ``faults`` are names of :data:`FAULTS`; ``None`` lets the seed choose half of them."""

    tasks: int = 30
    workers: int = 3
    clients: int = 2
    shards: int = 1
    concurrency: int = 4
    seconds: float = 12.0
    faults: tuple[str, ...] | None = None
    rewrite: Rewrite | None = None


@dataclass
class Report:
    """What came of a seed. ``findings`` is empty when all promises were kept."""

    seed: int
    faults: tuple[str, ...]
    events: list[Event]
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        said = "".join(f"\n  {finding}" for finding in self.findings) or " all promises kept"
        return f"seed {self.seed} ({', '.join(self.faults)}):{said}"


def simulate(seed: int, plan: Plan | None = None) -> Report:
    """Run one seed. The same seed and plan give the same history, event by event."""
    plan = plan or Plan()
    chance = random.Random(f"world {seed}")
    loop = VirtualLoop(random.Random(f"order {seed}"))
    with (
        tempfile.TemporaryDirectory() as folder,
        _quiet(),
        _uncollected(),
        simulated_time_and_chance(loop, seed),
        mock.patch.object(engine, "Keeper", SimulatedKeeper),
        mock.patch.object(engine, "LoopGuard", NoGuard),
    ):
        world = World(loop, chance, plan, Path(folder))
        try:
            loop.run_until_complete(world.run())
        finally:
            loop.dispose()
            world.server.close()
    events = world.history.events
    return Report(seed, world.faults, events, loop.now, check(events))


class World:
    """Implements :class:`jobbers.testing.simulate.faults.Target`."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, plan: Plan, folder: Path) -> None:
        self.loop = loop
        self.chance = chance
        self.plan = plan
        self.history = History(loop.time)
        shards = [ShardKeys("sim", number) for number in range(plan.shards)]
        self.server = SimulatedServer(loop, self.history, shards, plan.rewrite)
        self.network = Network(loop, self.server, chance)
        self.faults = plan.faults if plan.faults is not None else _half(chance)
        self._folder = folder
        self._workers: dict[int, Process] = {}
        self._clients: list[Process] = []
        self._healing = False

    # What faults see

    def victim(self) -> Process:
        """See :class:`Target`."""
        return self.chance.choice([*self._workers.values(), *self._clients])

    def worker(self) -> Process | None:
        """See :class:`Target`."""
        living = [process for process in self._workers.values() if process.alive]
        return self.chance.choice(living) if living else None

    def note(self, fault: str, **details: object) -> None:
        """See :class:`Target`."""
        self.history.add(fault, **details)

    # The run

    async def run(self) -> None:
        """Both phases and the last look."""
        plan = self.plan
        limits = {
            name: list(definition)
            for name, definition in self._app(self.loop.process("planner")).limits.defined.items()
        }
        self.history.add("begun", lease=LEASE, crash_budget=3, faults=list(self.faults), limits=limits)
        lives = [asyncio.create_task(self._worker_lives(number)) for number in range(plan.workers)]
        clients = [self._client(number) for number in range(plan.clients)]
        await self._trouble()
        self._healing = True
        self.history.add("healed")
        await self._until(lambda: all(client.done() for client in clients) and self._is_over())
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        for process in (*self._workers.values(), *self._clients):
            process.kill()
        for client in clients:
            error = client.exception() if client.done() else TimeoutError("it is still not done")
            if error is not None:
                self.history.add("crashed", process="client", error=f"{type(error).__name__}: {error}")
        await self._look()
        self.history.add("ended")

    def _client(self, number: int) -> asyncio.Task[Any]:
        process = self.loop.process(f"client{number}", self._skew())
        self._clients.append(process)
        chance = random.Random(self.chance.random())
        count = self.plan.tasks // self.plan.clients
        client = Client(self._app(process), self.history, chance, count)
        return self.loop.launch(process, client.run(self.plan.seconds * 0.8))

    async def _worker_lives(self, number: int) -> None:
        """Start a worker, and another one when it has ended."""
        life = 0
        while True:
            life += 1
            process = self._workers[number] = self.loop.process(f"w{number}.{life}", self._skew())
            worker = Worker(self._app(process), concurrency=self.plan.concurrency, name=process.name)
            main = self.loop.launch(process, _run(worker.run()))
            await self._until(lambda: main.done() or not process.alive, math.inf)  # noqa: B023 - awaited here
            if main.done() and main.result() is not None:
                self.history.add("crashed", process=process.name, error=main.result())
            await asyncio.sleep(self.chance.uniform(0.1, 2))

    def _skew(self) -> float:
        return self.chance.choice([-3600.0, -1.0, 0.0, 1.0, 3600.0]) if "step_clock" in self.faults else 0.0

    def _app(self, process: Process) -> Jobbers:
        app = Jobbers(
            namespace="sim",
            shards=self.plan.shards,
            lease=LEASE,
            patience=2.0,
            max_block=2 * LEASE,
            blobs=FolderBlobStore(self._folder),
        )
        app.use(SimulatedConnector(self.network, process))
        add_tasks(app, self.history)
        return app

    async def _trouble(self) -> None:
        """Faults until the time is over; then each undoes itself."""
        running = list[
            asyncio.Task[None]
        ]()  # in their order: that of a set of tasks is that of their addresses
        while self.loop.now < self.plan.seconds:
            await asyncio.sleep(self.chance.uniform(0.1, 1.5))
            if self.faults:
                name = self.chance.choice(self.faults)
                self.history.add("fault", name=name)
                fault: Coroutine[Any, Any, None] = FAULTS[name](self)  # type: ignore[assignment]
                running.append(asyncio.create_task(fault))
        for task in running:
            task.cancel()
        for error in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(error, Exception):
                raise error
        self.network.weather = type(self.network.weather)()

    async def _until(self, holds: Callable[[], bool], seconds: float = HEALING_SECONDS) -> None:
        """Look again and again, so long at most. Nobody tells when a process is killed."""
        end = self.loop.now + seconds
        while self.loop.now < end and not holds():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _is_over(self) -> bool:
        final = all(status in FINAL for status in self.server.statuses())
        return final and not self.server.steps_are_left()

    async def _look(self) -> None:
        """Read the whole store as any client could."""
        process = self.loop.process("auditor")
        app = self._app(process)

        async def look() -> None:
            store = await app.open_store()
            for violation in await audit_store(store):
                self.history.add("violation", what=str(violation))
            await store.close()

        await self.loop.launch(process, look())


async def _run(main: Coroutine[Any, Any, None]) -> str | None:
    """Why a worker ended by itself, if it did."""
    try:
        await main
    except JobbersError as error:
        return f"{type(error).__name__}: {error}"
    return None


def _half(chance: random.Random) -> tuple[str, ...]:
    return tuple(name for name in FAULTS if chance.random() < 0.5)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    log = logging.getLogger("jobbers")
    before, log.disabled = log.level, False
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A collection in the middle of a run would end what was killed, in an order that nobody can repeat."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
