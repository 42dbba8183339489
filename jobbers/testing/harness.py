"""The harness: an app whose tasks run inside a test, on a clock that the test moves.

    async with in_process(app) as harness:          # needs no server
        await welcome.submit("new user")
        harness.assert_submitted(welcome, "new user")
        await harness.drain()

:func:`on_server` does the same on a real server, in a namespace of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from jobbers.app import Jobbers
from jobbers.core.durations import Duration, to_ms
from jobbers.core.status import Status
from jobbers.errors import JobbersError
from jobbers.inspector import MAX_PAGE, Inspector
from jobbers.settings import Settings
from jobbers.store.connect import Connector, ServerConnector
from jobbers.store.store import Store
from jobbers.store.url import parse
from jobbers.task_type import TaskType
from jobbers.testing.audit import Violation, audit_store
from jobbers.testing.clock import ManualClock, ManualClockConnector
from jobbers.testing.drain import Drain
from jobbers.testing.fake import FakeConnector
from jobbers.testing.keyspace import erase, fresh_namespace
from jobbers.testing.submissions import Submissions, Submitted, called_alike

P = ParamSpec("P")
R = TypeVar("R")


class Harness:
    """An app under test; made by :func:`in_process` and :func:`on_server`."""

    def __init__(self, app: Jobbers, store: Store, clock: ManualClock, submissions: Submissions) -> None:
        self.app = app
        self.store = store
        self._clock = clock
        self._submissions = submissions

    async def drain(
        self,
        *,
        concurrency: int = 100,
        raise_errors: bool = False,
        limit: int = 10_000,
        timeout: float = 30.0,
    ) -> int:
        """Run every task that is ready or due, and those that they submit, until nothing is left to run now.

        Tasks run as in a worker, up to ``concurrency`` at a time, whatever their queue; paused queues are left alone, and
        what is scheduled for later waits for :meth:`advance`. Returns how many executions there were. With
        ``raise_errors`` an :class:`ExceptionGroup` holds the errors of the tasks that became dead letters. Raises
        :class:`AssertionError` when there is no end after ``limit`` executions, :class:`WaitTimeout` when a task runs
        for longer than ``timeout`` seconds of real time.
        """
        dead = await self._dead()
        drain = Drain(self.app, self.store, concurrency)
        executions = await drain.run(limit, timeout)
        if raise_errors:
            failed = [task_id for task_id in await self._dead() if task_id not in dead]
            errors = [drain.errors.by_task.get(task_id) or await self._failure(task_id) for task_id in failed]
            if errors:
                raise ExceptionGroup(f"{len(errors)} of the tasks failed", errors)
        return executions

    async def advance(self, duration: Duration) -> None:
        """Move the clock forward (seconds or a timedelta): delays, retries, leases, unique keys and retentions come to
        their time. Nothing runs before the next :meth:`drain`."""
        await self._clock.advance(self.store, to_ms(duration, "the duration"))
        for shard in range(len(self.store.shards)):
            while await self.store.upkeep.forget_gone(shard):
                pass

    async def now(self) -> datetime:
        """What the clock shows."""
        return datetime.fromtimestamp(await self.store.inspect.now_ms() / 1000, UTC)

    def submitted(self, task_type: TaskType[Any, Any] | str | None = None) -> list[Submitted]:
        """What was submitted since the harness was made, by the test or by tasks, the first one first: of one type (or
        its name), or all. What one call submitted to several shards comes in any order. A submission that met a taken
        unique key does not count."""
        return self._submissions.of(task_type.name if isinstance(task_type, TaskType) else task_type)

    def assert_submitted(self, task_type: TaskType[P, R], *args: P.args, **kwargs: P.kwargs) -> Submitted:
        """Fail unless a task was submitted with just these arguments, by position or by name; returns the first one."""
        __tracebackhide__ = True
        submitted = self.submitted(task_type)
        for one in submitted:
            if called_alike(task_type, one, args, kwargs):
                return one
        given = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        listed = "".join(f"\n    {one}" for one in submitted) or " nothing of this type"
        raise AssertionError(f"{task_type.name}({', '.join(given)}) was not submitted, but{listed}")

    def assert_nothing_submitted(self, task_type: TaskType[Any, Any] | str | None = None) -> None:
        """Fail if anything was submitted, of any type or the given one."""
        __tracebackhide__ = True
        submitted = self.submitted(task_type)
        if submitted:
            listed = "".join(f"\n    {one}" for one in submitted)
            raise AssertionError(f"nothing should have been submitted, but{listed}")

    async def inspector(self) -> Inspector:
        """Reads and repairs, as operators have them."""
        return await self.app.inspector()

    async def audit(self) -> list[Violation]:
        """What is wrong with what is stored: see :func:`jobbers.testing.audit_store`."""
        return await audit_store(self.store)

    async def _dead(self) -> list[str]:
        """All dead letters, the oldest first."""
        ids: list[str] = []
        cursor: str | None = None
        while True:
            page = await self.store.inspect.list_ids(Status.FAILED, None, cursor, MAX_PAGE)
            ids += page.ids
            cursor = page.cursor
            if cursor is None:
                return ids[::-1]

    async def _failure(self, task_id: str) -> Exception:
        """Why a task failed that raised nothing here: its deadline passed, or it lost its workers."""
        try:
            await self.app.handle(task_id).result()
        except JobbersError as error:
            return error
        raise AssertionError(f"task {task_id} is a dead letter and succeeded")


@contextlib.asynccontextmanager
async def in_process(app: Jobbers) -> AsyncIterator[Harness]:
    """Put ``app`` on a server that is simulated in this process (fakeredis), and give it back afterwards.

    Raises :class:`ConfigError` where fakeredis is not installed.
    """
    async with _harness(app, FakeConnector(), app.settings) as harness:
        yield harness


@contextlib.asynccontextmanager
async def on_server(app: Jobbers, url: str | None = None) -> AsyncIterator[Harness]:
    """Put ``app`` into a namespace of its own on the server at ``url``, by default its own server; afterwards delete the
    namespace and give the app back.

    The clock is that of the harness's app alone: workers in other processes do not share it. Raises
    :class:`ConfigError`, :class:`ServerUnavailable`.
    """
    connector = ServerConnector(parse(url)) if url is not None else await asyncio.to_thread(app.connector)
    settings = app.settings.model_copy(update={"namespace": fresh_namespace()})
    async with _harness(app, connector, settings) as harness:
        try:
            yield harness
        finally:
            await erase(harness.store)


@contextlib.asynccontextmanager
async def _harness(app: Jobbers, connector: Connector, settings: Settings) -> AsyncIterator[Harness]:
    clock, submissions = ManualClock(), Submissions(app)
    await _close(app)
    with moved(app, ManualClockConnector(connector, clock, submissions.heard), settings):
        store = await app.open_store("jobbers-harness")
        try:
            yield Harness(app, store, clock, submissions)
        finally:
            await _close(app)
            await store.close()


@contextlib.contextmanager
def moved(app: Jobbers, connector: Connector, settings: Settings) -> Iterator[None]:
    """Let ``app`` use another server and other settings for a while. It must not have open clients at either end."""
    before = app._connector, app.settings
    app.use(connector)
    app.settings = settings
    try:
        yield
    finally:
        app._connector, app.settings = before


async def _close(app: Jobbers) -> None:
    """Close the app's clients, so that the next ones are opened on the server of that time."""
    await app.close()
    await asyncio.to_thread(app.sync.close)
