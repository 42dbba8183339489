"""What callers get to see of queues, task types and workers."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobbers.api.policy_views import nested
from jobbers.api.schemas import QueueText
from jobbers.api.strike_views import StrikeView
from jobbers.api.task_views import View
from jobbers.api.windows import Next, Window
from jobbers.app import Jobbers
from jobbers.core.live_policy import Live
from jobbers.core.policy import Policy
from jobbers.core.queue_rules import LONGEST
from jobbers.errors import ConfigError, NotFound
from jobbers.inspector import Inspector
from jobbers.task_type import TaskType


class QueueView(View):
    """A queue as it stands."""

    name: str
    depth: int = Field(description="How many tasks are ready.")
    oldest_seconds: float = Field(description="How long the oldest of them has been ready.")
    paused: bool
    parked: int = Field(description="How many tasks wait for a limit, a rate, a turn or a breaker.")
    by_priority: dict[int, int] = Field(description="The depth by priority.", examples=[{"5": 12}])
    draining: bool = Field(description="Whether it takes nothing that is submitted.")
    max_length: int | None = Field(description="How many tasks may be ready.")
    when_full: str | None = Field(description="What happens to one more: `refuse` or `drop_oldest`.")


class QueueList(View):
    """All queues."""

    queues: list[QueueView]
    cursor: Next = None


class Pause(View):
    """Whether a queue gives its tasks out."""

    name: str
    paused: bool


class Draining(View):
    """Whether a queue takes nothing that is submitted."""

    name: str
    draining: bool


class Purge(BaseModel):
    """Says once more what is meant, since it cannot be undone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queue: str = Field(description="The name of the queue, once more.")


class Purged(View):
    """How many tasks were cancelled."""

    name: str
    purged: int


class LimitWanted(BaseModel):
    """How many tasks may be ready in a queue."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_length: int | None = Field(ge=1, le=LONGEST, description="`null` for any number.")
    when_full: Literal["refuse", "drop_oldest"] = "refuse"


class Limit(View):
    """What an operator has set; `null` for any number, or for what the code says."""

    name: str
    max_length: int | None
    when_full: str | None


class RouteWanted(BaseModel):
    """Where the tasks of a type are to go."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queue: QueueText


class Route(View):
    """Where the tasks of a type go; `null` where it says."""

    type: str
    queue: str | None


class RouteList(View):
    """All types whose tasks are sent elsewhere."""

    routes: list[Route]
    cursor: Next = None


class RetryView(View):
    """How often and when a failed task runs again; durations in seconds."""

    attempts: int
    backoff: str
    delay: float
    cap: float
    jitter: bool


class PolicyView(View):
    """What a task type fixes for its tasks; durations in seconds."""

    queue: str
    priority: int
    retry: RetryView
    execution: str
    on_shutdown: str
    timeout: float | None
    heartbeat: float | None
    deadline: float | None
    slow_after: float | None
    retention: float
    failed_retention: float


class TaskTypeView(View):
    """A task type that this service can submit."""

    name: str
    description: str = Field(description="What its function's documentation says.")
    policy: PolicyView = Field(description="What its code says.")
    live: dict[str, Any] = Field(
        description="What operators have said in the place of that, by the names of `policy`.",
        examples=[{"timeout": 5, "retry": {"attempts": 1}}],
    )
    parameters: dict[str, Any] | None = Field(
        description="JSON schema of its arguments by name; `null` when its annotations cannot be resolved."
    )

    @classmethod
    def of(cls, task_type: TaskType[Any, Any], live: Live) -> TaskTypeView:
        """The view of a task type, with what was set live about it."""
        try:
            parameters = task_type.signature.json_schema()
        except ConfigError:
            parameters = None
        return cls(
            name=task_type.name,
            description=inspect.getdoc(task_type.function) or "",
            policy=_policy(task_type.coded),
            live=nested(live),
            parameters=parameters,
        )


