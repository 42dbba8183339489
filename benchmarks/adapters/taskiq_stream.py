"""Taskiq on a stream: acknowledged after the result is saved."""

from __future__ import annotations

from taskiq import AsyncBroker
from taskiq_redis import RedisStreamBroker

from benchmarks.adapters._taskiq import POOL, TaskiqAdapter
from benchmarks.adapters.base import main


class TaskiqStreamAdapter(TaskiqAdapter):
    """Taskiq with ``RedisStreamBroker``; its group reads from the start, to see tasks queued before it."""

    def make_broker(self) -> AsyncBroker:
        return RedisStreamBroker(self.url, consumer_id="0", max_connection_pool_size=POOL)


if __name__ == "__main__":
    main(TaskiqStreamAdapter)
