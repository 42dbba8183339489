"""Celery with Redis as broker and results: a chain of a task and a chord, and a chain; a pool of processes."""

from __future__ import annotations

from typing import Any, ClassVar

from celery import Celery, chain, chord

from benchmarks.flows.adapters.base import PATIENCE, Adapter, Flow, fan_of, main


def root(width: int) -> int:
    return width


def child(before: int, number: int) -> int:
    return number


def join(found: list[int]) -> int:
    return sum(found)


def step(value: int) -> int:
    return value + 1


class CeleryAdapter(Adapter):
    """A process per core, and the default prefetch: more is no faster."""

    packages = ("celery", "kombu", "billiard", "redis", "hiredis")
    pool: ClassVar[tuple[str, str]] = ("prefork", "4")
    settings = (
        "prefork, concurrency 4, default prefetch (4 each), no gossip, mingle or heartbeat; root | chord"
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.app = Celery("flows", broker=url, backend=url)
        self.app.conf.update(
            broker_connection_retry_on_startup=True,
            task_default_queue="flows",
        )
        self.root, self.child, self.join, self.step = (
            self.app.task(body, name=body.__name__) for body in (root, child, join, step)
        )

    def build(self, flow: str, width: int, length: int) -> Flow:
        if flow == "chain":
            work = chain(self.step.s(0), *(self.step.s() for _ in range(length - 1)))
        else:
            work = self.root.s(width) | chord(
                (self.child.s(number) for number in range(width)), self.join.s()
            )

        async def run_it() -> Any:
            return work.apply_async().get(timeout=PATIENCE)

        return Flow(length, length, run_it) if flow == "chain" else fan_of(width, run_it)

    def work(self) -> None:
        pool, size = self.pool
        quiet = ["-l", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.app.worker_main(["worker", "-P", pool, "-c", size, *quiet])


if __name__ == "__main__":
    main(CeleryAdapter)
