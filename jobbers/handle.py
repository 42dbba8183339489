"""A submitted task, as its submitter holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from jobbers.client import Client
from jobbers.core.payload import unpack
from jobbers.core.signature import Signature
from jobbers.core.status import FINAL, Status
from jobbers.core.task import TaskRecord
from jobbers.errors import TaskCancelled, TaskFailed, TaskSkipped

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a task is. ``progress`` is from 0 to 1 or unknown; ``liveness`` is set while it runs."""

    status: Status
    step: str | None
    progress: float | None
    liveness: str | None


class TaskHandle(Generic[R]):
    """Refers to a task by its id; costs nothing until asked. ``await handle`` is ``await handle.result()``.

    ``attached``: the submission that gave this handle made no task, and joined one that was there: the holder of its unique
    key, or the one that it was debounced or throttled with.
    """

    __slots__ = ("_client", "_signature", "attached", "id")

    def __init__(
        self,
        task_id: str,
        client: Callable[[], Awaitable[Client]],
        signature: Signature | None = None,
        *,
        attached: bool = False,
    ) -> None:
        self.id = task_id
        self.attached = attached
        self._client = client
        self._signature = signature

    async def result(self, timeout: float | None = None) -> R:
        """Wait for the task to end, for up to ``timeout`` seconds, and return what it returned.

        Raises :class:`TaskFailed`, :class:`TaskCancelled`, :class:`TaskSkipped`, :class:`WaitTimeout`, or
        :class:`NotFound` when the record or the result has expired.
        """
        client = await self._client()
        outcome = await client.ending(self.id, timeout)
        if outcome.status is Status.SUCCEEDED:
            value = unpack(await client.result_bytes(self.id, outcome))
            return cast(R, value if self._signature is None else self._signature.result.load(value))
        if outcome.status is Status.CANCELLED:
            raise TaskCancelled(f"task {self.id} was cancelled: {outcome.reason}")
        if outcome.status is Status.SKIPPED:
            raise TaskSkipped(f"task {self.id} was skipped: {outcome.reason}")
        record = await client.record(self.id)
        last = record.error
        detail = f": {last.type}: {last.message}" if last else ""
        raise TaskFailed(
            f"task {self.id} ({record.type}) failed: {outcome.reason}{detail}",
            task_id=self.id,
            reason=outcome.reason,
            error=last,
        )

    async def status(self) -> Status:
        """Where the task stands now. Raises :class:`NotFound`."""
        return (await (await self._client()).outcome(self.id)).status

    async def record(self) -> TaskRecord:
        """Everything known of the task now. Raises :class:`NotFound`."""
        return await (await self._client()).record(self.id)

    async def wait(self, timeout: float | None = None) -> Status:
        """Wait for the task to end, well or not, for up to ``timeout`` seconds. Raises :class:`WaitTimeout`,
        :class:`NotFound`."""
        return await (await self._client()).wait(self.id, timeout)

    async def cancel(self, reason: str = "cancelled by its submitter") -> bool:
        """End the task now if it has not ended: ``False`` when it had. Raises :class:`NotFound`."""
        return (await (await self._client()).cancel([self.id], reason))[self.id]

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """Where the task is: now, and at each change, until it has ended. Raises :class:`NotFound`."""
        client = await self._client()
        last: Progress | None = None
        async with aclosing(client.follow(self.id)) as statuses:
            async for _ in statuses:
                record = await client.record(self.id)
                progress = Progress(record.status, record.step, record.progress, record.liveness)
                if progress != last:
                    yield progress
                last = progress
                if record.status in FINAL:
                    return

    def __await__(self) -> Generator[Any, None, R]:
        return self.result().__await__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskHandle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<TaskHandle {self.id}>"
