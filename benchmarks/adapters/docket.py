"""Docket: streams and scripts; bulk is ``add_many``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from docket import Docket, Worker

from benchmarks import bodies
from benchmarks.adapters.base import Adapter, main, run


class DocketAdapter(Adapter):
    """Docket with a check interval of 1 ms instead of 250 ms, and room for its connections."""

    packages = ("pydocket", "redis", "hiredis", "uvloop")
    settings = "minimum_check_interval 1 ms, pool of 2,000, results kept 15 minutes (default)"

    def _docket(self) -> Docket:
        docket = Docket(url=f"{self.url}?max_connections=2000")
        for body in bodies.BODIES.values():
            docket.register(body)
        return docket

    async def open(self) -> None:
        self.docket = self._docket()
        await self.docket.__aenter__()

    async def close(self) -> None:
        await self.docket.__aexit__(None, None, None)

    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        await self.docket.add(kind)(**arguments)

    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        call = self.docket.call
        await self.docket.add_many(call(kind)(**arguments) for _ in range(count))

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        interval = timedelta(milliseconds=1)
        async with (
            self._docket() as docket,
            Worker(docket, concurrency=self.concurrency, minimum_check_interval=interval) as worker,
        ):
            await worker.run_forever()


if __name__ == "__main__":
    main(DocketAdapter)
