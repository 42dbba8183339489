"""Dramatiq: threads; what a silent process had fetched goes back to the queue in random maintenance.

``heartbeat_timeout`` 8 s (default 60), ``maintenance_chance`` 1,000,000 of a million commands (default 1,000), so that
maintenance never waits for luck. Prefetch, Retries and the other middleware are defaults; Results is added.
"""

from __future__ import annotations

import signal

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import ResultFailure, ResultMissing, Results
from dramatiq.results.backends import RedisBackend

from benchmarks.trust import effects
from benchmarks.trust.adapters.base import LIMIT, SLOTS, TASK, Adapter, main


class DramatiqAdapter(Adapter):
    """The completion is two calls: the result is stored, then the message is acknowledged."""

    packages = ("dramatiq", "redis", "hiredis")
    settings = "heartbeat_timeout 8 s, maintenance with every command"
    claims = (["EVALSHA", "\r\nfetch\r\n", "<-" + TASK],)
    finishes = (
        ["EXEC", "LPUSH", "PEXPIRE"],
        ["EVALSHA", "\r\nack\r\n"],
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.results = RedisBackend(url=url)
        self.broker = RedisBroker(url=url, heartbeat_timeout=LIMIT * 1000, maintenance_chance=1_000_000)
        self.broker.add_middleware(Results(backend=self.results, store_results=True, result_ttl=3_600_000))
        dramatiq.set_broker(self.broker)
        self.actor = dramatiq.actor(effects.body_blocking, actor_name=TASK, broker=self.broker)
        self.sent: dict[str, dramatiq.Message[str]] = {}

    async def submit(self, task: int, seconds: float) -> str:
        message = self.actor.send(task, seconds)
        self.sent[message.message_id] = message
        return message.message_id

    async def outcome(self, task_id: str) -> str | None:
        try:
            return f"ok:{self.results.get_result(self.sent[task_id])}"
        except ResultMissing:
            return None
        except ResultFailure as error:
            return f"error:{error}"

    def work(self) -> None:
        dramatiq.Worker(self.broker, worker_threads=SLOTS).start()
        while True:
            signal.pause()


if __name__ == "__main__":
    main(DramatiqAdapter)
