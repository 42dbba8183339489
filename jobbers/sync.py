"""For plain code without a loop of its own (Django views, scripts): an event loop in a thread of its own."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Generic, ParamSpec, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from jobbers.client import Client
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.core.why_facts import Why
from jobbers.handle import Progress, TaskHandle
from jobbers.inspector import Inspector
from jobbers.task_type import Submitter, TaskType

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncHandle(Generic[R]):
    """A :class:`TaskHandle` whose methods block."""

    def __init__(self, handle: TaskHandle[R], portal: SyncPortal) -> None:
        self._handle = handle
        self._portal = portal

    @property
    def id(self) -> str:
        """The task's ULID."""
        return self._handle.id

    @property
    def attached(self) -> bool:
        """See :class:`TaskHandle`."""
        return self._handle.attached

    def result(self, timeout: float | None = None) -> R:
        """See :meth:`TaskHandle.result`."""
        return self._portal.call(lambda: self._handle.result(timeout))

    def status(self) -> Status:
        """See :meth:`TaskHandle.status`."""
        return self._portal.call(self._handle.status)

    def record(self) -> TaskRecord:
        """See :meth:`TaskHandle.record`."""
        return self._portal.call(self._handle.record)

    def wait(self, timeout: float | None = None) -> Status:
        """See :meth:`TaskHandle.wait`."""
        return self._portal.call(lambda: self._handle.wait(timeout))

    def cancel(self, reason: str = "cancelled by its submitter") -> bool:
        """See :meth:`TaskHandle.cancel`."""
        return self._portal.call(lambda: self._handle.cancel(reason))

    def __iter__(self) -> Iterator[Progress]:
        iterator = self._handle.__aiter__()
        while True:
            try:
                yield self._portal.call(iterator.__anext__)
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return f"<SyncHandle {self.id}>"


class SyncPortal:
    """Submits and waits from plain code, on any number of threads. The loop starts when first needed."""

    def __init__(
        self, client: Callable[[], Awaitable[Client]], inspector: Callable[[], Awaitable[Inspector]]
    ) -> None:
        self._client = client
        self._inspector = inspector
        self._lock = threading.Lock()
        self._portal: BlockingPortal | None = None
        self._stack = ExitStack()

    def submit(
        self, task: TaskType[P, R] | Submitter[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncHandle[R]:
        """Submit one task; ``task`` is a task type or what its ``options()`` returned."""
        return SyncHandle(self.call(lambda: task.submit(*args, **kwargs)), self)

    def starmap(
        self, task: TaskType[P, R] | Submitter[P, R], items: Iterable[tuple[Any, ...]]
    ) -> list[SyncHandle[R]]:
        """Submit one task for each tuple of arguments, in one call."""
        return [SyncHandle(handle, self) for handle in self.call(lambda: task.starmap(items))]

    def wrap(self, handle: TaskHandle[R]) -> SyncHandle[R]:
        """A blocking handle of a task that was submitted before."""
        return SyncHandle(handle, self)

    def why(self, task_id: str) -> Why:
        """See :meth:`Inspector.why`."""

        async def asked() -> Why:
            return await (await self._inspector()).why(task_id)

        return self.call(asked)

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run an async function on the portal's loop and return its result."""
        with self._lock:
            portal = self._portal
            if portal is None:
                portal = self._portal = self._stack.enter_context(start_blocking_portal(name="jobbers-sync"))
                atexit.register(self.close)
        return portal.call(function)

    def close(self) -> None:
        """Close the connection and end the thread."""
        with self._lock:
            portal, self._portal = self._portal, None
            if portal is not None:
                atexit.unregister(self.close)
                portal.call(self._close_client)
                self._stack.close()

    async def _close_client(self) -> None:
        await (await self._client()).close()
