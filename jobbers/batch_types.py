"""How the decorator of batches is typed: from a function that takes a list to a task type that takes an item.

    @app.task(batch=Batch(size=100))
    async def store(events: list[Event]) -> list[int | Exception]: ...

    await store.submit(event)       # Event, not list[Event]; gives a TaskHandle[int]
    await store.map(events)         # one task for each Event

The function takes exactly one parameter, annotated ``list[X]``. It returns a list with one entry an item, in their order,
or ``None``. Write ``list[R | Exception]`` where an entry may be an exception, and then just ``Exception``: type checkers
take it away from what a handle promises, and would keep a ``ValueError`` there.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict, TypeVar, overload

from jobbers.core.durations import Duration
from jobbers.core.limits import Breaker, Fair, Key, Limit, Rate
from jobbers.core.policy import Debounce, Retry, Throttle, Unique
from jobbers.core.spread import Spread
from jobbers.task_type import TaskType

T = TypeVar("T")
R = TypeVar("R")


class BatchOptions(TypedDict, total=False):
    """What :meth:`Jobbers.task` takes beside ``batch``; ``process`` is not among it."""

    name: str | None
    queue: str | Spread
    priority: int
    retry: Retry | int | None
    timeout: Duration | None
    heartbeat: Duration | None
    deadline: Duration | None
    slow_after: Duration | None
    on_shutdown: Literal["requeue", "fail", "finish"]
    retention: Duration | None
    failed_retention: Duration | None
    telemetry: str | float
    keep_logs: bool | None
    limits: Sequence[Limit]
    rates: Sequence[Rate]
    fair_by: Key | Fair | None
    breaker: Breaker | None
    unique: Unique | None
    singleton: bool
    debounce: Debounce | None
    throttle: Throttle | None
    extras: Mapping[str, Any] | None


class BatchDecorator(Protocol):
    """What ``@app.task(batch=...)`` returns. Called here and now, a task type of a batch still takes the list."""

    @overload
    def __call__(
        self, function: Callable[[list[T]], Coroutine[Any, Any, None]], /
    ) -> TaskType[[T], None]: ...
    @overload
    def __call__(
        self, function: Callable[[list[T]], Coroutine[Any, Any, list[R | Exception]]], /
    ) -> TaskType[[T], R]: ...
    @overload
    def __call__(
        self, function: Callable[[list[T]], Coroutine[Any, Any, list[R]]], /
    ) -> TaskType[[T], R]: ...
    @overload
    def __call__(self, function: Callable[[list[T]], None], /) -> TaskType[[T], None]: ...
    @overload
    def __call__(self, function: Callable[[list[T]], list[R | Exception]], /) -> TaskType[[T], R]: ...
    @overload
    def __call__(self, function: Callable[[list[T]], list[R]], /) -> TaskType[[T], R]: ...
