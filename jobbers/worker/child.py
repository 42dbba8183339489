"""What happens inside a process that runs task functions. Imported there; knows neither loop nor store."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import pickle
import signal
import socket
import sys
import time
import traceback
from typing import Any, NamedTuple

from jobbers.context import CurrentTask, running_task
from jobbers.core.payload import pack
from jobbers.core.task import Claimed

BEAT_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


class Job(NamedTuple):
    """One call, as the worker sends it to its own process."""

    module: str
    qualname: str
    args: list[Any]
    kwargs: dict[str, Any]
    task: tuple[Claimed, str, dict[str, str]]
    beats: str


class Outcome(NamedTuple):
    """The encoded result, or the error."""

    packed: bytes
    error: BaseException | None


class RemoteError(Exception):
    """Stands for an error that cannot travel between processes; keeps its type's name and text."""

    def __init__(self, remote_type: str, message: str) -> None:
        super().__init__(message)
        self.remote_type = remote_type

    def __reduce__(self) -> Any:
        return RemoteError, (self.remote_type, str(self)), self.__dict__


def run(job: Job) -> Outcome:
    """Import the function's module, call the function, encode its result."""
    _live_and_die_with_the_worker()
    claimed, worker, headers = job.task
    with contextlib.closing(_Beats(job.beats, claimed.id)) as beats:
        token = running_task.set(CurrentTask(claimed, worker, headers, beats.send))
        try:
            target: Any = importlib.import_module(job.module)
            for part in job.qualname.split("."):
                target = getattr(target, part)
            function = getattr(target, "function", target)
            return Outcome(pack(function(*job.args, **job.kwargs)), None)
        except BaseException as error:
            return Outcome(b"", _portable(error))
        finally:
            running_task.reset(token)


def _live_and_die_with_the_worker() -> None:
    """Ctrl-C and systemd signal every process of a worker: it decides itself what ends. Where the system can, a process
    whose worker was killed is killed too: nothing else would ever end what it runs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)  # not SIG_IGN, which programs that the function starts would inherit
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))


def _ignore(_number: int, _frame: object) -> None:
    pass


def _portable(error: BaseException) -> BaseException:
    """The error itself if it survives the way to the worker, else a stand-in; with its traceback as text."""
    text = "".join(traceback.format_exception(error))
    try:
        portable: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        try:
            message = str(error)
        except Exception:
            message = "its text cannot be had"
        portable = RemoteError(type(error).__qualname__, message)
    portable.remote_traceback = text  # type: ignore[attr-defined]
    return portable


class _Beats:
    """Sends heartbeats to the worker, never waits, and never more than ten a second."""

    def __init__(self, path: str, task_id: str) -> None:
        self._path = path
        self._task_id = task_id
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._sent = 0.0

    def send(self, step: str, progress: float | None) -> None:
        now = time.monotonic()
        if now - self._sent >= BEAT_SECONDS:
            self._sent = now
            with contextlib.suppress(OSError):
                self._socket.sendto(pack([self._task_id, step, progress]), self._path)

    def close(self) -> None:
        self._socket.close()
