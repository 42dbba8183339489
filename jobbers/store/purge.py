"""Finds what waits in a queue, in steps, so that neither server nor caller holds much at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from jobbers.core.lanes import Lane
from jobbers.core.status import Status
from jobbers.store.store import Store

STEP = 200


async def waiting_in(store: Store, queue: str) -> AsyncIterator[tuple[int, list[str]]]:
    """Shards with some ids of their tasks, to be purged before the next is asked for: all that was there at the start.

    Scheduled tasks come first and then parked ones, so that those that become ready meanwhile are found among the ready
    ones. Those of other queues are among them: the script that cancels looks.
    """
    cursor: str | None = None
    while True:
        page = await store.inspect.list_ids(Status.SCHEDULED, None, cursor, STEP)
        by_shard: dict[int, list[str]] = {}
        for task_id in page.ids:
            by_shard.setdefault(_shard(store, task_id), []).append(task_id)
        for shard, ids in by_shard.items():
            yield shard, ids
        cursor = page.cursor
        if cursor is None:
            break
    for shard in range(len(store.shards)):
        async for ids in store.limits.standing(shard, STEP):
            yield shard, ids
    until = await store.inspect.now_ms()
    for shard in range(len(store.shards)):
        for priority in range(10):
            after = ""
            while entries := await store.queues.entries(shard, Lane(queue, priority), after, until, STEP):
                yield shard, [task_id for _, task_id in entries]
                after = entries[-1][0]


def _shard(store: Store, task_id: str) -> int:
    try:
        return store.tasks.shard(task_id)
    except KeyError:  # an index may hold what is no id
        return 0
