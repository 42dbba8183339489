"""The bare path: Jobbers's own scripts, driven by a loop without the framework. What is left to gain is above this.

Kept in the record as by Jobbers: status, times, owner, result, lease. Left out: arguments checked and rebuilt, tasks
with a context, retries, timeouts, heartbeats, renewal of leases, duties.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from typing import Any

import msgpack

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, main, run
from jobbers.core.ids import make_id
from jobbers.core.lanes import Lane
from jobbers.core.task import Placement
from jobbers.store.connect import ServerConnector
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GROUP, shard_prefix
from jobbers.store.url import parse

PREFIX = shard_prefix("bare", 0)
LANE = str(Lane("default", 5))
CHUNK = 500


class BareAdapter(Adapter):
    """One shard, one lane, batches as the worker makes them."""

    packages = ("jobbers", "redis", "hiredis", "uvloop")
    settings = "Jobbers's scripts in a bare loop"
    gateway: Gateway

    async def open(self) -> None:
        self.gateway = Gateway(ServerConnector(parse(self.url)), patience=5)

    async def close(self) -> None:
        await self.gateway.close()

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self._submit(kind, 1, arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        chunks = [min(CHUNK, count - start) for start in range(0, count, CHUNK)]
        await asyncio.gather(*(self._submit(kind, size, arguments) for size in chunks))

    async def _submit(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        envelope = msgpack.packb([1, list(arguments.values()), {}])
        args: list[Any] = [*Placement(kind, "default", 5).head]
        for _ in range(count):
            args += (make_id(time.time_ns() // 1_000_000, random.getrandbits(80)), envelope)
        await self.gateway.run("submit", PREFIX, args)

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        await self.open()
        key = f"{PREFIX}:lane:{LANE}"
        await self.gateway.commands([("XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")])
        flight: set[asyncio.Task[Any]] = set()
        while True:
            owner = f"bare/{secrets.token_hex(4)}"
            claim = [owner, 10_000, max(1, self.concurrency // 2), 1000, LANE]
            _, *rows = await self.gateway.run("claim", PREFIX, claim)
            if not rows:
                await self.gateway.wait(
                    0,
                    "XREADGROUP",
                    "GROUP",
                    GROUP,
                    "any",
                    "BLOCK",
                    1000,
                    "NOACK",
                    "STREAMS",
                    key,
                    ">",
                    seconds=1,
                )
                continue
            tasks = [(rows[i], rows[i + 2].decode(), rows[i + 7]) for i in range(0, len(rows), 8)]
            flight.add(asyncio.ensure_future(self._run(owner, tasks)))
            while len(flight) > 1:
                _, flight = await asyncio.wait(flight, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self, owner: str, tasks: list[tuple[bytes, str, bytes]]) -> None:
        results = await asyncio.gather(
            *(bodies.BODIES[kind](*msgpack.unpackb(envelope)[1]) for _, kind, envelope in tasks)
        )
        args: list[Any] = []
        for (task_id, _, _), result in zip(tasks, results, strict=True):
            args += (task_id, owner, 3_600_000, "result", msgpack.packb(result))
        await self.gateway.run("succeed", PREFIX, args)


if __name__ == "__main__":
    main(BareAdapter)
