"""What the two Taskiq adapters share: they differ in the broker only."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from taskiq import AsyncBroker
from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisAsyncResultBackend

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, gather_many, run

POOL = 200


class TaskiqAdapter(Adapter):
    """Taskiq with prefetch, a larger pool, ORJSON, and no validation of parameters."""

    packages = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop", "orjson")
    settings = "prefetch 100, pool of 200, ORJSON, validation off, results kept ten minutes"

    @abstractmethod
    def make_broker(self) -> AsyncBroker:
        """The bare broker."""

    def _broker(self) -> tuple[AsyncBroker, dict[str, Any]]:
        results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(
            self.url, result_ex_time=600, max_connection_pool_size=POOL, serializer=ORJSONSerializer()
        )
        broker = self.make_broker().with_result_backend(results).with_serializer(ORJSONSerializer())
        return broker, {name: broker.register_task(body, name) for name, body in bodies.BODIES.items()}

    async def open(self) -> None:
        self.broker, self.tasks = self._broker()
        await self.broker.startup()

    async def close(self) -> None:
        await self.broker.shutdown()

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.tasks[kind].kiq(**arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        await gather_many(lambda: self.tasks[kind].kiq(**arguments), count, 20)

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        broker, _ = self._broker()
        broker.is_worker_process = True
        await broker.startup()
        await run_receiver_task(
            broker, validate_params=False, max_async_tasks=self.concurrency, max_prefetch=100
        )
