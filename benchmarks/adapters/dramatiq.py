"""Dramatiq: threads, batched fetches, polling with back-off; no bulk API, two threads submit fastest."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

os.environ.setdefault("dramatiq_queue_prefetch", "1000")  # read on import; the default lets threads run dry

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, main


class DramatiqAdapter(Adapter):
    """Dramatiq with two threads for no-ops (more are slower under the GIL) and one per nap."""

    packages = ("dramatiq", "redis", "hiredis")
    settings = "prefetch 1,000, two threads for no-ops, 100 for naps, results kept ten minutes (default)"
    threads = True

    def __init__(self, url: str, kind: str, concurrency: int) -> None:
        super().__init__(url, kind, concurrency)
        self.broker = RedisBroker(url=url)
        self.broker.add_middleware(Results(backend=RedisBackend(url=url), store_results=True))
        dramatiq.set_broker(self.broker)
        self.actors: dict[str, Any] = {
            name: dramatiq.actor(body, actor_name=name, broker=self.broker)
            for name, body in bodies.BLOCKING_BODIES.items()
        }

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        self.actors[kind].send(**arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        send = self.actors[kind].send

        def send_all(share: int) -> None:
            for _ in range(share):
                send(**arguments)

        await asyncio.gather(
            *(asyncio.to_thread(send_all, share) for share in (count // 2, count - count // 2))
        )

    def work(self) -> None:
        threads = self.concurrency if self.kind == "nap" else 2
        dramatiq.Worker(self.broker, worker_threads=threads).start()
        signal.pause()


if __name__ == "__main__":
    main(DramatiqAdapter)
