"""RQ: one job a worker, in a work-horse of its own; abandoned jobs are noticed in maintenance and retried.

``Retry(max=10)`` (default: an abandoned job has failed), ``maintenance_interval`` 2 s (default 600),
``job_monitoring_interval`` 2 s (default 30), ``worker_ttl`` 20 s (default 420), because an idle worker does maintenance
only when its blocking read ends, 15 s before that. A job is abandoned when its heartbeat is overdue by 60 s, and one whose
worker died before it started after a minute; neither can be set. Eight workers make one, to have eight slots.
"""

from __future__ import annotations

import multiprocessing
import time

from redis import Redis
from rq import Queue, Retry, Worker
from rq.job import Job
from rq.results import Result

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import SLOTS, Adapter, main


class RqAdapter(Adapter):
    """The completion is one transaction, which adds a result to the job's stream of results."""

    packages = ("rq", "redis", "hiredis")
    settings = "Retry(max=10), maintenance and monitoring every 2 s, worker_ttl 20 s, 8 workers (heartbeat + 60 s is fixed)"
    lease = 62 + 8
    claims = (
        ["BLMOVE", "<-"],
        ["LMOVE", "<-"],
    )
    finishes = (["EXEC", "XADD"],)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.redis = Redis.from_url(url)
        self.queue = Queue(connection=self.redis)

    async def submit(self, task: int, seconds: float) -> str:
        job = self.queue.enqueue(effects.body_blocking, task, seconds, retry=Retry(max=10), result_ttl=3600)
        return str(job.id)

    async def outcome(self, task_id: str) -> str | None:
        found = Job.fetch(task_id, connection=self.redis).latest_result()
        if found is None or found.type is Result.Type.RETRIED:
            return None
        if found.type is Result.Type.SUCCESSFUL:
            return f"ok:{found.return_value}"
        return f"error:{(found.exc_string or found.type.name).splitlines()[-1]}"

    def work(self) -> None:
        workers = [multiprocessing.Process(target=self._work) for _ in range(SLOTS)]
        for worker in workers:
            worker.start()
        while all(worker.is_alive() for worker in workers):
            time.sleep(0.5)

    def _work(self) -> None:
        connection = Redis.from_url(self.url)
        Worker(
            [Queue(connection=connection)],
            connection=connection,
            maintenance_interval=2,
            job_monitoring_interval=2,
            worker_ttl=20,
        ).work()


if __name__ == "__main__":
    main(RqAdapter)
