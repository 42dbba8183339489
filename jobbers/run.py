"""A run of a workflow, as its submitter holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobbers.core.payload import unpack
from jobbers.core.status import Status
from jobbers.errors import TaskCancelled, TaskFailed
from jobbers.handle import TaskHandle
from jobbers.store.runs import RevivedTask


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where a node of a run is: its name, its task, the task's type and queue, whom it waits for, and how it stands.

    ``status`` is ``None`` when the task's record has expired.
    """

    name: str
    id: str
    type: str
    queue: str
    after: tuple[str, ...]
    status: Status | None
    reason: str | None = None


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
            return unpack(await client.result_bytes(outcome))
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
        return [
            NodeState(
                node.name,
                node.id,
                node.type,
                node.queue,
                tuple(names[parent] for parent in node.parents),
                outcome.status if outcome else None,
                (outcome.reason or None) if outcome else None,
            )
            for node, outcome in zip(plan.nodes, outcomes, strict=True)
        ]

    async def retry(self) -> list[str]:
        """Give a run that failed or was cancelled another life: its nodes that did not succeed run again, each when what it
        waits for has ended; what the others returned is kept. Returns the names of those that run again.

        Raises :class:`Conflict` when the run has not ended or has succeeded, :class:`NotFound` when it or a result that is
        needed has expired.
        """
        nodes = await self.nodes()
        again = [node for node in nodes if node.status is not Status.SUCCEEDED]
        names = {node.name for node in again}
        followers = {node.name: [other.id for other in again if node.name in other.after] for node in nodes}
        ends = {node.name for node in nodes} - {name for node in nodes for name in node.after}
        tasks = [
            RevivedTask(node.id, 0, ())
            if node.name not in names
            else RevivedTask(
                node.id,
                len(names.intersection(node.after)),
                [*followers[node.name], *([self.id] if node.name in ends else [])],
            )
            for node in nodes
        ]
        client = await self._client()
        await client.store.runs.revive(self.id, len(names & ends), tasks)
        return [node.name for node in again]

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}>"
