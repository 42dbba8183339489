"""What tasks have logged: a bounded list beside each record, which expires with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jobbers.core.ids import shard_of
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys

MOST_LINES = 500
"""Of one task; the oldest go first."""
LONGEST_LINE = 2_000
"""Of one line, in characters: with their numbers above, a task keeps a megabyte at most, or four of rare letters."""


class LogLine(NamedTuple):
    """One line that a task has logged."""

    time: datetime
    attempt: int
    level: str
    logger: str
    message: str


def pack_line(time_s: float, attempt: int, level: str, logger: str, message: str) -> bytes:
    """One line as it is stored; a long one is cut."""
    text = message if len(message) <= LONGEST_LINE else message[: LONGEST_LINE - 1] + "…"
    line = [round(time_s * 1_000_000), attempt, level[:20], logger[:100], text]
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def read_line(packed: bytes) -> LogLine | None:
    """The line; ``None`` for what is none."""
    try:
        micros, attempt, level, logger, message = json.loads(packed)
        return LogLine(
            datetime.fromtimestamp(micros / 1_000_000, UTC),
            int(attempt),
            str(level),
            str(logger),
            str(message),
        )
    except (ValueError, TypeError, OverflowError, OSError, RecursionError):
        return None


class LogStore:
    """The logs of tasks, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards

    def _keys(self, task_id: str) -> ShardKeys:
        return self._shards[shard_of(task_id, len(self._shards))]

    async def append(self, lines: Mapping[str, Sequence[bytes]], ttl_ms: int) -> None:
        """Add lines to tasks, in one go; they stay for ``ttl_ms`` unless :meth:`settle` says otherwise."""
        commands: list[tuple[Any, ...]] = []
        for task_id, packed in lines.items():
            key = self._keys(task_id).logs(task_id)
            commands += [("RPUSH", key, *packed), ("LTRIM", key, -MOST_LINES, -1), ("PEXPIRE", key, ttl_ms)]
        await self._gateway.commands(commands)

    async def settle(self, ids: Sequence[str]) -> set[str]:
        """Let logs expire with the records of tasks that have ended. Returns the ids for which that is done."""
        left = await self._gateway.commands(("PTTL", self._keys(it).task(it)) for it in ids)
        ended = {
            task_id: ms for task_id, ms in zip(ids, left, strict=True) if isinstance(ms, int) and ms != -1
        }
        await self._gateway.commands(
            ("PEXPIRE", self._keys(task_id).logs(task_id), max(0, ms)) for task_id, ms in ended.items()
        )
        return set(ended)

    async def read(self, task_id: str, limit: int = MOST_LINES) -> list[LogLine]:
        """The last lines of a task, the oldest first."""
        (reply,) = await self._gateway.commands([("LRANGE", self._keys(task_id).logs(task_id), -limit, -1)])
        lines = (read_line(packed) for packed in reply) if isinstance(reply, list) else ()
        return [line for line in lines if line is not None]
