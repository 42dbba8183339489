"""arq: keeps a job in its sorted set until it has finished, and marks it as in progress for job_timeout + 10 s.

``job_timeout`` 8 s (default 300), because the mark lasts that long plus 10 s that cannot be set: 18 s. ``max_tries`` 10
(default 5), so that no task runs out of tries. Poll delay 0.5 s (default).
"""

from __future__ import annotations

from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.jobs import Job
from arq.worker import Worker, func

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main, run


async def body(ctx: dict[Any, Any], task: int, seconds: float) -> str:
    """The body behind arq's context."""
    return await effects.body(task, seconds)


class ArqAdapter(Adapter):
    """The completion is one transaction, which writes the result."""

    packages = ("arq", "redis", "hiredis", "uvloop")
    settings = "job_timeout 8 s (so in progress for 18 s), max_tries 10"
    lease = LIMIT + 10
    claims = (["EXEC", "arq:in-progress:", "PSETEX", "<-OK"],)
    finishes = (["EXEC", "arq:result:"],)

    async def open(self) -> None:
        self.pool = await create_pool(RedisSettings.from_dsn(self.url))

    async def close(self) -> None:
        await self.pool.aclose()

    async def submit(self, task: int, seconds: float) -> str:
        job = await self.pool.enqueue_job(TASK, task, seconds)
        assert job is not None
        return job.job_id

    async def outcome(self, task_id: str) -> str | None:
        info = await Job(task_id, self.pool).result_info()
        if info is None:
            return None
        return f"ok:{info.result}" if info.success else f"error:{info.result!r}"

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        await Worker(
            [func(body, name=TASK, max_tries=10)],
            redis_settings=RedisSettings.from_dsn(self.url),
            max_jobs=SLOTS,
            job_timeout=LIMIT,
        ).async_run()


if __name__ == "__main__":
    main(ArqAdapter)
