"""A run of a workflow, as its submitter holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobbers.core.payload import unpack
from jobbers.core.status import Status
from jobbers.errors import Conflict, TaskCancelled, TaskFailed
from jobbers.handle import TaskHandle
from jobbers.store.maps import MAP_TYPE, MapProgress
from jobbers.store.runs import RevivedTask


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where a node of a run is: its name, its task, the task's type and queue, whom it waits for, and how it stands.

    ``status`` is ``None`` when the task's record has expired. ``items`` is how far a map is.
    """

    name: str
    id: str
    type: str
    queue: str
    after: tuple[str, ...]
    status: Status | None
    reason: str | None = None
    items: MapProgress | None = None


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
        outcomes = await client.store.inspect.outcomes([node.id for node in plan.nodes])
        names = {node.id: node.name for node in plan.nodes}
        maps = [node.id for node in plan.nodes if node.type.startswith(MAP_TYPE)]
        items = dict(zip(maps, await client.store.maps.progress(maps), strict=True)) if maps else {}
        return [
            NodeState(
                node.name,
                node.id,
                node.type,
                node.queue,
                tuple(names[parent] for parent in node.parents),
                outcome.status if outcome else None,
                (outcome.reason or None) if outcome else None,
                items.get(node.id),
            )
            for node, outcome in zip(plan.nodes, outcomes, strict=True)
        ]

    async def retry(self) -> list[str]:
        """Give a run that failed or was cancelled another life: its nodes that did not succeed run again, each when what it
        waits for has ended; what the others returned is kept. Returns the names of those that run again.

        Raises :class:`Conflict` when the run has not ended, has succeeded or has been undone by compensation,
        :class:`NotFound` when it or a result that is needed has expired.
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
        again = [node for node in plan.nodes if node.id not in kept]
        tasks = [
            RevivedTask(
                node.id,
                len(set(node.parents) - kept),
                [
                    *(other.id for other in again if node.id in other.parents),
                    *([self.id] if node.id in plan.ends else []),
                ],
                max(0, node.need - len(kept.intersection(node.parents))),
            )
            if node.id not in kept
            else RevivedTask(node.id, 0, ())
            for node in plan.nodes
        ]
        await client.store.runs.revive(self.id, len(set(plan.ends) - kept), tasks)
        return [node.name for node in again]

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}>"
