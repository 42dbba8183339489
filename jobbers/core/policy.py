"""The policies of a task type: frozen values and pure arithmetic."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from jobbers.core.batch import Batch
from jobbers.core.durations import Duration, to_ms, to_optional_ms
from jobbers.core.granularity import AUTO, Granularity
from jobbers.core.names import check_name
from jobbers.core.signals import Signal
from jobbers.core.spread import Spread
from jobbers.errors import ConfigError, InvalidInput

Backoff = Literal["fixed", "linear", "exponential"]
KeyOf = str | Callable[[Mapping[str, Any]], Any] | None
"""Of a key: a text, or a function of all arguments by name; ``None``: one key for the task type."""
ExceptionTypes = type[BaseException] | tuple[type[BaseException], ...]

LOWEST_PRIORITY = 0
HIGHEST_PRIORITY = 9
DEFAULT_PRIORITY = 5
_NEVER_OVERFLOW = 40  # 2**40 times any base is beyond every cap


class Retry(Signal):
    """How often and when a failed task runs again; also what a task raises to ask for just that.

    As a policy, ``@app.task(retry=Retry(attempts=5))``:

    * ``attempts``: executions in all, the first included.
    * ``backoff``: ``"fixed"`` waits ``delay`` each time, ``"linear"`` n times ``delay``, ``"exponential"``
      ``delay`` times 2 to the power n-1, where n counts failures. No wait exceeds ``cap``.
    * ``jitter``: ``True`` draws the wait uniformly between zero and that value ("full jitter", as in
      M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015).
    * ``on``: only these exceptions are retried; ``never``: these are not, even if ``on`` names a base class.

    As a signal, ``raise Retry(after=30)`` runs the task again in 30 seconds, and ``raise Retry()`` by its policy's
    backoff; both use an attempt. A type without a policy goes by the signal's own. Durations are seconds or timedeltas.
    """

    def __init__(
        self,
        attempts: int = 3,
        *,
        backoff: Backoff = "exponential",
        delay: Duration = 1.0,
        cap: Duration = 600.0,
        jitter: bool = True,
        on: ExceptionTypes = Exception,
        never: ExceptionTypes = (),
        after: Duration | None = None,
    ) -> None:
        super().__init__("the task asked to be retried")
        if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
            raise InvalidInput(f"Retry needs attempts of 1 or more, got {attempts!r}")
        if backoff not in ("fixed", "linear", "exponential"):
            raise InvalidInput(f"backoff must be 'fixed', 'linear' or 'exponential', got {backoff!r}")
        self.attempts = attempts
        self.backoff = backoff
        self.delay_ms = to_ms(delay, "the delay of Retry")
        self.cap_ms = to_ms(cap, "the cap of Retry")
        self.jitter = jitter
        self.on = on
        self.never = never
        self.after_ms = None if after is None else to_ms(after, "after")

    def covers(self, error: BaseException) -> bool:
        """Whether an attempt that ended with ``error`` may be repeated."""
        return isinstance(error, self.on) and not isinstance(error, self.never)

    def wait_ms(self, failures: int, chance: float) -> int:
        """The wait after the ``failures``-th failure (1 or more); ``chance`` is uniform in [0, 1)."""
        if self.backoff == "fixed":
            wait = self.delay_ms
        elif self.backoff == "linear":
            wait = self.delay_ms * failures
        else:
            wait = self.delay_ms << min(failures - 1, _NEVER_OVERFLOW)
        wait = min(wait, self.cap_ms)
        return int(wait * chance) if self.jitter else wait


NO_RETRY = Retry(attempts=1)


class OnShutdown(StrEnum):
    """What becomes of a task that still runs when its worker's grace time is over."""

    REQUEUE = "requeue"
    FAIL = "fail"
    FINISH = "finish"


class Execution(StrEnum):
    """Where a task's function runs: on the event loop, in a thread, or in a process of its own pool."""

    ASYNC = "async"
    THREAD = "thread"
    PROCESS = "process"


def execution_of(function: Callable[..., Any], process: bool) -> Execution:
    """Where a function runs. Raises :class:`ConfigError`."""
    if inspect.iscoroutinefunction(function):
        if process:
            raise ConfigError("process=True is for plain functions: an async function runs on the event loop")
        return Execution.ASYNC
    return Execution.PROCESS if process else Execution.THREAD


