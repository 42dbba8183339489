"""streaQ: a stream; running tasks renew their entries, idle ones are taken over.

``idle_timeout`` 8 s (default 60), renewed after nine tenths of it; ``max_tries`` 10 (default 3). On servers without
``XREADGROUP … CLAIM`` (Redis before 8.4, Valkey) an idle worker looks for idle entries once in ``idle_timeout``, or when
a task arrives.
"""

from __future__ import annotations

from streaq import TaskStatus, Worker

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main, run


class StreaqAdapter(Adapter):
    """The completion is one transaction: acknowledged and written together."""

    packages = ("streaq", "coredis", "uvloop")
    settings = "idle_timeout 8 s, max_tries 10"
    claims = (
        ["XREADGROUP", "<-task_id"],
        ["FCALL", "read_streams", "<-task_id"],
    )
    finishes = (["EXEC", "XACK"],)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.worker = Worker(redis_url=url, concurrency=SLOTS, idle_timeout=LIMIT)
        self.task = self.worker.task(name=TASK, max_tries=10)(effects.body)

    async def open(self) -> None:
        await self.worker.__aenter__()

    async def close(self) -> None:
        await self.worker.__aexit__(None, None, None)

    async def submit(self, task: int, seconds: float) -> str:
        return (await self.task.enqueue(task, seconds)).id

    async def outcome(self, task_id: str) -> str | None:
        if await self.worker.status_by_id(task_id) is not TaskStatus.DONE:
            return None
        found = await self.worker.result_by_id(task_id, timeout=5)
        return f"ok:{found.result}" if found.success else f"error:{found.exception!r}"

    def work(self) -> None:
        run(self.worker.run_async())


if __name__ == "__main__":
    main(StreaqAdapter)
