"""What goes wrong during the soak: each function does its harm again and again until it is cancelled."""

from __future__ import annotations

import asyncio
import random

from tests.scenarios.harness import WorkerProcess
from tests.soak.rig import Fleet


async def kill_workers(fleet: Fleet, chance: random.Random, every: float, lease: float) -> None:
    """SIGKILL a worker every so many seconds; another takes its place up to two leases later."""
    async with asyncio.TaskGroup() as replacements:
        while True:
            await asyncio.sleep(every * chance.uniform(0.5, 1.5))
            victims = fleet.workers[1:]
            if victims:
                fleet.kill(chance.choice(victims))
                replacements.create_task(_replace(fleet, chance.uniform(0, 2 * lease)))


async def _replace(fleet: Fleet, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        fleet.start_worker()


async def stop_workers(fleet: Fleet, chance: random.Random, every: float, lease: float) -> None:
    """SIGSTOP a worker every so many seconds, for up to two and a half leases, then SIGCONT."""
    stopped: set[int] = set()
    async with asyncio.TaskGroup() as stops:
        while True:
            await asyncio.sleep(every * chance.uniform(0.5, 1.5))
            victims = [worker for worker in fleet.workers[1:] if worker.pid not in stopped]
            if victims:
                victim = chance.choice(victims)
                stopped.add(victim.pid)
                stop = stops.create_task(_stop(fleet, victim, chance.uniform(0.1, 2.5 * lease)))
                stop.add_done_callback(lambda _, pid=victim.pid: stopped.discard(pid))


async def _stop(fleet: Fleet, worker: WorkerProcess, seconds: float) -> None:
    worker.stop()
    fleet.history.add("stopped", process=str(worker.pid))
    try:
        await asyncio.sleep(seconds)
    finally:
        worker.cont()
        fleet.history.add("continued", process=str(worker.pid))


async def kill_server(fleet: Fleet, chance: random.Random, every: float, _lease: float) -> None:
    """SIGKILL the server every so many seconds; it is back after at most two, and before this ends."""
    while True:
        await asyncio.sleep(every * chance.uniform(0.5, 1.5))
        restart = asyncio.create_task(fleet.restart_server(chance.uniform(0.2, 2.0)))
        try:
            await asyncio.shield(restart)
        finally:
            await restart
