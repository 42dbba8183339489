"""The verbs of runs: launch, and read what a run is made of."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from jobbers.core.ids import shard_of
from jobbers.core.payload import Undecodable, pack, unpack
from jobbers.core.task import TaskRecord
from jobbers.errors import Conflict, InvalidInput, NotFound, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.tasks import chunked
from jobbers.store.wire import Argument

RUN_TYPE = "run."
"""What the type of a run's own record begins with; its graph's name follows."""
_PLANS_AT_ONCE = 10
_MOST_TOUCHED = 2_000
RUNS_QUEUE = "runs"
"""What a run's own record says as its queue, whatever the queues of its nodes; it lies in none."""


PART = 1000
"""A run of more tasks is launched in several calls, each of which makes this many: some 10 ms of the server."""
KEPT_MS = 600_000
"""For how long such tasks wait for the call that launches them."""


class LaunchedTask(NamedTuple):
    """One task of a run, as the server gets it: ``then`` are the ids to tell of its end, ``fields`` more of its record. One
    that is ``limited``, or makes tasks that are, has to lie where limits are counted."""

    id: str
    type: str
    lane: str
    envelope: bytes
    waits: int
    then: Sequence[str]
    node: str
    trigger: str
    fields: Mapping[str, str | int] = MappingProxyType({})
    limited: bool = False


class RevivedTask(NamedTuple):
    """One task of a run that gets another life: for how many others it waits now, the ids to tell of its end, none for one
    that has succeeded and is kept; and how many of its parents must succeed, where it starts with that."""

    id: str
    waits: int
    then: Sequence[str]
    need: int = 0


@dataclass(frozen=True, slots=True)
class StoredNode:
    """A node of a stored plan. ``parents`` are ids, ``queue`` is where it was sent, ``need`` is how many of its parents
    must succeed, where it starts with that; ``undoes`` is the task that it makes good for."""

    id: str
    name: str
    type: str
    parents: Sequence[str]
    queue: str = ""
    need: int = 0
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """What a run is made of, what it returns (with references), and the ids of the nodes that tell it of their end."""

    name: str
    nodes: Sequence[StoredNode]
    output: Any
    ends: Sequence[str] = ()


class Touched(NamedTuple):
    """The queues and the task types of a run's nodes."""

    queues: set[str]
    types: set[str]


def launch_words(
    run_id: str,
    envelope: bytes,
    plan: StoredPlan,
    tasks: Sequence[LaunchedTask],
    owner: str = "",
    deadline_ms: int = 0,
) -> list[Argument]:
    """A run as the script `launch` takes it."""
    nodes = [
        [node.id, node.name, node.type, list(node.parents), node.queue, node.need, node.undoes]
        for node in plan.nodes
    ]
    stored = pack([plan.name, nodes, list(plan.ends)])
    args: list[Argument] = [
        run_id, RUN_TYPE + plan.name, envelope, stored, pack(plan.output), len(plan.ends), owner, deadline_ms,
    ]  # fmt: skip
    return args + _task_words(tasks)


def _task_words(tasks: Sequence[LaunchedTask]) -> list[Argument]:
    args: list[Argument] = []
    for task in tasks:
        args += (
            task.id, task.type, task.lane, task.envelope, task.waits, " ".join(task.then), task.node, task.trigger,
            " ".join(f"{name}={value}" for name, value in task.fields.items()),
        )  # fmt: skip
    return args


