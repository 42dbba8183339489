"""The faults of the simulation, one function each. A seed turns a random half of them off (swarm testing: A. Groce et
al., *Swarm Testing*, ISSTA 2012), because faults that are always on hide each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from jobbers.testing.simulate.loop import Process
from jobbers.testing.simulate.network import Network
from jobbers.testing.simulate.server import SimulatedServer


class Target(Protocol):
    """What faults act on."""

    chance: random.Random
    network: Network
    server: SimulatedServer

    def victim(self) -> Process:
        """A process drawn from the workers and clients."""
        ...

    def worker(self) -> Process | None:
        """A worker drawn from those that live."""
        ...

    def note(self, fault: str, **details: object) -> None:
        """Write into the history."""
        ...


Fault = Callable[[Target], Awaitable[None]]


async def kill_worker(world: Target) -> None:
    """SIGKILL: nothing of it runs any more; it is started anew after a while."""
    worker = world.worker()
    if worker is not None:
        worker.kill()
        world.note("killed", process=worker.name)


async def stop_worker(world: Target) -> None:
    """SIGSTOP, and SIGCONT after a while that is often longer than a lease."""
    worker = world.worker()
    if worker is None:
        return
    world.note("stopped", process=worker.name)
    worker.stopped = True
    try:
        await asyncio.sleep(world.chance.uniform(0.5, 8))
    finally:
        worker.stopped = False
        world.note("continued", process=worker.name)


async def block_loop(world: Target) -> None:
    """Code that does not await: the loop stands still, threads go on."""
    worker = world.worker()
    if worker is None:
        return
    world.note("blocked", process=worker.name)
    worker.blocked = True
    try:
        await asyncio.sleep(world.chance.uniform(0.5, 8))
    finally:
        worker.blocked = False


async def partition(world: Target) -> None:
    """Packets of one process vanish, both ways."""
    process = world.victim()
    world.note("partitioned", process=process.name)
    world.network.weather.cut_off.add(process)
    try:
        await asyncio.sleep(world.chance.uniform(0.5, 8))
    finally:
        world.network.weather.cut_off.discard(process)


async def cut_connections(world: Target) -> None:
    """TCP resets for one process."""
    world.network.cut(world.victim())


async def lose_requests(world: Target) -> None:
    """Connections break before what was sent is applied."""
    world.network.weather.lose_request = world.chance.uniform(0.05, 0.5)
    try:
        await asyncio.sleep(world.chance.uniform(0.2, 2))
    finally:
        world.network.weather.lose_request = 0.0


async def lose_replies(world: Target) -> None:
    """Connections break after what was sent has been applied."""
    world.network.weather.lose_reply = world.chance.uniform(0.05, 0.5)
    try:
        await asyncio.sleep(world.chance.uniform(0.2, 2))
    finally:
        world.network.weather.lose_reply = 0.0


async def delay_packets(world: Target) -> None:
    """Packets take seconds."""
    world.network.weather.delay = world.chance.uniform(0.05, 0.5)
    try:
        await asyncio.sleep(world.chance.uniform(0.2, 3))
    finally:
        world.network.weather.delay = 0.0


async def drop_messages(world: Target) -> None:
    """Published messages are lost."""
    world.network.weather.drop_message = 1.0
    try:
        await asyncio.sleep(world.chance.uniform(1, 5))
    finally:
        world.network.weather.drop_message = 0.0


async def flush_scripts(world: Target) -> None:
    """NOSCRIPT at the next call of each script."""
    world.server.forget_scripts()


async def restart_server(world: Target) -> None:
    """The server ends and comes back with all its data, loading it for a while."""
    await _down(world, world.chance.uniform(0.2, 4))


async def lose_power(world: Target) -> None:
    """The server comes back as it was up to two seconds before: what was written since is lost."""
    server = world.server
    if server.failing or not server.up:
        return
    server.failing = True
    snapshot = server.snapshot()
    world.note("snapshot")
    try:
        await asyncio.sleep(world.chance.uniform(0.1, 2))
        await _down(world, world.chance.uniform(0.2, 2), snapshot)
    finally:
        server.failing = False


async def _down(world: Target, seconds: float, snapshot: object = None) -> None:
    server = world.server
    if not server.up:
        return
    world.note("server_down")
    server.up = False
    server.cut_all()
    server.forget_scripts()
    world.network.cut()
    if snapshot is not None:
        server.go_back(snapshot)
        world.note("rolled_back")
    try:
        await asyncio.sleep(seconds)
        server.up, server.refusing = True, "LOADING Redis is loading the dataset in memory"
        await asyncio.sleep(world.chance.uniform(0, 0.5))
    finally:
        server.up, server.refusing = True, ""


async def read_only(world: Target) -> None:
    """The server has become a replica for a while."""
    if not world.server.refusing:
        world.server.refusing = "READONLY You can't write against a read only replica."
        try:
            await asyncio.sleep(world.chance.uniform(0.2, 2))
        finally:
            world.server.refusing = ""


async def fill_memory(world: Target) -> None:
    """The memory limit is reached: writes are refused."""
    world.server.full = True
    try:
        await asyncio.sleep(world.chance.uniform(0.5, 4))
    finally:
        world.server.full = False


async def step_clock(world: Target) -> None:
    """The server's wall clock jumps."""
    seconds = world.chance.choice([-1, 1]) * world.chance.choice([0.2, 1.0, 4.0])
    world.server.process.skew += seconds
    world.note("clock_stepped", seconds=seconds)


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_worker, stop_worker, block_loop, partition, cut_connections, lose_requests, lose_replies, delay_packets,
        drop_messages, flush_scripts, restart_server, lose_power, read_only, fill_memory, step_clock,
    )
}  # fmt: skip
