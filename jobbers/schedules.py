"""Schedules as programs see them: defined in code, or created, listed, paused, resumed, run now and deleted."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar

from jobbers.client import Client, new_id
from jobbers.core.durations import Duration, to_ms
from jobbers.core.ids import unique_tail, with_tail
from jobbers.core.limits import is_shared
from jobbers.core.names import check_name
from jobbers.core.payload import Envelope, Undecodable, encode_arguments, unpack_envelope
from jobbers.core.schedule import Kind, Missed, Overlap, Schedule
from jobbers.core.task import Placement, TaskSpec
from jobbers.core.timing import timing
from jobbers.dag.compose import Call
from jobbers.errors import ConfigError, InvalidInput, NotFound
from jobbers.flow import Dag, DagCall
from jobbers.launch import Launch, prepare, task_type_of
from jobbers.store.schedules import StoredSchedule
from jobbers.store.store import Store
from jobbers.task_type import TaskType

log = logging.getLogger("jobbers.schedules")

SHOWN_SLOTS = 10
MOST_SHOWN_SLOTS = 1_000
OverlapName = Literal["skip", "queue", "cancel", "allow"]
MissedName = Literal["skip", "one", "all"]


Choice = TypeVar("Choice", bound=StrEnum)


class Definition(NamedTuple):
    """A schedule that could be written, and the arguments of what it starts."""

    schedule: Schedule
    envelope: bytes


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule as it stands. ``timing`` is text such as ``0 3 * * * (Europe/Berlin)``; ``next`` is its next slot,
    ``None`` when it is paused or has no more; ``last_id`` the task or run started last; ``waiting`` how many slots wait
    for its end; ``passed`` how many were passed over since it went on. ``cron``, ``tz`` and ``every`` (seconds) are
    the parts of the timing, ``args`` and ``kwargs`` what each start is given."""

    name: str
    timing: str
    kind: str
    target: str
    overlap: str
    missed: str
    jitter: float
    paused: bool
    next: datetime | None
    last: datetime | None
    last_id: str | None
    waiting: int
    started: int
    passed: int
    cron: str | None = None
    tz: str | None = None
    every: float | None = None
    catch_up: int = 100
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Schedules:
    """The schedules of an app; as ``app.schedules``."""

    def __init__(
        self,
        client: Callable[[], Awaitable[Client]],
        task_types: Mapping[str, TaskType[Any, Any]],
        dags: Mapping[str, Dag],
        max_payload: int,
    ) -> None:
        self._client = client
        self._task_types = task_types
        self._dags = dags
        self._max_payload = max_payload
        self.defined: dict[str, Definition] = {}

    def define(self, name: str, target: Call | DagCall, **options: Any) -> None:
        """A schedule in code: workers write it when they start. Takes what :meth:`create` takes.

        Raises :class:`ConfigError` for a name that is taken, and like :meth:`create`.
        """
        if name in self.defined:
            raise ConfigError(
                f"schedule {name!r} is defined already: give one of the two another name, nothing was changed"
            )
        self.defined[name] = self.definition(name, target, **options)

    def definition(
        self,
        name: str,
        target: Call | DagCall,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        tz: str | None = None,
        overlap: OverlapName = "skip",
        missed: MissedName = "one",
        catch_up: int = 100,
        jitter: Duration = 0,
    ) -> Definition:
        """Check a schedule; see :meth:`create`."""
        found = timing(cron, tz, None if every is None else to_ms(every, "every"))
        kind, of, envelope, placement = self._target(target)
        schedule = Schedule(
            name=check_name(name, "the name of a schedule"),
            timing=found,
            kind=kind,
            target=of,
            queue=placement.queue,
            priority=placement.priority,
            deadline_ms=placement.deadline_ms,
            overlap=_choice(Overlap, overlap, "overlap"),
            missed=_choice(Missed, missed, "missed"),
            catch_up=catch_up,
            jitter_ms=to_ms(jitter, "jitter"),
        )
        return Definition(schedule.check(), envelope)

    def _target(self, target: Call | DagCall) -> tuple[Kind, str, bytes, Placement]:
        if isinstance(target, Call):
            task = task_type_of(target.task)
            task.signature.check(target.args, target.kwargs)
            envelope = encode_arguments(task.name, target.args, target.kwargs, None, task.max_payload)
            policy = task.coded  # what is set live comes later, with each start
            placement = Placement(
                task.name, policy.queue, policy.priority, deadline_ms=policy.deadline_ms or 0
            )
            return Kind.TASK, task.name, envelope, placement
        if isinstance(target, DagCall):
            name = target.graph.name
            if name not in self._dags or self._dags[name].graph is not target.graph:
                raise InvalidInput(f"graph {name!r} is none of this app: workers must find it by its name")
            target.prepare(new_id())
            envelope = encode_arguments(name, [], target.params, None, self._max_payload)
            return Kind.DAG, name, envelope, Placement(name, "default", 5)
        raise InvalidInput(f"a schedule starts task.s(…) or dag.call(…), got a {type(target).__name__}")

    async def create(
        self, name: str, target: Call | DagCall, *, replace: bool = False, **options: Any
    ) -> str:
        """Write a schedule; returns ``made``, ``changed`` or ``same``.

        * ``target``: ``task.s(…)`` or ``dag.call(…)``.
        * ``cron`` (with ``tz``, UTC by default), or ``every`` so many seconds, 0.1 or more.
        * ``overlap``: when what the slot before started has not ended: ``skip`` the slot, ``queue`` it until then,
          ``cancel`` what goes on, or ``allow`` both.
        * ``missed``: slots that no worker started in time: ``skip`` them, start ``one`` for all of them, or ``all``, up to
          the newest ``catch_up``.
        * ``jitter``: starts each slot up to so many seconds later, by chance.
        * ``replace``: one of this name may be there. If it is different it is changed, and goes on from now.

        Raises :class:`InvalidInput`, and :class:`Conflict` for a name that is taken; then nothing has changed.
        """
        definition = self.definition(name, target, **options)
        return await self.write((await self._client()).store, definition, replace=replace)

    async def write(self, store: Store, definition: Definition, *, replace: bool) -> str:
        """Write a definition to a store; as :meth:`create`."""
        schedule = definition.schedule
        self._refuse_elsewhere(schedule, definition.envelope, len(store.shards))
        slot = schedule.timing.after(await store.inspect.now_ms())
        return await store.schedules.write(schedule, definition.envelope, slot, replace=replace)

    def _refuse_elsewhere(self, schedule: Schedule, envelope: bytes, shards: int) -> None:
        """What a schedule starts lies in the shard of its name, and what is limited where limits are counted."""
        if unique_tail(schedule.name) % shards == 0:
            return
        if schedule.kind is Kind.TASK:
            limited = is_shared(self.gates_of(schedule, envelope, schedule.queue))
        else:
            limited = self.prepare_run(schedule, envelope, new_id()).limited
        if limited:
            raise InvalidInput(
                f"schedule {schedule.name!r} starts what has limits, and lies in another shard than these: give it another "
                "name"
            )

    async def write_defined(self, store: Store) -> None:
        """Write what the app's code defines. What is just so already keeps its slots, also those missed meanwhile."""
        for name, definition in self.defined.items():
            became = await self.write(store, definition, replace=True)
            if became != "same":
                log.info("schedule %s: %s", name, became)

    async def stored(self, name: str) -> Schedule:
        """The definition of a schedule. Raises :class:`NotFound`."""
        found = await (await self._client()).store.schedules.get(check_name(name, "the name of a schedule"))
        return found.schedule

    async def get(self, name: str) -> ScheduleState:
        """One schedule. Raises :class:`NotFound`."""
        return _state(
            await (await self._client()).store.schedules.get(check_name(name, "the name of a schedule"))
        )

    async def list(self, after: str = "", limit: int | None = None) -> Sequence[ScheduleState]:
        """Schedules by name: up to ``limit`` of them, behind the name ``after``."""
        return [_state(one) for one in await (await self._client()).store.schedules.listed(after, limit)]

    async def page(
        self, after: str, limit: int, wanted: Callable[[Schedule], bool] | None = None
    ) -> tuple[Sequence[ScheduleState], str | None]:
        """The next ``limit`` schedules behind the name ``after``, and the name behind which there are more. A page may be
        short: a schedule whose definition cannot be read is left out, and one that is not ``wanted``."""
        store = (await self._client()).store.schedules
        names = await store.names(after, limit + 1)
        found = await store.some(names[:limit])
        shown = [_state(one) for one in found if wanted is None or wanted(one.schedule)]
        return shown, names[limit - 1] if len(names) > limit else None

    async def upcoming(self, name: str, count: int = SHOWN_SLOTS) -> Sequence[datetime]:
        """The next slots of a schedule, in its own time zone and without jitter; also of one that is paused.

        Raises :class:`NotFound`."""
        if not 1 <= count <= MOST_SHOWN_SLOTS:
            raise InvalidInput(f"how many slots must be from 1 to {MOST_SHOWN_SLOTS:,}, got {count}")
        store = (await self._client()).store
        found = await store.schedules.get(check_name(name, "the name of a schedule"))
        after = await store.inspect.now_ms()
        moments = islice(found.schedule.timing.slots(after), count)
        return [found.schedule.timing.moment(slot) for slot in moments]

    async def pause(self, name: str) -> None:
        """Start nothing more until :meth:`resume`; what runs goes on. Raises :class:`NotFound`."""
        await (await self._client()).store.schedules.pause(check_name(name, "the name of a schedule"))

    async def resume(self, name: str) -> None:
        """Go on from now: the slots of the pause are not made good for. Raises :class:`NotFound`."""
        store = (await self._client()).store
        schedule = (await store.schedules.get(check_name(name, "the name of a schedule"))).schedule
        await store.schedules.resume(schedule, schedule.timing.after(await store.inspect.now_ms()))

    async def delete(self, name: str) -> None:
        """Delete a schedule; what it started goes on. Raises :class:`NotFound`."""
        await (await self._client()).store.schedules.delete(check_name(name, "the name of a schedule"))

    async def run(self, name: str, seed: str | None = None) -> str:
        """Start it once now, besides its slots and whatever runs; returns the id of the task or run. With the same
        ``seed``, an id of your own, it is started once however often this is called.

        Raises :class:`NotFound`.
        """
        client = await self._client()
        found = await client.store.schedules.get(check_name(name, "the name of a schedule"))
        schedule = found.schedule
        task_id = with_tail(seed or new_id(), unique_tail(schedule.name))
        if schedule.kind is Kind.DAG:
            launch = self.prepare_run(schedule, found.envelope, task_id)
            await client.store.runs.launch(*launch)
            return task_id
        placement = Placement(
            schedule.target,
            self.queue_of(schedule, found.envelope),
            schedule.priority,
            deadline_ms=schedule.deadline_ms,
        )
        gates = self.gates_of(schedule, found.envelope, placement.queue)
        return await client.submit_one(TaskSpec(task_id, placement, found.envelope, gates))

    def prepare_run(self, schedule: Schedule, envelope: bytes, run_id: str) -> Launch:
        """The run that a schedule starts. Raises :class:`NotFound` for a graph that this app does not have, and like
        ``submit`` of a graph."""
        dag = self._dags.get(schedule.target)
        if dag is None:
            raise NotFound(f"there is no graph {schedule.target!r} in this app")
        params = dag.graph.load(unpack_envelope(envelope).kwargs)
        return prepare(dag.graph, params, run_id)

    def queue_of(self, schedule: Schedule, envelope: bytes) -> str:
        """The queue of the next task of a schedule: chosen anew where its type spreads over several."""
        task = self._task_types.get(schedule.target)
        if task is None or task.policy.spread is None:
            return schedule.queue
        given = unpack_envelope(envelope)
        return task.choose_queue(task.policy.spread, given.args, given.kwargs)

    def urgency_of(self, schedule: Schedule) -> tuple[int, int]:
        """Priority, and deadline in ms (0: none), of the next task of a schedule: as it was written, but for what operators
        say of its type."""
        task = self._task_types.get(schedule.target)
        live = {} if task is None else task.live
        priority = task.policy.priority if task is not None and "priority" in live else schedule.priority
        if task is not None and "deadline" in live:
            return priority, task.policy.deadline_ms or 0
        return priority, schedule.deadline_ms

    def gates_of(self, schedule: Schedule, envelope: bytes, queue: str) -> str:
        """The gates that the next task of a schedule has to pass."""
        task = self._task_types.get(schedule.target)
        if task is None:
            return ""
        given = unpack_envelope(envelope)
        return task.gates_of(given.args, given.kwargs, Placement(task.name, queue, schedule.priority))


