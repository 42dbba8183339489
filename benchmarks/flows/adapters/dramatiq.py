"""Dramatiq: a group with a completion callback, which is not given the results and reads them; a pipeline.

A group cannot follow another task, so the root enqueues it. The ids of its messages are derived from the run's: each
message carries the callback, and a callback that names a thousand ids would make them all large.
"""

from __future__ import annotations

import os
import signal
from typing import Any
from uuid import uuid4

os.environ.setdefault("dramatiq_queue_prefetch", "1000")  # read on import; the default lets threads run dry

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend as Barriers
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.flows.adapters.base import PATIENCE, Adapter, Flow, fan_of, main

THREADS = 2


class DramatiqAdapter(Adapter):
    """Two threads: more are slower, under the GIL and because each that ends watches the group's barrier."""

    packages = ("dramatiq", "redis", "hiredis")
    settings = (
        f"{THREADS} threads (more are slower), prefetch 1,000; root enqueues the group, join reads results"
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.broker = RedisBroker(url=url)
        self.broker.add_middleware(GroupCallbacks(Barriers(url=url)))
        client = redis.Redis.from_url(url, socket_timeout=PATIENCE + 10)
        self.broker.add_middleware(Results(backend=RedisBackend(client=client), store_results=True))
        dramatiq.set_broker(self.broker)
        self.child: Any = dramatiq.actor(lambda number: number, actor_name="child")
        self.step: Any = dramatiq.actor(lambda value: value + 1, actor_name="step")
        self.root: Any = dramatiq.actor(self._spread, actor_name="root")
        self.join: Any = dramatiq.actor(self._add_up, actor_name="join")

    def _children(self, run_id: str, width: int) -> list[Any]:
        return [self.child.message(number).copy(message_id=f"{run_id}-{number}") for number in range(width)]

    def _join(self, run_id: str, width: int) -> Any:
        return self.join.message(run_id, width).copy(message_id=f"{run_id}-join")

    def _spread(self, run_id: str, width: int) -> None:
        group = dramatiq.group(self._children(run_id, width))
        group.add_completion_callback(self._join(run_id, width))
        group.run()

    def _add_up(self, run_id: str, width: int) -> int:
        return sum(dramatiq.group(self._children(run_id, width)).get_results(block=True))

    def build(self, flow: str, width: int, length: int) -> Flow:
        if flow == "chain":
            steps = dramatiq.pipeline(
                [self.step.message(0), *(self.step.message() for _ in range(length - 1))]
            )

            async def run_chain() -> Any:
                return steps.run().get_result(block=True, timeout=PATIENCE * 1000)

            return Flow(length, length, run_chain)
        run_id = uuid4().hex

        async def run_fan() -> Any:
            self.root.send(run_id, width)
            return self._join(run_id, width).get_result(block=True, timeout=PATIENCE * 1000)

        return fan_of(width, run_fan)

    def work(self) -> None:
        dramatiq.Worker(self.broker, worker_threads=THREADS).start()
        signal.pause()


if __name__ == "__main__":
    main(DramatiqAdapter)
