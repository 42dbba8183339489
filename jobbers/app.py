"""The app: holds the registry of task types and opens the store. Programs make one at module level."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, Unpack, overload

from jobbers.access import Access
from jobbers.batch_types import BatchDecorator, BatchOptions
from jobbers.core.batch import Batch
from jobbers.core.durations import Duration, to_optional_ms
from jobbers.core.granularity import (
    AUTO,
    Granularity,
    Overrides,
    idle,
    overridden,
    parse_granularity,
    parse_overrides,
)
from jobbers.core.ids import check_id
from jobbers.core.keyed import check_key, only_one
from jobbers.core.limits import Breaker, Fair, Key, Limit, Rate
from jobbers.core.names import check_name
from jobbers.core.policy import (
    DEFAULT_PRIORITY,
    NO_RETRY,
    Debounce,
    OnShutdown,
    Policy,
    Retry,
    Throttle,
    Unique,
    execution_of,
)
from jobbers.core.queue_rules import WhenFull, check_limit
from jobbers.core.roles import Role, RoleLike, make_role
from jobbers.core.spread import Spread
from jobbers.dag.compose import Call
from jobbers.dag.text import loads
from jobbers.errors import ConfigError, NotFound, UnknownTaskType
from jobbers.flow import Dag, DagCall
from jobbers.handle import TaskHandle
from jobbers.limits import gates_of, per_worker
from jobbers.live_granularity import LiveGranularity
from jobbers.middleware import Middleware
from jobbers.roles import LiveRoles
from jobbers.run import RunHandle
from jobbers.schedules import MissedName, OverlapName, Schedules
from jobbers.settings import Settings, load_settings, telemetry_of
from jobbers.store.blobs import BlobStore
from jobbers.sync import SyncPortal
from jobbers.task_type import TaskType
from jobbers.telemetry.ports import Telemetry, count, start

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """What ``@app.task(...)`` returns: takes an async or a plain function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskType[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskType[P, R]: ...


class Jobbers(Access):
    """An application: task types and the server that holds their tasks.

    ``redis_url`` is a URL or ``"embedded"``; ``roles`` names sets of queues that workers can be started for:
    ``{"post": ["mail", "news"]}``, or with weights ``{"post": {"mail": 3, "news": 1}}``; they can be changed live. What is
    not given comes from ``JOBBERS_…`` variables, then from the defaults of :class:`jobbers.settings.Settings`. Nothing is
    opened before it is needed. One app may be used from several event loops: each has a connection of its own. Raises
    :class:`ConfigError`.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        namespace: str | None = None,
        shards: int | None = None,
        roles: Mapping[str, RoleLike] | None = None,
        blobs: BlobStore | None = None,
        settings: Settings | None = None,
        **more: Any,
    ) -> None:
        given = {"redis_url": redis_url, "namespace": namespace, "shards": shards, **more}
        super().__init__(settings or load_settings(given), blobs)
        self.roles: dict[str, Role] = {
            check_name(name, "the role"): make_role(queues) for name, queues in (roles or {}).items()
        }
        self.dags: dict[str, Dag] = {}
        self.schedules = Schedules(self.client, self.task_types, self.dags, self.settings.max_payload)
        self.middleware: list[Middleware] = []
        self.sync = SyncPortal(self.client, self.inspector)
        self.telemetry: Telemetry | None = None
        self._overrides = parse_overrides(self.settings.telemetry_types)
        self._live: Overrides = ()
        configuration = telemetry_of(self.settings)
        if configuration is not None:
            self.telemetry = start(configuration, self.events, self._granularity_of)
            self.on_granularity = self._follow_granularity
        elif self.settings.metrics_listen:
            self.telemetry = count(self.events)

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskType[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> TaskType[P, R]: ...
    @overload
    def task(
        self,
        *,
        name: str | None = None,
        queue: str | Spread = "default",
        priority: int = DEFAULT_PRIORITY,
        retry: Retry | int | None = None,
        timeout: Duration | None = None,
        heartbeat: Duration | None = None,
        deadline: Duration | None = None,
        slow_after: Duration | None = None,
        process: bool = False,
        unique: Unique | None = None,
        singleton: bool = False,
        debounce: Debounce | None = None,
        throttle: Throttle | None = None,
        on_shutdown: Literal["requeue", "fail", "finish"] = "requeue",
        retention: Duration | None = None,
        failed_retention: Duration | None = None,
        telemetry: str | float = "auto",
        keep_logs: bool | None = None,
        limits: Sequence[Limit] = (),
        rates: Sequence[Rate] = (),
        fair_by: Key | Fair | None = None,
        breaker: Breaker | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> Decorator: ...
    @overload
    def task(self, *, batch: Batch, **options: Unpack[BatchOptions]) -> BatchDecorator: ...
    def task(self, *function: Any, **options: Any) -> Any:
        """Make a task type of an async or a plain function; ``@app.task`` or ``@app.task(...)``.

        Async functions run on the worker's event loop, plain ones in threads, and with ``process=True`` in processes of
        their own. Durations are seconds or timedeltas.

        * ``name``: what the task is called in the store; the function's own name by default.
        * ``queue``, ``priority``: where its tasks go; 0 is last and 9 first. Instead of one queue a :class:`RoundRobin`,
          :class:`HashBy` or :class:`Random` over several.
        * ``retry``: a :class:`Retry`, or a number of attempts; one attempt by default.
        * ``timeout``: of one execution. ``heartbeat``: longest silence between heartbeats. ``deadline``: longest wait
          from submission to start. ``slow_after``: when a running task counts as slow.
        * ``unique``, ``singleton``, ``debounce``, ``throttle``: what becomes of a second task; see ``docs/keys.md``.
        * ``on_shutdown``: what becomes of a running task when its worker's grace time ends.
        * ``retention``, ``failed_retention``: how long its records stay.
        * ``telemetry``: which attempts get a span: ``"auto"``, ``"always"``, a ratio, ``"slow:500ms"``, ``"errors"``,
          ``"batch"`` or ``"off"``; see ``docs/telemetry.md``.
        * ``keep_logs``: whether what its tasks log is kept with their records; by default the setting of that name says.
        * ``limits``, ``rates``: how many may run at a time or start in a time, each a :class:`Limit` or :class:`Rate`.
        * ``fair_by``: a parameter (or a :class:`Fair`) over whose values claims take turns.
        * ``breaker``: a :class:`Breaker`: tasks wait while most attempts fail.
        * ``batch``: a :class:`Batch`; the function takes a list of what single tasks carry, see ``docs/batches.md``.
        * ``extras``: options of your own middleware.

        Raises :class:`ConfigError` for a name that is taken, :class:`InvalidInput` for a policy that makes no sense.
        """
        if function:
            return self._register(*function, **options)
        return lambda function: self._register(function, **options)

    def _register(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        queue: str | Spread = "default",
        priority: int = DEFAULT_PRIORITY,
        retry: Retry | int | None = None,
        timeout: Duration | None = None,
        heartbeat: Duration | None = None,
        deadline: Duration | None = None,
        slow_after: Duration | None = None,
        process: bool = False,
        unique: Unique | None = None,
        singleton: bool = False,
        debounce: Debounce | None = None,
        throttle: Throttle | None = None,
        on_shutdown: str = "requeue",
        retention: Duration | None = None,
        failed_retention: Duration | None = None,
        telemetry: str | float = "auto",
        keep_logs: bool | None = None,
        limits: Sequence[Limit] = (),
        rates: Sequence[Rate] = (),
        fair_by: Key | Fair | None = None,
        breaker: Breaker | None = None,
        batch: Batch | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> TaskType[Any, Any]:
        chosen = str(name or getattr(function, "__name__", ""))
        gates = gates_of(chosen, f"task {chosen!r}", limits, rates, fair_by, breaker)
        spread = None if isinstance(queue, str) else queue
        policy = Policy(
            queue=queue if isinstance(queue, str) else queue.queues[0],
            spread=spread,
            priority=priority,
            retry=NO_RETRY if retry is None else Retry(retry) if isinstance(retry, int) else retry,
            execution=execution_of(function, process),
            on_shutdown=OnShutdown(on_shutdown),
            timeout_ms=to_optional_ms(timeout, "timeout"),
            heartbeat_ms=to_optional_ms(heartbeat, "heartbeat"),
            deadline_ms=to_optional_ms(deadline, "deadline"),
            slow_ms=to_optional_ms(slow_after, "slow_after"),
            retention_ms=to_optional_ms(retention, "retention") or self.settings.retention_ms,
            failed_retention_ms=to_optional_ms(failed_retention, "failed_retention")
            or self.settings.failed_retention_ms,
            telemetry=overridden(self._overrides, chosen) or parse_granularity(telemetry),
            keep_logs=keep_logs,
            per_worker=per_worker(limits),
            batch=batch,
            keyed=check_key(chosen, function, only_one(unique, singleton, debounce, throttle)),
            breaker_on=breaker.on if breaker is not None else None,
        )
        task_type: TaskType[Any, Any] = TaskType(
            function, chosen, policy, self.client, self.settings.max_payload, dict(extras or {})
        )
        task_type.gates, task_type.gates_of_queues = gates, self.limits.of_queues
        return self._enter(task_type)

    def _enter(self, task_type: TaskType[Any, Any]) -> TaskType[Any, Any]:
        if task_type.name in self.task_types:
            raise ConfigError(
                f"task type {task_type.name!r} is registered already: give one of the two another name="
            )
        if self.telemetry is not None:
            task_type.outbound = self.telemetry.outbound
            task_type.telemetry = overridden(self._live, task_type.name) or task_type.telemetry
        self.policies.entered(task_type)
        self.limits.define(task_type.gates)
        self.breakers.define(task_type.gates)
        self.task_types[task_type.name] = task_type
        return task_type

    def idle_overrides(self) -> list[str]:
        """The patterns of the setting ``telemetry_types`` that fit no task type."""
        return idle(self._overrides, self.task_types)

    def _granularity_of(self, name: str) -> Granularity:
        task_type = self.task_types.get(name)
        return AUTO if task_type is None else task_type.telemetry

    def _follow_granularity(self, live: Overrides) -> None:
        """Operators have changed how much telemetry types make; ``live`` goes before what settings and code say."""
        self._live = live
        for task_type in self.task_types.values():
            task_type.telemetry = overridden(live, task_type.name) or task_type.policy.telemetry

    def queue(
        self,
        name: str,
        *,
        max_length: int | None = None,
        when_full: WhenFull = "refuse",
        limits: Sequence[Limit] = (),
        rates: Sequence[Rate] = (),
        fair_by: Key | Fair | None = None,
    ) -> None:
        """What holds for all tasks of a queue, whatever their type. Written when the app is opened or workers start; what
        operators set live goes before.

        * ``max_length``: how many ready tasks it may have. One more is refused, as :class:`QueueFull`; with ``when_full``
          ``"drop_oldest"`` the oldest becomes a dead letter.
        * ``limits``, ``rates``, ``fair_by``: as for :meth:`task`.

        Raises :class:`ConfigError` for a queue that was described before, :class:`InvalidName`, :class:`InvalidInput`.
        """
        self.limits.define_queue(check_name(name, "the queue"), limits, rates, fair_by)
        if max_length is not None:
            self.queue_limits[name] = check_limit(max_length, when_full)

    def dag(self, name: str, *, deadline: Duration | None = None) -> Dag:
        """A new graph of tasks under a name; build it with ``node`` and run it with ``submit``. A run that has not ended
        within ``deadline`` (seconds or timedelta) fails, and what is left of it is cancelled.

        Raises :class:`ConfigError` for a name that is taken, :class:`InvalidName`, :class:`InvalidInput`.
        """
        if name in self.dags:
            raise ConfigError(f"dag {name!r} is registered already: give one of the two another name")
        dag = self.dags[name] = Dag(name, self.client, to_optional_ms(deadline, "deadline") or 0)
        return dag

    def graph(self, function: Callable[..., Any]) -> Dag:
        """A graph that a function builds, under its name: ``@app.graph`` above ``def etl(dag, url): …``; see
        :meth:`Dag.build`. Raises like :meth:`dag`."""
        return self.dag(function.__name__).build(function)

    def load_dag(self, text: str, *, deadline: Duration | None = None) -> Dag:
        """A graph that is written as JSON or YAML (docs/workflows-text.md), registered like one of :meth:`dag`.

        Raises :class:`InvalidInput` naming the place in the text, and like :meth:`dag`; :class:`ConfigError` for YAML
        where PyYAML is not installed.
        """
        graph = loads(text, self.find)
        dag = self.dag(graph.name, deadline=deadline)
        dag.graph = graph
        return dag

    def schedule(
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
    ) -> None:
        """Start ``task.s(…)`` or ``dag.call(…)`` again and again: workers write the schedule when they start. A changed one
        takes the place of what was written; one that is taken out of the code stays until it is deleted.

        What the options mean stands at :meth:`jobbers.schedules.Schedules.create`. Raises :class:`ConfigError` for a name
        that is taken, :class:`InvalidInput`.
        """
        self.schedules.define(
            name,
            target,
            cron=cron,
            every=every,
            tz=tz,
            overlap=overlap,
            missed=missed,
            catch_up=catch_up,
            jitter=jitter,
        )

    def find(self, name: str) -> TaskType[Any, Any]:
        """The task type of that name. Raises :class:`UnknownTaskType`."""
        try:
            return self.task_types[name]
        except KeyError:
            known = ", ".join(sorted(self.task_types)) or "none"
            raise UnknownTaskType(
                f"there is no task type {name[:100]!r} in this app (it has: {known})"
            ) from None

    def find_dag(self, name: str) -> Dag:
        """The graph of that name. Raises :class:`NotFound`."""
        try:
            return self.dags[name]
        except KeyError:
            known = ", ".join(sorted(self.dags)) or "none"
            raise NotFound(f"there is no graph {name[:100]!r} in this app (it has: {known})") from None

    def handle(self, task_id: str) -> TaskHandle[Any]:
        """The handle of a task that was submitted before. Raises :class:`InvalidId`."""
        return TaskHandle(check_id(task_id), self.client)

    def run(self, run_id: str) -> RunHandle:
        """The handle of a run that was submitted before. Raises :class:`InvalidId`."""
        return RunHandle(check_id(run_id), self.client)

    async def live_roles(self) -> LiveRoles:
        """Which role serves which queues, and changes of it while workers run, for the running event loop."""
        return LiveRoles((await self.client()).store, self.roles, self.type_queues())

    async def live_granularity(self) -> LiveGranularity:
        """How much telemetry types make, and changes of it while workers run, for the running event loop."""
        return LiveGranularity((await self.client()).store.granularity, self.task_types)

    def type_queues(self) -> set[str]:
        """The queues to which the registered task types send."""
        return {queue for it in self.task_types.values() for queue in it.policy.queues}

    def result_seconds(self) -> float:
        """How long a result of any of its task types may be wanted."""
        kept = [self.settings.retention_ms]
        for it in self.task_types.values():
            kept += (it.policy.retention_ms, it.coded.retention_ms)
        return max(kept) / 1000

    def queues_of(self, role: str | None = None) -> list[str]:
        """The queues of a role; without one, those of the registered task types. Raises :class:`ConfigError`."""
        if role is None:
            return sorted(self.type_queues() | {"default"})
        try:
            return list(self.roles[role].queues)
        except KeyError:
            known = ", ".join(sorted(self.roles)) or "none"
            raise ConfigError(f"there is no role {role[:100]!r} in this app (it has: {known})") from None

    def __repr__(self) -> str:
        return f"<Jobbers {self.settings.namespace}>"
