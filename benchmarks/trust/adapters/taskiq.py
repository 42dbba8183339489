"""Taskiq with ``RedisStreamBroker``: acknowledged after the result is saved (the default and the safest).

``idle_timeout`` 8 s (default 600; it must be longer than any task, because nothing renews it),
``unacknowledged_lock_timeout`` 5 s (default: never; a worker that dies with the lock would stop recovery for good),
``consumer_id`` 0, so that nothing queued before the first worker is skipped. Idle entries are looked for only after a read
that brought new ones.
"""

from __future__ import annotations

from typing import Any

from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main, run


class TaskiqAdapter(Adapter):
    """The completion is two calls: the result is set, then the entry is acknowledged."""

    packages = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop")
    settings = "idle_timeout 8 s, unacknowledged_lock_timeout 5 s, consumer_id 0, acknowledged when saved"
    claims = (["XREADGROUP", "<-data"],)
    finishes = (
        ["SET", "return_value"],
        ["XACK"],
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(url, result_ex_time=3600)
        self.broker = RedisStreamBroker(
            url, consumer_id="0", idle_timeout=LIMIT * 1000, unacknowledged_lock_timeout=5
        ).with_result_backend(self.results)
        self.task: Any = self.broker.register_task(effects.body, TASK)

    async def open(self) -> None:
        await self.broker.startup()

    async def close(self) -> None:
        await self.broker.shutdown()

    async def submit(self, task: int, seconds: float) -> str:
        return str((await self.task.kiq(task, seconds)).task_id)

    async def outcome(self, task_id: str) -> str | None:
        if not await self.results.is_result_ready(task_id):
            return None
        found = await self.results.get_result(task_id)
        return f"error:{found.error!r}" if found.is_err else f"ok:{found.return_value}"

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        self.broker.is_worker_process = True
        await self.broker.startup()
        await run_receiver_task(self.broker, max_async_tasks=SLOTS)


if __name__ == "__main__":
    main(TaskiqAdapter)
