"""Celery with Redis as broker and results: acknowledged late, rejected when a child is lost.

``task_acks_late``, ``task_reject_on_worker_lost``, ``worker_prefetch_multiplier`` 1, ``visibility_timeout`` 8 s (default
3600; it must be longer than any task, because nothing renews it), ``unacked_restore_interval`` 1 s and ``…_throttle`` 1
(default 10 and 10: a look in 100 s), ``worker_cancel_long_running_tasks_on_connection_loss``, as its documentation advises
with late acknowledgement. Prefork pool of eight.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main


class CeleryAdapter(Adapter):
    """The completion is two calls: the result is set (unless there is one), then the message is acknowledged."""

    packages = ("celery", "kombu", "billiard", "redis", "hiredis")
    settings = (
        "acks_late, reject_on_worker_lost, prefetch 1, visibility_timeout 8 s, restore every 1 s, prefork 8"
    )
    claims = (["BRPOP", "<-" + TASK],)
    finishes = (
        ["EXEC", "celery-task-meta-"],
        ["SETEX", "celery-task-meta-"],
        ["EXEC", "HDEL", "unacked"],
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.app = Celery("trust", broker=url, backend=url)
        self.app.conf.update(
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            worker_prefetch_multiplier=1,
            worker_cancel_long_running_tasks_on_connection_loss=True,
            broker_connection_retry_on_startup=True,
            broker_transport_options={
                "visibility_timeout": LIMIT,
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
            },
        )
        self.task: Any = self.app.task(effects.body_blocking, name=TASK)

    async def submit(self, task: int, seconds: float) -> str:
        return str(self.task.delay(task, seconds).id)

    async def outcome(self, task_id: str) -> str | None:
        found = self.app.AsyncResult(task_id)
        if found.state == "SUCCESS":
            return f"ok:{found.result}"
        return f"error:{found.result!r}" if found.state in ("FAILURE", "REVOKED") else None

    def work(self) -> None:
        name = f"w{os.getpid()}@%h"
        self.app.worker_main(["worker", "-c", str(SLOTS), "-P", "prefork", "-l", "warning", "-n", name])


if __name__ == "__main__":
    main(CeleryAdapter)
