"""How tasks come to be: grouped into calls of one script each, and what queues with rules answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from jobbers.core.ids import shard_of
from jobbers.core.limits import is_shared
from jobbers.core.task import Placement, TaskSpec
from jobbers.errors import InvalidId, LimitReached, QueueDraining, QueueFull, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.queues import MADE_ROOM, QueueStore
from jobbers.store.rows import MAX_BATCH, MAX_BATCH_BYTES
from jobbers.store.wire import Argument

ROUNDS_OF_ROOM = 10


class Submissions:
    """Creates tasks, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys], queues: QueueStore) -> None:
        self._gateway = gateway
        self._shards = shards
        self._queues = queues

    async def one(self, spec: TaskSpec) -> str:
        """Create a task; an id that exists is left alone. Returns its id, or that of the task that stands for it, such as
        the holder of its unique key. Raises like :meth:`many`."""
        shard = self._shard_of(spec)
        holders = await self._call(spec.script, shard, spec.placement.queue, [*spec.head, *spec.row])
        return holders.get(spec.id, spec.id)

    async def many(self, specs: Iterable[TaskSpec]) -> dict[str, str]:
        """Create tasks. An id that exists is left alone. Returns the tasks that stand for others, by the ids that were not
        created because of them.

        Raises :class:`QueueDraining`, :class:`QueueFull`, :class:`LimitReached`; then nothing of that call was written.
        """
        groups: dict[tuple[int, str, Placement], list[TaskSpec]] = defaultdict(list)
        for spec in specs:
            groups[self._shard_of(spec), spec.script, spec.placement].append(spec)
        calls = [
            self._call(script, shard, placement.queue, args)
            for (shard, script, placement), group in groups.items()
            for args in _chunks(group)
        ]
        replies = [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)
        return {task_id: holder for reply in replies for task_id, holder in reply.items()}

    async def stand_ins(self, specs: Sequence[TaskSpec]) -> list[list[str]]:
        """For each of these, which are not there yet, the ids of tasks that may stand for it: its own, that of the holder
        of its unique key, and what its key has come to. Some may be no more, or have ended."""
        commands: list[tuple[Argument, ...]] = []
        for spec in specs:
            keys, placement = self._shards[self._shard_of(spec)], spec.placement
            commands += [
                ("GET", keys.joined(spec.id)),
                ("GET", keys.unique(placement.unique_key)),
                ("GET", keys.collapse(spec.key) if placement.collapse else keys.collapse("")),
            ]
        replies = [reply.decode() if reply else "" for reply in await self._gateway.commands(commands)]
        return [
            # of a period: its first task, when it ends, and the last one
            [
                spec.id,
                *(
                    word
                    for reply in replies[3 * index : 3 * index + 3]
                    for word in reply.split()
                    if len(word) == 26
                ),
            ]
            for index, spec in enumerate(specs)
        ]

    def _shard_of(self, spec: TaskSpec) -> int:
        shard = shard_of(spec.id, len(self._shards))
        if shard and spec.gates and is_shared(spec.gates):
            raise InvalidId(
                f"task id {spec.id} does not belong to the shard where limits are counted: make ids for limited tasks with "
                "jobbers.new_id(limited=True)"
            )
        return shard

    async def _call(self, script: str, shard: int, queue: str, args: list[Argument]) -> dict[str, str]:
        reply: list[bytes] = await self._gateway.run(script, self._shards[shard].prefix, args)
        if not reply:
            return {}
        if len(reply) & 1:
            await self._obey(reply, shard, queue)
        names = [item.decode() for item in reply]
        if names and not names[0]:
            raise LimitReached(
                f"limit {names[1]!r} is full and refuses what is over it: submit again when a task of it has ended",
                names[1],
            )
        return dict(zip(names[::2], names[1::2], strict=True))

    async def _obey(self, reply: list[bytes], shard: int, queue: str) -> None:
        """Do what a queue that has rules asks for; the word for that is taken out of the reply."""
        match reply.pop():
            case b"draining":
                raise draining(queue)
            case b"full":
                raise full(queue)
            case b"over":
                with contextlib.suppress(StoreError):  # the tasks are there; the next to submit makes room
                    for _ in range(ROUNDS_OF_ROOM):
                        if await self._queues.make_room(shard, queue) < MADE_ROOM:
                            break


def _chunks(specs: list[TaskSpec]) -> Iterable[list[Argument]]:
    """The arguments of a script for tasks of one placement, in chunks bounded by count and bytes."""
    head: Sequence[Argument] = specs[0].head
    args: list[Argument] = [*head]
    size = count = 0
    for spec in specs:
        if count and (count == MAX_BATCH or size + len(spec.envelope) > MAX_BATCH_BYTES):
            yield args
            args = [*head]
            size = count = 0
        args += spec.row
        size += len(spec.envelope)
        count += 1
    yield args


def draining(queue: str) -> QueueDraining:
    """What who submits to a drained queue is told."""
    return QueueDraining(
        f"queue {queue} is drained and takes nothing until 'jobbers queues resume {queue}'; nothing was submitted"
    )


def full(queue: str) -> QueueFull:
    """What who submits to a full queue is told."""
    return QueueFull(f"queue {queue} is full: nothing was submitted; wait until workers have caught up")
