"""What callers get to see of graphs and runs."""

from __future__ import annotations

import asyncio
from datetime import datetime

from pydantic import Field

from jobbers.api.task_views import View
from jobbers.api.windows import Next
from jobbers.core.status import Status
from jobbers.flow import Dag
from jobbers.inspector import TaskPage
from jobbers.run import NodeState, RunHandle
from jobbers.store.runs import RUN_TYPE

AT_ONCE = 500
"""For how many nodes of a run a server's event loop waits."""
_ID = Field(examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])


class GraphNode(View):
    """A node of a graph."""

    name: str
    type: str
    after: list[str] = Field(description="The names of the nodes that it waits for.")


class GraphView(View):
    """A graph of tasks."""

    name: str
    parameters: list[str] = Field(description="What each run must give.")
    nodes: list[GraphNode]

    @classmethod
    def of(cls, dag: Dag) -> GraphView:
        """The view of a graph."""
        nodes = [
            GraphNode(name=node.name, type=node.task.name, after=[parent.name for parent in node.parents])
            for node in dag.graph.ordered()
        ]
        return cls(name=dag.name, parameters=list(dag.graph.params), nodes=nodes)


class GraphList(View):
    """The graphs of the app, by name."""

    dags: list[GraphView]
    cursor: Next = None


class RunStarted(View):
    """What became of the start of a run."""

    id: str = _ID
    created: bool = Field(description="False when there was a run of this id already.")


class RunRepeated(View):
    """What runs again."""

    id: str = _ID
    again: list[str] = Field(description="The names of the nodes that run again.")


class Items(View):
    """How far a map is."""

    total: int | None = Field(description="`null`: not known yet.")
    done: int
    open: int = Field(description="How many are under way.")


class RunNode(GraphNode):
    """Where a node of a run stands."""

    id: str = Field(description="Of its task.", examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])
    queue: str
    status: Status | None = Field(description="`null`: its record has expired.")
    reason: str | None
    items: Items | None = Field(description="Of a node that is one task for each item of a list.")
    worker: str | None = Field(description="Where it runs.")
    since: datetime | None = Field(description="Since when it runs.")
    step: str | None = Field(description="What it last said of itself.")
    started: datetime | None = Field(description="When its last attempt began.")
    finished: datetime | None = Field(description="When it ended.")


class RunSummary(View):
    """A run in a list."""

    id: str = _ID
    dag: str
    status: Status
    created: datetime
    finished: datetime | None
    reason: str | None


class RunPage(View):
    """A page of runs; the newest come first."""

    runs: list[RunSummary]
    cursor: str | None = Field(description="Leads to the next page; `null` when that was all.")

    @classmethod
    def of(cls, page: TaskPage) -> RunPage:
        """The view of a page."""
        found = [
            RunSummary(
                id=record.id,
                dag=record.type.removeprefix(RUN_TYPE),
                status=record.status,
                created=record.created,
                finished=record.finished,
                reason=record.reason,
            )
            for record in page.tasks
        ]
        return cls(runs=found, cursor=page.cursor)


class RunView(View):
    """Where a run stands: `blocked` until its tasks have ended."""

    id: str = _ID
    dag: str
    status: Status
    paused: bool = Field(description="Nothing more of it starts.")
    reason: str | None
    created: datetime
    finished: datetime | None
    nodes: list[RunNode]

    @classmethod
    async def of(cls, handle: RunHandle) -> RunView:
        """The view of a run. Raises :class:`NotFound`."""
        nodes = []
        for place, node in enumerate(await handle.nodes()):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            nodes.append(_node(node))
        record = await handle.record()
        return cls(
            id=handle.id,
            dag=record.type.removeprefix(RUN_TYPE),
            status=record.status,
            paused=record.held and not record.status.final,
            reason=record.reason,
            created=record.created,
            finished=record.finished,
            nodes=nodes,
        )


def _node(node: NodeState) -> RunNode:
    items = Items(**node.items._asdict()) if node.items else None
    values = {name: getattr(node, name) for name in _PLAIN}
    return RunNode(**values, after=list(node.after), items=items)


_PLAIN = [name for name in RunNode.model_fields if name not in ("items", "after")]