class RunStore:
    """The verbs, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards
        self._touched: dict[tuple[str, datetime], Touched] = {}
        """By id and time of launch: an id may be used again when the record of the run has expired."""

    def _keys(self, run_id: str) -> ShardKeys:
        return self._shards[shard_of(run_id, len(self._shards))]

    async def launch(
        self,
        run_id: str,
        envelope: bytes,
        plan: StoredPlan,
        tasks: Sequence[LaunchedTask],
        *,
        owner: str = "",
        deadline_ms: int = 0,
    ) -> None:
        """Create a run and all its tasks, whose ids are of its shard, at once. One that exists is left alone. With
        ``owner`` it takes the place of a task of that id. After ``deadline_ms`` it fails with all that has not ended."""
        if shard_of(run_id, len(self._shards)) and any(task.limited for task in tasks):
            raise InvalidInput(
                f"run {run_id} has tasks with limits, which are counted in another shard: give it an id of "
                "jobbers.new_id(limited=True)"
            )
        prefix = self._keys(run_id).prefix
        if len(tasks) <= PART:
            args = launch_words(run_id, envelope, plan, tasks, owner, deadline_ms)
            await self._gateway.run("launch", prefix, args)
            return
        args = [
            *launch_words(run_id, envelope, plan, [], owner, deadline_ms),
            " ".join(task.id for task in tasks),
        ]
        word = b"gone"
        while word == b"gone":  # all that was made, if it took so long
            for chunk in chunked(tasks, PART):
                words = [run_id, KEPT_MS, *_task_words(chunk)]
                if not await self._gateway.run("prepare", prefix, words):
                    break
            word = await self._gateway.run("launch", prefix, args)
        await self._go_on(run_id, pause=False, left=word == b"more")

    async def revive(self, run_id: str, waits: int, tasks: Sequence[RevivedTask]) -> None:
        """Give a run that has ended another life: some of its tasks run again, the others have succeeded and are kept.

        Raises :class:`Conflict` when it has not ended, or one of its tasks has moved since they were looked at;
        :class:`NotFound` when what one of them returned has expired.
        """
        args: list[Argument] = [run_id, secrets.token_hex(4), waits]
        for task in tasks:
            args += (task.id, task.waits, " ".join(task.then), task.need or "")
        word, where = await self._gateway.run("revive", self._keys(run_id).prefix, args)
        while word == b"more":  # workers would go on with it, too
            word, where = await self._gateway.run("revive", self._keys(run_id).prefix, args[:2])
        match word:
            case b"run":
                raise Conflict(f"run {run_id} has not ended: only one that has can be repeated")
            case b"gone":
                raise NotFound(f"task {where.decode()} of run {run_id} has expired: start the run anew")
            case b"busy":
                raise Conflict(
                    f"task {where.decode()} of run {run_id} is under way by itself: wait for its end"
                )

    async def hold(self, run_id: str, *, pause: bool) -> None:
        """Pause an open run, or let it go on. Raises :class:`NotFound`, and :class:`Conflict` for one that has ended."""
        status, left = await self._gateway.run("hold", self._keys(run_id).prefix, [run_id, int(pause), 0])
        await self._go_on(run_id, pause=pause, left=left)
        if not status:
            raise NotFound(f"there is no run {run_id}: it never was, or its record has expired")
        if status != b"blocked":
            raise Conflict(
                f"run {run_id} has ended as {status.decode()}: only an open one is paused or goes on"
            )

    async def _go_on(self, run_id: str, *, pause: bool, left: bool) -> None:
        """Hold the tasks of a run that are left, or let them go. What was asked for holds already, and workers go on with
        it, too: so it does not fail when the server goes away."""
        with suppress(StoreError):
            while left:
                _, left = await self._gateway.run("hold", self._keys(run_id).prefix, [run_id, int(pause), 1])

    async def plan(self, run_id: str) -> StoredPlan:
        """What a run is made of. Raises :class:`NotFound`."""
        place = self._keys(run_id).task(run_id)
        (reply,) = await self._gateway.commands([("HMGET", place, "plan", "output")])
        plan, output = reply if isinstance(reply, list) else (None, None)
        try:
            name, nodes, ends = unpack(plan or b"")
            return StoredPlan(name, [StoredNode(*node) for node in nodes], unpack(output or b""), ends)
        except (Undecodable, TypeError, ValueError):
            raise NotFound(f"there is no run {run_id}: it never was, or its record has expired") from None

    async def touched(self, runs: Sequence[TaskRecord]) -> dict[str, Touched]:
        """What these runs touch, by their ids, for those that are there. It never changes, so of the latest it is kept: the
        plan of a run of 5,000 nodes takes 10 ms to read."""
        new = [it for it in runs if (it.id, it.created) not in self._touched]
        for start in range(0, len(new), _PLANS_AT_ONCE):
            some = new[start : start + _PLANS_AT_ONCE]
            replies = await self._gateway.commands(
                ("HGET", self._keys(it.id).task(it.id), "plan") for it in some
            )
            for run, reply in zip(some, replies, strict=True):
                with suppress(Undecodable, TypeError, ValueError):
                    _, nodes, _ = unpack(reply if isinstance(reply, bytes) else b"")
                    touched = Touched({node[4] for node in nodes}, {node[2] for node in nodes})
                    self._touched[run.id, run.created] = touched
                await asyncio.sleep(0)
        found = {
            it.id: self._touched[it.id, it.created] for it in runs if (it.id, it.created) in self._touched
        }
        while len(self._touched) > _MOST_TOUCHED:
            del self._touched[next(iter(self._touched))]
        return found
