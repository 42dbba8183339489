"""Taskiq on a list: popped without protection, so a crash loses what it had taken."""

from __future__ import annotations

from taskiq import AsyncBroker
from taskiq_redis import ListQueueBroker

from benchmarks.adapters._taskiq import POOL, TaskiqAdapter
from benchmarks.adapters.base import main


class TaskiqListAdapter(TaskiqAdapter):
    """Taskiq with ``ListQueueBroker``."""

    def make_broker(self) -> AsyncBroker:
        return ListQueueBroker(self.url, max_connection_pool_size=POOL)


if __name__ == "__main__":
    main(TaskiqListAdapter)
