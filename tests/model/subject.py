"""A store of one shard under the same verbs as the model, with a clock that is moved forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jobbers.core.lanes import Lane
from jobbers.core.payload import pack_envelope
from jobbers.core.status import Event, Status
from jobbers.core.task import Placement, TaskSpec
from jobbers.store.connect import Connector
from jobbers.store.store import Store
from jobbers.store.tasks import Beat, Failure, Postponement, Retrial, Success
from jobbers.testing.audit import audit_store
from jobbers.testing.clock import ManualClock, ManualClockConnector
from jobbers.testing.keyspace import erase, read_keyspace
from tests.model.model import Order

RETENTION = 100 * 86_400_000
TYPE = "send"
SCOPES = {"s": "start", "f": "finish", "t": "time"}
TIMES = frozenset({"created", "started", "finished", "due", "deadline", "beat", "beat_due", "slow_at"})
NEAR = 40_000
"""Times of two servers differ by how long the test took between them."""


class Subject:
    """One store."""

    def __init__(self, connector: Connector, namespace: str, crash_budget: int) -> None:
        self._clock = ManualClock()
        inner = ManualClockConnector(connector, self._clock, lambda *_: None)
        self.store = Store(inner, namespace=namespace, shards=1, patience=5.0)
        self._budget = crash_budget

    async def advance(self, milliseconds: int) -> None:
        await self._clock.advance(self.store, milliseconds)

    async def submit(self, ids: Sequence[str], order: Order) -> dict[str, str]:
        where = Placement(
            TYPE, order.lane.queue, order.lane.priority, order.delay, 0, order.deadline, order.unique,
            SCOPES[order.scope] if order.unique else "", order.ttl if order.scope == "t" else 0,
        )  # fmt: skip
        envelope = pack_envelope(["x" * (len(ids) * 40)], {}, None)
        return await self.store.tasks.submit([TaskSpec(task_id, where, envelope) for task_id in ids])

    async def claim(
        self, owner: str, lanes: Sequence[Lane], want: int, lease: int
    ) -> list[tuple[str, int, int]]:
        taken = await self.store.tasks.claim(0, owner, lanes, want, lease, RETENTION)
        assert all(task.owner == owner and task.type == TYPE for task in taken)
        return [(task.id, task.attempt, task.crashes) for task in taken]

    async def finish(self, event: Event, pairs: Iterable[tuple[str, str]], delay: int = 0) -> list[str]:
        tasks = self.store.tasks
        match event:
            case Event.SUCCEED:
                return await tasks.succeed(
                    0, [Success(*pair, RETENTION, "result", b"\xc0") for pair in pairs]
                )
            case Event.FAIL:
                return await tasks.fail(0, [Failure(*pair, RETENTION, "broke", b"report") for pair in pairs])
            case Event.RETRY:
                return await tasks.retry(0, [Retrial(*pair, delay, "again", b"report") for pair in pairs])
            case Event.SNOOZE:
                return await tasks.snooze(0, [Postponement(*pair, delay, "later") for pair in pairs])
            case _:
                return await tasks.release(list(pairs), "stopped")

    async def renew(self, pairs: Iterable[tuple[str, str]], lease: int) -> list[str]:
        words = [lease, *(word for pair in pairs for word in pair)]
        reply = await self.store.gateway.run("renew", self.store.shards[0].prefix, words)
        return [word.decode() for word in reply[::2]]

    async def beat(self, pairs: Iterable[tuple[str, str]]) -> list[str]:
        return await self.store.tasks.beat([Beat(*pair, "half way", 0.5, 1000, 2000) for pair in pairs])

    async def cancel(self, ids: Iterable[str]) -> dict[str, Status | None]:
        return await self.store.tasks.cancel(ids, RETENTION, "no more")

    async def requeue(self, ids: Iterable[str]) -> dict[str, Status | None]:
        return await self.store.tasks.requeue(dict.fromkeys(ids, b""), "once more")

    async def promote(self) -> int:
        return (await self.store.upkeep.promote(0, RETENTION)).moved

    async def reclaim(
        self, worker: str | None = None, *, crashed: bool = True
    ) -> list[tuple[str, str, Status]]:
        upkeep = self.store.upkeep
        if worker is None:
            taken = await upkeep.reclaim(0, self._budget, RETENTION)
        else:
            taken = await upkeep.reclaim_owner(0, worker, self._budget, RETENTION, crashed=crashed)
        return [(one.id, one.owner, one.status) for one in taken]

    async def drop(self, ids: Iterable[str]) -> int:
        return await self.store.upkeep.drop_dead(ids)

    async def pause(self, queue: str) -> None:
        await self.store.control.pause(queue)

    async def resume(self, queue: str) -> None:
        await self.store.control.resume(queue)

    async def statuses(self, ids: Iterable[str]) -> dict[str, Status | None]:
        return await self.store.tasks.watch("inbox", ids)

    async def lanes(self) -> dict[str, list[str]]:
        """What lies in each lane, in order."""
        prefix = self.store.shards[0].lane("")
        return {
            key.removeprefix(prefix): [value for pairs in held.value.values() for _, value in pairs]
            for key, held in (await read_keyspace(self.store)).items()
            if key.startswith(prefix) and held.value
        }

    async def holders(self) -> dict[str, str]:
        """Who holds which unique key."""
        prefix = self.store.shards[0].unique("")
        space = await read_keyspace(self.store)
        return {key.removeprefix(prefix): held.value for key, held in space.items() if key.startswith(prefix)}

    async def audit(self) -> list[str]:
        """What the store holds that it must not."""
        return [str(violation) for violation in await audit_store(self.store)]

    async def keyspace(self) -> dict[str, Any]:
        """Everything, without what may differ: the ids of entries, and the names of calls. Times are rounded by who
        compares."""
        prefix = self.store.shards[0].prefix
        found: dict[str, Any] = {}
        for key, held in (await read_keyspace(self.store)).items():
            name = key.removeprefix(prefix)
            if not key.startswith(prefix) or name.startswith((":stats:", ":clock")):
                continue
            match held.type:
                case "stream":
                    found[name] = list(held.value.values())
                case "hash":
                    found |= {
                        f"{name} {field}": value
                        for field, value in held.value.items()
                        if field not in ("entry", "call")
                    }
                case "zset":
                    found |= {f"{name} {member} score": score for member, score in held.value.items()}
                case _:
                    found[name] = held.value
            found[f"{name} lasts"] = held.ttl_ms is not None
        return found

    async def close(self) -> None:
        """Leave nothing."""
        await erase(self.store)
        await self.store.close()


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two keyspaces do not agree about; times may differ a little."""
    return {
        name: (one.get(name), other.get(name))
        for name in one.keys() | other.keys()
        if not _agree(name, one.get(name), other.get(name))
    }


def _agree(name: str, one: Any, other: Any) -> bool:
    if one is None or other is None or not (name.endswith(" score") or name.rpartition(" ")[2] in TIMES):
        return bool(one == other)
    return abs(float(one) - float(other)) < NEAR
