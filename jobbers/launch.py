"""Makes a graph ready to be launched: every task with its queue, its envelope and what its record says besides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobbers.client import new_id
from jobbers.core import ids
from jobbers.core.lanes import Lane, parse_lane
from jobbers.core.payload import encode_arguments
from jobbers.core.policy import HIGHEST_PRIORITY
from jobbers.core.task import Placement
from jobbers.core.trace_context import RUN_HEADER, inherited
from jobbers.dag.graph import Graph
from jobbers.dag.plan import Plan, Planned, compile_graph
from jobbers.errors import ConfigError
from jobbers.store.maps import MAP_TYPE
from jobbers.store.runs import LaunchedTask, StoredNode, StoredPlan
from jobbers.task_type import TaskType


class Launch(NamedTuple):
    """A run as the store takes it."""

    run_id: str
    envelope: bytes
    plan: StoredPlan
    tasks: list[LaunchedTask]

    @property
    def limited(self) -> bool:
        """Whether one of its tasks has to lie where limits are counted."""
        return any(task.limited for task in self.tasks)


class Startable(ABC):
    """What can be started as a run of its own, or returned by a task that wants it run in its place."""

    @abstractmethod
    def prepare(self, run_id: str) -> Launch:
        """Make a run of it. Raises :class:`InvalidInput` and :class:`InvalidArgument` for what could not run."""


def prepare(graph: Graph, params: Mapping[str, Any], run_id: str, output: Any = None) -> Launch:
    """Make a run of a graph; ``output`` is as for :func:`compile_graph`. Raises like it."""
    tail = ids.tail_of(run_id)
    plan = compile_graph(graph, params, run_id, lambda: ids.with_tail(new_id(), tail), output)
    queues = {planned.id: _queue(planned) for planned in plan.tasks}
    heirs = _heirs(plan, queues)
    first = task_type_of(plan.tasks[0].task)
    traced = (
        inherited.get()
        if first.outbound is None
        else first.outbound.run_headers(plan.name, plan.id, len(plan.tasks))
    )
    headers = {**traced, RUN_HEADER: plan.id}
    tasks = [_launched(headers, planned, queues[planned.id], heirs.get(planned.id)) for planned in plan.tasks]
    limit = first.max_payload
    envelope = encode_arguments(f"run.{plan.name}", [], plan.params, {RUN_HEADER: run_id}, limit)
    nodes = [
        StoredNode(it.id, it.name, task.type, it.parents, parse_lane(task.lane).queue, it.need, it.undoes)
        for it, task in zip(plan.tasks, tasks, strict=True)
    ]
    return Launch(run_id, envelope, StoredPlan(plan.name, nodes, plan.output, plan.ends), tasks)


def task_type_of(task: Any) -> TaskType[..., Any]:
    """A node's task as a task type. Raises :class:`ConfigError` for anything else."""
    if not isinstance(task, TaskType):
        raise ConfigError(f"a {type(task).__name__} is no task type: decorate the function with @app.task")
    return task


def _queue(planned: Planned) -> str:
    task = task_type_of(planned.task)
    spread = task.policy.spread
    if planned.queue or spread is None or planned.mapped:
        return planned.queue or task.policy.queue
    return task.choose_queue(spread, planned.args, planned.kwargs)


def _heirs(plan: Plan, queues: Mapping[str, str]) -> dict[str, Planned]:
    """Who may follow whom on the same worker, by the id of the one before."""
    tasks = {planned.id: planned for planned in plan.tasks}
    heirs: dict[str, Planned] = {}
    for planned in plan.tasks:
        before = tasks[planned.parents[0]] if len(planned.parents) == 1 else None
        if before is None or before.mapped or planned.mapped or planned.undoes or planned.in_place is False:
            continue
        alone = before.then == [planned.id] and queues[planned.id] == queues[before.id]
        if planned.in_place or alone:
            heirs[before.id] = planned
    return heirs


def _launched(headers: Mapping[str, str], planned: Planned, queue: str, heir: Planned | None) -> LaunchedTask:
    task = task_type_of(planned.task)
    extras = (
        planned.extras
        if heir is None
        else planned.extras | {"heir": [heir.id, heir.task.name, heir.in_place]}
    )
    envelope = encode_arguments(task.name, planned.args, planned.kwargs, headers, task.max_payload, extras)
    # A map makes room for its own tasks, so it goes first.
    lane = Lane(queue, HIGHEST_PRIORITY if planned.mapped else task.policy.priority)
    return LaunchedTask(
        planned.id,
        (MAP_TYPE if planned.mapped else "") + task.name,
        str(lane),
        envelope,
        planned.waits,
        planned.then,
        planned.name,
        planned.trigger.value,
        _fields(planned) | _gates(planned, task, queue),
        task.limited_in(queue),
    )


def _gates(planned: Planned, task: TaskType[..., Any], queue: str) -> dict[str, str]:
    """The gates of a task that is called once; a map's are those of its tasks."""
    placement = Placement(task.name, queue, task.policy.priority)
    gates = "" if planned.mapped else task.gates_of(planned.args, planned.kwargs, placement)
    return {"gates": gates} if gates else {}


def _fields(planned: Planned) -> dict[str, str | int]:
    fields: dict[str, str | int] = {
        "need": planned.need,
        "caught": int(planned.caught),
        "undoes": planned.undoes,
        "window": planned.window,
    }
    return {name: value for name, value in fields.items() if value} | (
        {} if planned.enough is None else {"enough": planned.enough}
    )
