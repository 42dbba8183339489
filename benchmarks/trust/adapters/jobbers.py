"""Jobbers: a lease of 8 s (default 10), renewed every third of it; all else as it comes."""

from __future__ import annotations

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main, run
from jobbers import Jobbers, Status
from jobbers.handle import TaskHandle
from jobbers.store import scripts
from jobbers.worker import Worker

SHAS = {
    script: [sha.decode() for sha, name in scripts.names_by_sha().items() if name == script]
    for script in ("claim", "succeed")
}


class JobbersAdapter(Adapter):
    """The crash budget (3) and everything else are defaults."""

    packages = ("jobbers", "redis", "hiredis", "uvloop")
    settings = "lease 8 s (default 10)"
    claims = tuple(["EVALSHA", sha, "<-" + TASK] for sha in SHAS["claim"])
    finishes = tuple(["EVALSHA", sha] for sha in SHAS["succeed"])

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.app = Jobbers(url, lease=LIMIT)
        self.task = self.app.task(name=TASK)(effects.body)

    async def close(self) -> None:
        await self.app.close()

    async def submit(self, task: int, seconds: float) -> str:
        return (await self.task.submit(task, seconds)).id

    async def outcome(self, task_id: str) -> str | None:
        handle: TaskHandle[str] = TaskHandle(task_id, self.app.client)
        status = await handle.status()
        if status not in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
            return None
        return f"ok:{await handle.result()}" if status is Status.SUCCEEDED else f"error:{status}"

    def work(self) -> None:
        run(Worker(self.app, concurrency=SLOTS).run())


if __name__ == "__main__":
    main(JobbersAdapter)
