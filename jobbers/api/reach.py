"""Which queues a call touches: what callers who are restricted to some are checked against.

A task belongs to the queue that it is in, a run to those of all its nodes, and a schedule to those of what it starts. What
is not theirs is for them as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from jobbers.api.callers import Caller
from jobbers.api.errors import ApiError
from jobbers.api.live.topics import Topic
from jobbers.app import Jobbers
from jobbers.core.schedule import Kind, Schedule
from jobbers.core.task import TaskRecord, TaskSpec
from jobbers.dag.nodes import MapNode, Node
from jobbers.errors import NotFound
from jobbers.flow import Dag
from jobbers.inspector import Inspector, TaskPage
from jobbers.launch import task_type_of
from jobbers.store.maps import MAP_TYPE
from jobbers.store.runs import RUN_TYPE
from jobbers.store.store import Store


async def check_tasks(caller: Caller, inspector: Inspector, task_ids: Sequence[str]) -> None:
    """Raises :class:`NotFound` for the first that is not there for this caller, if they are restricted at all."""
    if caller.queues is None:
        return
    found = await theirs(caller, inspector, task_ids)
    for task_id in task_ids:
        if task_id not in found:
            raise missing(task_id)


async def theirs(caller: Caller, inspector: Inspector, task_ids: Sequence[str]) -> set[str]:
    """Those of these tasks and runs that are there for this caller; for one who is not restricted, all."""
    if caller.queues is None:
        return set(task_ids)
    records = await inspector.store.inspect.records(list(task_ids), brief=True)
    return {it.id for it in records if it is not None and await _is_theirs(caller, inspector.store, it)}


async def check_stand_ins(caller: Caller, store: Store, specs: Sequence[TaskSpec]) -> None:
    """Raises :class:`ApiError` 409 if a task that is not there for this caller would stand for one of these, by its id or a
    key: they would hear of it, and a debounce would even take it over."""
    if caller.queues is None or not specs:
        return
    found = await store.tasks.stand_ins(specs)
    ids = list({task_id for some in found for task_id in some})
    records = [it for it in await store.inspect.records(ids, brief=True) if it is not None]
    foreign = {it.id: it.status for it in records if not await _is_theirs(caller, store, it)}
    for spec, some in zip(specs, found, strict=True):
        # An id counts for as long as there is a record, and a key that lasts; else who has ended stands for nobody.
        for_ever = spec.placement.unique_scope == "time"
        if any(it in foreign and (it == spec.id or for_ever or not foreign[it].final) for it in some):
            raise not_theirs(caller)


def not_theirs(caller: Caller) -> ApiError:
    """What is said when another's task stands for one that was submitted."""
    return ApiError(
        409,
        "conflict",
        "another task has this id, or the key by which it is unique, debounced or throttled, and you are restricted to the "
        f"queues {', '.join(sorted(caller.queues or ()))}: choose another",
    )


async def _is_theirs(caller: Caller, store: Store, record: TaskRecord) -> bool:
    if not record.type.startswith(RUN_TYPE):
        return caller.may_use([record.queue])
    try:
        plan = await store.runs.plan(record.id)
    except NotFound:
        return False
    return caller.may_use([node.queue for node in plan.nodes])


async def their_runs(caller: Caller, app: Jobbers, page: TaskPage) -> TaskPage:
    """A page of runs without those that :func:`check_run` does not let this caller see."""
    if caller.queues is None:
        return page
    touched = await (await app.client()).store.runs.touched(page.tasks)
    theirs = {run_id for run_id, it in touched.items() if caller.may_use(it.queues | _spread(app, it.types))}
    return TaskPage([run for run in page.tasks if run.id in theirs], page.cursor)


async def check_run(caller: Caller, app: Jobbers, inspector: Inspector, run_id: str) -> None:
    """Raises :class:`NotFound` unless the run is there for this caller, :class:`ApiError` 403 if a map of it spreads over
    queues that are not theirs."""
    if caller.queues is None:
        return
    await check_tasks(caller, inspector, [run_id])
    plan = await inspector.store.runs.plan(run_id)
    caller.check_queues(_spread(app, [node.type for node in plan.nodes]))


async def check_topic(caller: Caller, app: Jobbers, topic: Topic) -> None:
    """Raises :class:`ApiError` 403 unless all that a topic tells is of this caller's queues, and :class:`NotFound` for a
    task or run that is not there for them."""
    if caller.queues is None:
        return
    inspector = await app.inspector()
    match topic.kind:
        case "tasks" | "ended" | "groups" if topic.queue is not None:
            caller.chosen_queue(topic.queue)
        case "task" | "logs":
            await check_tasks(caller, inspector, [topic.name])
        case "run":
            await check_run(caller, app, inspector, topic.name)
        case _:
            caller.check_queues(
                [""],
                f"of topics you may have tasks, ended and groups with ?queue=, task, logs and run, not {topic.text!r}: ",
            )


def check_graph(caller: Caller, dag: Dag) -> None:
    """Raises :class:`ApiError` 403 unless every queue that a node of this graph's runs could go to is this caller's."""
    if caller.queues is None:
        return
    for node in dag.graph.nodes:
        queues = _queues_of(node)
        caller.check_queues(queues, f"node {node.name!r} goes to {', '.join(sorted(queues))}: ")


def _queues_of(node: Node) -> set[str]:
    """All over which its type spreads, unless it names one: another start may choose another."""
    policy = task_type_of(node.task).policy
    found = {node.queue} if node.queue else set(policy.queues)
    if isinstance(node, MapNode) and policy.spread is not None:
        found.update(policy.queues)  # only the worker knows where each item goes
    return found


def check_schedule(caller: Caller, app: Jobbers, schedule: Schedule) -> None:
    """Raises :class:`ApiError` 403 unless all that a schedule starts is theirs, and :class:`NotFound` for one of a graph
    that this app does not have."""
    if caller.queues is None:
        return
    if schedule.kind is Kind.DAG:
        check_graph(caller, app.find_dag(schedule.target))
        return
    task = app.task_types.get(schedule.target)
    spread = task.policy.queues if task is not None and task.policy.spread is not None else ()
    caller.check_queues([schedule.queue, *spread])


async def check_schedule_named(caller: Caller, app: Jobbers, name: str) -> None:
    """Raises :class:`NotFound`, and like :func:`check_schedule`."""
    if caller.queues is not None:
        check_schedule(caller, app, await app.schedules.stored(name))


def their_schedules(caller: Caller, app: Jobbers) -> Callable[[Schedule], bool]:
    """Tells which schedules :func:`check_schedule` lets this caller see. A graph is looked at once for all of them."""
    graphs: dict[str, bool] = {}

    def fits(schedule: Schedule) -> bool:
        try:
            check_schedule(caller, app, schedule)
        except (ApiError, NotFound):
            return False
        return True

    def theirs(schedule: Schedule) -> bool:
        if schedule.kind is not Kind.DAG:
            return fits(schedule)
        if schedule.target not in graphs:
            graphs[schedule.target] = fits(schedule)
        return graphs[schedule.target]

    return theirs


def missing(task_id: str) -> NotFound:
    """What is said of a task that is not there, or not there for this caller."""
    return NotFound(f"there is no task {task_id}: it never was, or its record has expired")


def _spread(app: Jobbers, types: Iterable[str]) -> set[str]:
    """The queues over which types spread: of the items of a map only the worker knows where each goes."""
    found: set[str] = set()
    for name in types:
        task = app.task_types.get(name.removeprefix(MAP_TYPE))
        if name.startswith(MAP_TYPE) and task is not None and task.policy.spread is not None:
            found.update(task.policy.queues)
    return found
