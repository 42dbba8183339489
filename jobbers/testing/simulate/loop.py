"""An event loop on a virtual clock, whose callbacks belong to simulated processes.

Waiting costs no time: when nothing can run, the clock jumps to the next timer. Which process runs next is drawn from the
seed; within a process callbacks keep their order, as asyncio promises. A process that is killed is never run again, not
even its ``finally`` blocks; one that is stopped runs on when it is continued.

The method is that of FoundationDB's simulation: one thread, no real time, all chance from one seed
(https://apple.github.io/foundationdb/testing.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("simulated_process", default=None)
_aside: contextvars.ContextVar[bool] = contextvars.ContextVar("simulated_thread", default=False)


class Process:
    """A simulated process. ``skew`` is how far its clock is ahead, in seconds."""

    def __init__(self, name: str, skew: float = 0.0) -> None:
        self.name = name
        self.skew = skew
        self.alive = True
        self.stopped = False
        self.blocked = False
        self.tasks: list[asyncio.Task[Any]] = []
        self._queue: deque[asyncio.Handle] = deque()
        self._aside: deque[asyncio.Handle] = deque()

    def context(self, *, aside: bool = False) -> contextvars.Context:
        """What callbacks of this process run in; ``aside`` in a thread of its own, which a blocked loop does not stop."""
        context = contextvars.copy_context()
        context.run(_process.set, self)
        context.run(_aside.set, aside)
        return context

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """Be this process for a moment, as the server is while it runs what another sent."""
        token = _process.set(self)
        try:
            yield
        finally:
            _process.reset(token)

    def kill(self) -> None:
        """Never run anything of it again."""
        self.alive = False
        self._queue.clear()
        self._aside.clear()

    def add(self, handle: asyncio.Handle, aside: bool) -> None:
        """Let a callback wait for its turn."""
        if self.alive:
            (self._aside if aside else self._queue).append(handle)

    def runnable(self) -> deque[asyncio.Handle] | None:
        """The callbacks of which the first may run now; ``None`` when there are none."""
        if self.stopped:
            return None
        if self._aside:
            return self._aside
        return None if self.blocked else self._queue or None

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task, so that nothing of it runs when it is dropped."""
        if len(self.tasks) > 500:
            self.tasks = [kept for kept in self.tasks if not kept.done()]
        self.tasks.append(task)


def current() -> Process | None:
    """The process whose code runs now."""
    return _process.get()


def here() -> Process:
    """The process whose code runs now, where it must be one."""
    process = current()
    if process is None:
        raise LookupError("this code runs in no simulated process")
    return process


class Stuck(AssertionError):
    """Nothing can ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs simulated processes; ``chance`` decides who is next."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._chance = chance
        self._processes: list[Process] = []
        self._living: list[Process] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._world = self.process("world")
        self.set_task_factory(self._make_task)

    def process(self, name: str, skew: float = 0.0) -> Process:
        """A new process."""
        process = Process(name, skew)
        self._processes.append(process)
        self._living = [living for living in self._living if living.alive] + [process]
        return process

    def launch(self, process: Process, main: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in a process."""
        return process.context().run(self.create_task, main)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.now

    # What asyncio's base class asks of a loop. The attributes with an underscore are those of CPython 3.11 to 3.13.

    def _owner(self, handle: asyncio.Handle) -> tuple[Process, bool]:
        context: contextvars.Context = handle._context  # type: ignore[attr-defined]
        return context.get(_process) or self._world, context.get(_aside, False)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        (current() or self._world).keep(task)
        return task

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """See :class:`asyncio.AbstractEventLoop`."""
        handle = asyncio.TimerHandle(when, callback, list(args), self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """See :class:`asyncio.AbstractEventLoop`."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """See :class:`asyncio.AbstractEventLoop`. There are no threads here."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run it at once: there are no threads here."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when they are due."""

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        """Nothing is finalized behind the simulation's back."""

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """Nothing is finalized behind the simulation's back."""

    def _process_events(self, event_list: Any) -> None:
        """There are no events but timers."""

    def _write_to_self(self) -> None:
        """Nothing sleeps in the kernel."""

    def _run_once(self) -> None:
        """Run one callback of one process, moving the clock when nobody can run."""
        while not (queues := self._runnable()):
            if not self._timers:
                raise Stuck("nothing can happen any more: every process waits for another")
            self.now = max(self.now, self._timers[0][0])
        self.steps += 1
        queue = queues[0] if len(queues) == 1 else queues[self._chance.randrange(len(queues))]
        handle = queue.popleft()
        if not handle.cancelled():
            handle._run()

    def _runnable(self) -> list[deque[asyncio.Handle]]:
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled():
                process, aside = self._owner(timer)
                process.add(timer, aside)
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        while ready:
            handle = ready.popleft()
            process, aside = self._owner(handle)
            process.add(handle, aside)
        return [queue for process in self._living if (queue := process.runnable())]

    def dispose(self) -> None:
        """Drop everything without running any of it, and close."""
        self.set_exception_handler(lambda _loop, _context: None)
        for process in self._processes:
            process.kill()
            for task in process.tasks:
                if not task.done():
                    task._log_destroy_pending = False  # type: ignore[attr-defined]
                    with contextlib.suppress(RuntimeError):  # it wants to await something while it is closed
                        task.get_coro().close()
            process.tasks.clear()
        self._timers.clear()
        self._ready.clear()  # type: ignore[attr-defined]
        self.close()
