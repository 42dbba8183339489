"""Where functions run: on the event loop, in a thread, or in a process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import anyio.to_process
import anyio.to_thread
from anyio import BrokenWorkerProcess, CapacityLimiter

from jobbers.context import CurrentTask
from jobbers.core.payload import pack
from jobbers.core.policy import Execution as Where
from jobbers.errors import ConfigError
from jobbers.middleware import Call
from jobbers.task_type import TaskType
from jobbers.worker import child
from jobbers.worker.beat_socket import Beat, BeatSocket


class ProcessDied(Exception):
    """The process that ran the task ended before the task did, as by a crash or the system's memory killer."""


class Packed(bytes):
    """A result that came encoded out of a process."""

    __slots__ = ()


class Executors:
    """Makes the innermost call of each task type; owns the limits of threads and processes."""

    def __init__(self, threads: int, processes: int) -> None:
        self._threads = CapacityLimiter(threads)
        self._processes = CapacityLimiter(processes)
        self._beats: BeatSocket | None = None
        self.in_threads: set[CurrentTask] = set()
        """What threads run at this moment, also what they were abandoned with."""
        self.on_beat: Beat = lambda _id, _step, _progress: None

    def call_for(self, task_type: TaskType[Any, Any]) -> Call:
        """The innermost call of a task type. Raises :class:`ConfigError` if its function cannot run in a process."""
        function = task_type.function
        match task_type.policy.execution:
            case Where.ASYNC:
                return lambda _task, args, kwargs: function(*args, **kwargs)
            case Where.THREAD:
                return functools.partial(self._in_thread, function)
            case Where.PROCESS:
                if "<locals>" in function.__qualname__:
                    raise ConfigError(
                        f"task {task_type.name!r} runs in a process and so must be defined at the top level of a module"
                    )
                return functools.partial(self._in_process, function)

    async def _in_thread(
        self, function: Callable[..., Any], task: CurrentTask, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """A thread cannot be killed: when the execution is cancelled it is left alone, and its next heartbeat raises."""
        try:
            return await anyio.to_thread.run_sync(
                self._call, function, task, args, kwargs, abandon_on_cancel=True, limiter=self._threads
            )
        except asyncio.CancelledError:
            task.over = True
            raise

    def _call(
        self, function: Callable[..., Any], task: CurrentTask, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        self.in_threads.add(task)
        try:
            return function(*args, **kwargs)
        finally:
            self.in_threads.discard(task)

    async def _in_process(
        self, function: Callable[..., Any], task: CurrentTask, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """The process is killed when the execution is cancelled; another takes its place."""
        if self._beats is None:
            self._beats = BeatSocket(self.on_beat)
        job = child.Job(
            module=function.__module__,
            qualname=function.__qualname__,
            args=args,
            kwargs=kwargs,
            task=(task.claimed, task.worker, dict(task.headers)),
            beats=str(self._beats.path),
        )
        try:
            outcome = await anyio.to_process.run_sync(
                child.run, job, cancellable=True, limiter=self._processes
            )
        except BrokenWorkerProcess as error:
            raise ProcessDied("the process that ran the task died") from error
        if outcome.error is not None:
            raise outcome.error
        return Packed(outcome.packed)

    def close(self) -> None:
        """Give back what the executors hold beside threads and processes, which end with the loop."""
        if self._beats is not None:
            self._beats.close()
            self._beats = None


def packed_result(value: Any) -> bytes:
    """A result encoded, unless it came so. Raises :class:`InvalidArgument`, :class:`PayloadTooLarge`."""
    return bytes(value) if isinstance(value, Packed) else pack(value)