def _policy(policy: Policy) -> PolicyView:
    retry = policy.retry
    return PolicyView(
        queue=policy.queue,
        priority=policy.priority,
        retry=RetryView(
            attempts=retry.attempts,
            backoff=retry.backoff,
            delay=retry.delay_ms / 1000,
            cap=retry.cap_ms / 1000,
            jitter=retry.jitter,
        ),
        execution=policy.execution,
        on_shutdown=policy.on_shutdown,
        timeout=_seconds(policy.timeout_ms),
        heartbeat=_seconds(policy.heartbeat_ms),
        deadline=_seconds(policy.deadline_ms),
        slow_after=_seconds(policy.slow_ms),
        retention=policy.retention_ms / 1000,
        failed_retention=policy.failed_retention_ms / 1000,
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


class TaskTypeList(View):
    """All task types of this service's app."""

    task_types: list[TaskTypeView]
    cursor: Next = None

    @classmethod
    async def of(cls, app: Jobbers, window: Window | None = None) -> TaskTypeList:
        """Those of an app by name, or only those in a window."""
        known = await (await app.client()).store.policies.look()
        found, cursor = sorted(app.task_types.values(), key=lambda one: one.name), None
        if window is not None:
            found, cursor = window.of(found, lambda one: one.name)
        return cls(task_types=[TaskTypeView.of(one, known.get(one.name, {})) for one in found], cursor=cursor)


class TaskTypeDetails(View):
    """A task type, and what holds for it now."""

    task_type: TaskTypeView
    route: str | None = Field(description="The queue to which an operator sends its tasks; `null`: its own.")
    strikes: list[StrikeView] = Field(description="What of it must not run.")
    outcomes: dict[str, int] = Field(
        description="What became of its tasks.", examples=[{"succeeded": 120, "retried": 3, "failed": 1}]
    )

    @classmethod
    async def of(cls, app: Jobbers, inspector: Inspector, kind: str, minutes: int) -> TaskTypeDetails:
        """A task type as it is now, with what became of its tasks in the last minutes. Raises :class:`NotFound`."""
        found = app.task_types.get(kind)
        if found is None:
            raise NotFound(f"there is no task type {kind[:100]!r} in the app of this service")
        rules, strikes, counted = await asyncio.gather(
            inspector.store.queues.rules(), inspector.strikes(), inspector.stats(minutes)
        )
        outcomes: Counter[str] = Counter()
        for numbers in counted.values():
            for (_, of, outcome), number in numbers.items():
                outcomes[outcome] += number if of == kind else 0
        return cls(
            task_type=TaskTypeView.of(found, rules.policies.get(kind, {})),
            route=rules.routes.get(kind),
            strikes=[StrikeView.of(strike) for strike in strikes if strike.type == kind],
            outcomes={outcome: number for outcome, number in sorted(outcomes.items()) if number},
        )


class SettingsView(View):
    """What a service is set to."""

    version: str
    versions: dict[str, str | None] = Field(
        description="Of Jobbers, Python and what they work with; `null`: not installed.",
        examples=[{"jobbers": "1.0.0", "python": "3.11.7", "uvloop": None}],
    )
    settings: dict[str, str] = Field(description="As text; durations are in seconds, and sizes in bytes.")


class CountsView(View):
    """How many tasks stand where."""

    queued: int
    scheduled: int
    running: int
    dead: int = Field(description="Dead letters.")


class MinuteView(View):
    """What became of tasks within one minute."""

    start: datetime
    outcomes: dict[str, int] = Field(examples=[{"succeeded": 120, "retried": 3, "failed": 1}])


class TypeStatsView(View):
    """What became of the tasks of one type in one queue, in all the minutes that were asked for."""

    type: str
    queue: str
    outcomes: dict[str, int]


class StatsView(View):
    """Numbers of the moment and of the last minutes."""

    now: datetime = Field(description="By the task server's clock.")
    counts: CountsView
    minutes: list[MinuteView] = Field(description="Oldest first; the last one is not over.")
    types: list[TypeStatsView]

    @classmethod
    def of(
        cls, now_ms: int, counts: Mapping[str, int], counted: Mapping[int, Counter[tuple[str, str, str]]]
    ) -> StatsView:
        """The view of what the inspector counted."""
        types: dict[tuple[str, str], Counter[str]] = {}
        minutes = []
        for minute, numbers in sorted(counted.items()):
            outcomes: Counter[str] = Counter()
            for (queue, kind, outcome), number in numbers.items():
                outcomes[outcome] += number
                types.setdefault((kind, queue), Counter())[outcome] += number
            minutes.append(
                MinuteView(start=datetime.fromtimestamp(minute * 60, UTC), outcomes=dict(outcomes))
            )
        return cls(
            now=datetime.fromtimestamp(now_ms / 1000, UTC),
            counts=CountsView.model_validate(dict(counts)),
            minutes=minutes,
            types=[
                TypeStatsView(type=kind, queue=queue, outcomes=dict(outcomes))
                for (kind, queue), outcomes in sorted(types.items())
            ],
        )


class Health(View):
    """That something is well."""

    status: Literal["ok"]
