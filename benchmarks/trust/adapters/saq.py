"""SAQ: moves a job into the active list with one command; a sweep takes back what ran past its timeout.

``timeout`` 8 s a job (default 10), ``retries`` 10 (default 1: none after a crash), ``sweep`` every 2 s (default 60),
``dequeue_timeout`` default. For each job that it takes back the sweep first waits up to 5 s for the job's worker to abort
it, one after another; that cannot be set.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from saq import Status, Worker
from saq.queue.redis import RedisQueue

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main, run


async def body(ctx: dict[str, Any], *, task: int, seconds: float) -> str:
    """The body behind SAQ's context."""
    return await effects.body(task, seconds)


class SaqAdapter(Adapter):
    """The completion is one transaction, which writes the job with its result."""

    packages = ("saq", "redis", "hiredis", "uvloop")
    settings = "timeout 8 s, retries 10, sweep every 2 s"
    claims = (["BLMOVE", "<-saq:"],)
    finishes = (["EXEC", '"complete"'],)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.queue = RedisQueue(Redis.from_url(url))

    async def close(self) -> None:
        await self.queue.disconnect()

    async def submit(self, task: int, seconds: float) -> str:
        job = await self.queue.enqueue(TASK, task=task, seconds=seconds, timeout=LIMIT, retries=10)
        assert job is not None
        return job.key

    async def outcome(self, task_id: str) -> str | None:
        job = await self.queue.job(task_id)
        if job is None or job.status not in (Status.COMPLETE, Status.FAILED, Status.ABORTED):
            return None
        return (
            f"ok:{job.result}" if job.status is Status.COMPLETE else f"error:{job.status.value}: {job.error}"
        )

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        functions: list[Any] = [(TASK, body)]
        await Worker(self.queue, functions, concurrency=SLOTS, timers={"sweep": 2}).start()


if __name__ == "__main__":
    main(SaqAdapter)
