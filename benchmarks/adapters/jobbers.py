"""Jobbers as its users run it: an app, decorated functions, a worker."""

from __future__ import annotations

from typing import Any

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, main, run
from jobbers import Jobbers, TaskType
from jobbers.worker import Worker


class JobbersAdapter(Adapter):
    """Jobbers with its defaults."""

    packages = ("jobbers", "redis", "hiredis", "uvloop")
    settings = "defaults: lease 10 s, results kept one hour"

    def __init__(self, url: str, kind: str, concurrency: int) -> None:
        super().__init__(url, kind, concurrency)
        self.app = Jobbers(url)
        self.types: dict[str, TaskType[Any, Any]] = {
            name: self.app.task(body) for name, body in bodies.BODIES.items()
        }

    async def close(self) -> None:
        await self.app.close()

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.types[kind].submit(**arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        await self.types[kind].starmap([tuple(arguments.values())] * count)

    def work(self) -> None:
        run(Worker(self.app, concurrency=self.concurrency).run())


if __name__ == "__main__":
    main(JobbersAdapter)
