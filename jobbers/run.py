"""A run of a workflow, as its submitter holds it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobbers.core.payload import unpack
from jobbers.core.status import Status
from jobbers.errors import Conflict, InvalidInput, TaskCancelled, TaskFailed
from jobbers.handle import TaskHandle
from jobbers.store.inspect import Standing
from jobbers.store.maps import MAP_TYPE, MapProgress
from jobbers.store.runs import RevivedTask, StoredNode, StoredPlan


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where a node of a run is: its name, its task, the task's type and queue, whom it waits for, and how it stands.

    ``status`` is ``None`` when the task's record has expired. ``items`` is how far a map is; ``worker``, ``since`` and
    ``step`` say of one that runs where, since when, and what it last said of itself. ``started`` is when its last attempt
    began, ``finished`` when it ended.
    """

    name: str
    id: str
    type: str
    queue: str
    after: tuple[str, ...]
    status: Status | None
    reason: str | None = None
    items: MapProgress | None = None
    worker: str | None = None
    since: datetime | None = None
    step: str | None = None
    started: datetime | None = None
    finished: datetime | None = None


class RunHandle(TaskHandle[Any]):
    """Refers to a run by its id. A run is *blocked* until its tasks have ended; waiting, watching and cancelling are those
    of a task, and cancelling ends all its tasks that have not ended."""

    __slots__ = ()

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the run to end and return the result of its last node; of several, a list or a dict by name.

        Raises :class:`TaskFailed`, which names the node that decided it, :class:`TaskCancelled`, :class:`WaitTimeout`, or
        :class:`NotFound` when the run or a result has expired.
        """
        client = await self._client()
        outcome = await client.ending(self.id, timeout)
        if outcome.status is Status.SUCCEEDED:
            return unpack(await client.result_bytes(self.id, outcome))
        if outcome.status is Status.CANCELLED:
            raise TaskCancelled(f"run {self.id} was cancelled: {outcome.reason}")
        raise TaskFailed(
            f"run {self.id} failed: {outcome.reason}", task_id=self.id, reason=outcome.reason, error=None
        )

    async def nodes(self) -> list[NodeState]:
        """Its nodes, each behind those that it waits for. Raises :class:`NotFound`."""
        client = await self._client()
        plan = await client.store.runs.plan(self.id)
        standings = await client.store.inspect.standings([node.id for node in plan.nodes])
        names = {node.id: node.name for node in plan.nodes}
        maps = [node.id for node in plan.nodes if node.type.startswith(MAP_TYPE)]
        items = dict(zip(maps, await client.store.maps.progress(maps), strict=True)) if maps else {}
        return [
            _state(node, standing, tuple(names[parent] for parent in node.parents), items.get(node.id))
            for node, standing in zip(plan.nodes, standings, strict=True)
        ]

    async def retry(self, from_node: str | None = None) -> list[str]:
        """Give a run that failed or was cancelled another life: its nodes that did not succeed run again, each when what it
        waits for has ended; what the others returned is kept. With ``from_node``, that one and all behind it run again,
        too, also of a run that succeeded. Returns the names of those that run again.

        Raises :class:`Conflict` when the run has not ended, has succeeded with no node named, or has been undone by
        compensation; :class:`NotFound` when it or a result that is needed has expired; :class:`InvalidInput` for a node
        that it does not have.
        """
        client = await self._client()
        plan = await client.store.runs.plan(self.id)
        outcomes = await client.store.inspect.outcomes([node.id for node in plan.nodes])
        kept = {
            node.id
            for node, outcome in zip(plan.nodes, outcomes, strict=True)
            if outcome is not None and outcome.status is Status.SUCCEEDED
        }
        if any(node.undoes and node.id in kept for node in plan.nodes):
            raise Conflict(f"run {self.id} has been undone by its compensation: start the run anew")
        if from_node is not None:
            kept -= _from(plan, from_node)
        elif (await client.outcome(self.id)).status is Status.SUCCEEDED:
            raise Conflict(f"run {self.id} has succeeded: name the node from which on it is to run again")
        again = [node for node in plan.nodes if node.id not in kept]
        await client.store.runs.revive(self.id, len(set(plan.ends) - kept), _revived(self.id, plan, kept))
        return [node.name for node in again]

    async def pause(self) -> None:
        """Let nothing more of the run start; what runs goes on, and so do a map's tasks that are under way and what waits
        for a retry. Raises :class:`NotFound`, and :class:`Conflict` when the run has ended."""
        await (await self._client()).store.runs.hold(self.id, pause=True)

    async def resume(self) -> None:
        """Let a paused run go on. Raises like :meth:`pause`."""
        await (await self._client()).store.runs.hold(self.id, pause=False)

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}>"


def _state(
    node: StoredNode, standing: Standing, after: tuple[str, ...], items: MapProgress | None
) -> NodeState:
    started, finished = _time(standing.started), _time(standing.finished)
    runs = standing.status is Status.RUNNING
    return NodeState(
        node.name,
        node.id,
        node.type,
        node.queue,
        after,
        standing.status,
        standing.reason,
        items,
        worker=standing.worker if runs else None,
        since=started if runs else None,
        step=standing.step if runs else None,
        started=started,
        finished=finished,
    )


def _time(ms: int | None) -> datetime | None:
    try:
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _from(plan: StoredPlan, name: str) -> set[str]:
    """The ids of a node and of all behind it. Raises :class:`InvalidInput` for one that there is not."""
    found = {node.id for node in plan.nodes if node.name == name}
    if not found:
        known = ", ".join(node.name for node in plan.nodes)
        raise InvalidInput(f"the run has no node {name[:80]!r} (it has: {known})")
    for node in plan.nodes:  # each stands behind those that it waits for
        if found.intersection(node.parents):
            found.add(node.id)
    return found


def _revived(run_id: str, plan: StoredPlan, kept: set[str]) -> list[RevivedTask]:
    """The tasks of a run as they begin another life, but for those that are kept."""
    again = [node for node in plan.nodes if node.id not in kept]
    followers: dict[str, list[str]] = defaultdict(list)
    for node in again:
        for parent in node.parents:
            followers[parent].append(node.id)
    return [
        RevivedTask(
            node.id,
            len(set(node.parents) - kept),
            [*followers[node.id], *([run_id] if node.id in plan.ends else [])],
            max(0, node.need - len(kept.intersection(node.parents))),
        )
        if node.id not in kept
        else RevivedTask(node.id, 0, ())
        for node in plan.nodes
    ]
