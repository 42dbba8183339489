"""Lists the tasks that stand in lines: for a limit, a rate, a turn or a breaker."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys

_CURSOR = re.compile(r"([0-9]{1,4})/([0-9.e+]{1,30}):([0-9A-Z]{1,40}):(.{1,1000})", re.DOTALL)


async def list_parked(
    gateway: Gateway, shards: Sequence[ShardKeys], cursor: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Ids, line by line and in each in its order, and the cursor of the next page. A cursor names the last task and its
    score, so that nobody is passed over when some leave the line. Raises ``ValueError`` for one that no page gave."""
    match = _CURSOR.fullmatch(cursor or "")
    if cursor is not None and match is None:
        raise ValueError(cursor)
    first, score, last, after = match.groups() if match else ("0", "", "", "")
    ids: list[str] = []
    for number in range(int(first), len(shards)):
        members = await gateway.command("SMEMBERS", shards[number].gates)
        for gate in sorted(item.decode(errors="surrogateescape") for item in members):
            if gate < after:
                continue
            line = shards[number].line(gate)
            start = await _rank_after(gateway, line, score, last) if gate == after else 0
            pairs = await gateway.command("ZRANGE", line, start, start + limit - len(ids) - 1, "WITHSCORES")
            ids += [item.decode(errors="replace") for item in pairs[::2]]
            if len(ids) >= limit:
                return ids, f"{number}/{pairs[-1].decode()}:{ids[-1]}:{gate}"
        after = ""
    return ids, None


async def _rank_after(gateway: Gateway, line: str, score: str, task_id: str) -> int:
    rank, before = await gateway.commands(
        [("ZRANK", line, task_id), ("ZCOUNT", line, "-inf", f"({float(score)!r}")]
    )
    return rank + 1 if isinstance(rank, int) else int(before)
