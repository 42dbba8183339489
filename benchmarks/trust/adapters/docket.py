"""Docket: a stream; leases are renewed and swept four times in a redelivery timeout.

``redelivery_timeout`` 8 s (default 300). All else is default.
"""

from __future__ import annotations

from datetime import timedelta

from docket import Docket, ExecutionState, Worker
from docket._execution_scripts import _terminal

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, Adapter, main, run


class DocketAdapter(Adapter):
    """The completion is two calls: the result is put, then a script ends the run and acknowledges it."""

    packages = ("pydocket", "redis", "hiredis", "uvloop")
    settings = "redelivery_timeout 8 s"
    claims = (["XREADGROUP", "<-body"],)
    finishes = (
        ["SET", "docket:results"],
        ["SETEX", "docket:results"],
        ["EVALSHA", _terminal.sha],
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.docket = Docket(url=url)
        self.docket.register(effects.body)

    async def open(self) -> None:
        await self.docket.__aenter__()

    async def close(self) -> None:
        await self.docket.__aexit__(None, None, None)

    async def submit(self, task: int, seconds: float) -> str:
        return (await self.docket.add(effects.body)(task, seconds)).key

    async def outcome(self, task_id: str) -> str | None:
        execution = await self.docket.get_execution(task_id)
        if execution is None:
            return None
        await execution.sync()
        if execution.state is ExecutionState.COMPLETED:
            return f"ok:{await execution.get_result(timeout=timedelta(seconds=5))}"
        ended = (ExecutionState.FAILED, ExecutionState.CANCELLED)
        return f"error:{execution.state.value}" if execution.state in ended else None

    def work(self) -> None:
        run(self._work())

    async def _work(self) -> None:
        limit = timedelta(seconds=LIMIT)
        async with self.docket, Worker(self.docket, concurrency=SLOTS, redelivery_timeout=limit) as worker:
            await worker.run_forever()


if __name__ == "__main__":
    main(DocketAdapter)