def _choice(choices: type[Choice], value: str, what: str) -> Choice:
    try:
        return choices(value)
    except ValueError:
        listed = ", ".join(repr(str(choice)) for choice in list(choices))
        raise InvalidInput(f"{what} must be one of {listed}, got {str(value)[:40]!r}") from None


def _state(stored: StoredSchedule) -> ScheduleState:
    schedule = stored.schedule
    found = schedule.timing
    try:
        given = unpack_envelope(stored.envelope)
    except Undecodable:
        given = Envelope([], {}, {})
    return ScheduleState(
        name=schedule.name,
        timing=str(schedule.timing),
        kind=schedule.kind.value,
        target=schedule.target,
        overlap=schedule.overlap.value,
        missed=schedule.missed.value,
        jitter=schedule.jitter_ms / 1000,
        paused=stored.paused,
        next=None if stored.paused or stored.slot is None else schedule.timing.moment(stored.slot),
        last=None if stored.last_slot is None else schedule.timing.moment(stored.last_slot),
        last_id=stored.last or None,
        waiting=len(stored.waiting),
        started=stored.started,
        passed=stored.passed,
        cron=found.cron or None,
        tz=found.tz if found.cron else None,
        every=found.every_ms / 1000 if found.every_ms else None,
        catch_up=schedule.catch_up,
        args=given.args,
        kwargs=given.kwargs,
    )