class UniqueUntil(StrEnum):
    """How long a unique key is held."""

    STARTED = "started"
    FINISHED = "finished"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique key and its scope: until the task started, until it finished (default), or for a time.

    ``key`` in a submission is the key itself, and in a decorator the name of the parameter whose value is the key; in both
    it can be a function of all arguments by name. ``None``: one key for the task type. ``until`` is ``"started"``,
    ``"finished"`` or a duration in seconds (or a timedelta) from the submission on.
    """

    key: KeyOf
    until: Literal["started", "finished"] | Duration = "finished"

    @property
    def scope(self) -> UniqueUntil:
        """The kind of scope."""
        return UniqueUntil(self.until) if isinstance(self.until, str) else UniqueUntil.TIME

    @property
    def ttl_ms(self) -> int:
        """How long the key is held, in ms; 0 when the scope is no time."""
        if isinstance(self.until, str):
            return 0
        return to_optional_ms(self.until, "the time of a unique key") or 0


@dataclass(frozen=True, slots=True)
class Debounce:
    """Run once it is quiet: ``Debounce(5, key="user_id")``.

    The first submission makes a task that is due in ``wait``. While it waits, each further submission with the same key
    puts it off until ``wait`` from then, and gives it its own arguments, headers, queue and priority: the last one wins.
    It is never put off beyond ``max_wait`` after the first. All submissions get the handle of that one task. Durations are
    seconds or timedeltas. ``key`` is the name of a parameter, or a function of all arguments by name; by default all tasks
    of the type share one.
    """

    wait: Duration
    key: KeyOf = None
    max_wait: Duration | None = None

    def __post_init__(self) -> None:
        if self.wait_ms > self.max_wait_ms > 0:
            raise InvalidInput(
                f"max_wait of Debounce must not be shorter than wait, got {self.max_wait} and {self.wait}"
            )

    @property
    def wait_ms(self) -> int:
        """How long it must be quiet."""
        return to_optional_ms(self.wait, "the wait of Debounce") or 0

    @property
    def max_wait_ms(self) -> int:
        """The longest wait of all; 0 when there is none."""
        return to_optional_ms(self.max_wait, "the max_wait of Debounce") or 0


@dataclass(frozen=True, slots=True)
class Throttle:
    """Run at most once in a period: ``Throttle(60, key="user_id")``.

    The first submission with a key is taken, and begins a period; the others of that period make no task and get the handle
    of the first. With ``trailing=True`` they make one task besides, which runs at the end of the period with what the last
    of them said, and begins the next period. ``period`` is in seconds or a timedelta; ``key`` as for :class:`Debounce`.
    """

    period: Duration
    key: KeyOf = None
    trailing: bool = False

    def __post_init__(self) -> None:
        _ = self.period_ms  # refuses one that is none

    @property
    def period_ms(self) -> int:
        """How long a period is."""
        return to_optional_ms(self.period, "the period of Throttle") or 0


Keyed = Unique | Debounce | Throttle
"""What becomes of a second task with the same key."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that a task type fixes for its tasks, validated and in ms.

    ``timeout_ms`` bounds one execution, ``heartbeat_ms`` the silence between two heartbeats, ``deadline_ms`` the time
    from submission to start; ``slow_ms`` is when a healthy execution begins to count as slow.
    Without a ``spread`` over several queues all tasks go to ``queue``, which is else the first of them.
    Where there is ``breaker_on``, only these exceptions are failures to the type's breaker.
    With a ``batch`` the function takes many tasks at once; timeout and heartbeat are then those of the batch.
    ``per_worker`` bounds its executions in one worker. ``retention_ms`` and ``failed_retention_ms`` say how long records of
    succeeded (or cancelled) and failed tasks stay. ``keep_logs`` is ``None`` where the setting of that name decides.
    """

    queue: str
    priority: int
    retry: Retry
    execution: Execution
    on_shutdown: OnShutdown
    timeout_ms: int | None
    heartbeat_ms: int | None
    deadline_ms: int | None
    slow_ms: int | None
    retention_ms: int
    failed_retention_ms: int
    spread: Spread | None = None
    telemetry: Granularity = AUTO
    keep_logs: bool | None = None
    per_worker: int | None = None
    batch: Batch | None = None
    keyed: Keyed | None = None
    breaker_on: ExceptionTypes | None = None

    @property
    def queues(self) -> Sequence[str]:
        """All queues that its tasks may go to."""
        return (self.queue,) if self.spread is None else self.spread.queues

    def __post_init__(self) -> None:
        check_name(self.queue, "the queue")
        check_priority(self.priority)
        if self.batch is not None:
            self._check_batch(self.batch)

    def _check_batch(self, batch: Batch) -> None:
        if self.execution is Execution.PROCESS:
            raise ConfigError(
                "batch= is for functions on the event loop and in threads: leave process=True out"
            )
        if self.heartbeat_ms is not None and self.heartbeat_ms <= batch.linger_seconds * 1000:
            raise ConfigError("the linger of a batch must be shorter than the heartbeat of its tasks")


def check_priority(value: object) -> int:
    """Return ``value`` if it is a priority from 0 (last) to 9 (first). Raises :class:`InvalidInput`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not LOWEST_PRIORITY <= value <= HIGHEST_PRIORITY
    ):
        raise InvalidInput(f"priority must be a whole number from 0 (last) to 9 (first), got {value!r}")
    return value
