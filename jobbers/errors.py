"""Every error that Jobbers raises. Each class owns one stable ``code`` that API and CLI show.

    JobbersError
    ├── ConfigError                 bad_config          settings, URLs, application paths
    ├── InvalidInput                invalid_input       (also a ValueError) anything a caller got wrong
    │   ├── InvalidName             invalid_name        queue, task type, role, namespace
    │   ├── InvalidId               invalid_id          not a ULID, or at odds with its unique key
    │   ├── InvalidArgument         invalid_argument    an argument of a task, named
    │   └── PayloadTooLarge         payload_too_large   arguments or result above the limit
    ├── UnknownTaskType             unknown_task_type
    ├── NotFound                    not_found           no such task, queue or run
    ├── Conflict                    conflict            the task's status does not allow it
    ├── QueueDraining               queue_draining      the queue takes nothing until it is resumed
    ├── QueueFull                   queue_full          the queue has as many tasks as it may have
    ├── TaskStruck                  struck              a strike is on such tasks: nothing was submitted
    ├── TaskFailed                  task_failed         raised by ``result()``
    ├── TaskCancelled               task_cancelled      raised by ``result()``
    ├── WaitTimeout                 wait_timeout        (also a TimeoutError)
    └── StoreError                  store_error         the server answered with an error
        ├── OutOfMemory             out_of_memory       the server is at its memory limit
        ├── UnknownOutcome          unknown_outcome     sent, but no answer came: it may or may not have happened
        └── ServerUnavailable       server_unavailable  never reached
            └── EmbeddedUnavailable embedded_unavailable

``Retry``, ``Fail`` and ``Snooze``, which a task raises to steer its own outcome, are signals and not errors:
they live in :mod:`jobbers.core.signals`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class JobbersError(Exception):
    """Base of everything that Jobbers raises."""

    code: ClassVar[str] = "jobbers_error"


class ConfigError(JobbersError):
    """A setting, URL or application path is wrong."""

    code = "bad_config"


class InvalidInput(JobbersError, ValueError):
    """A caller passed something that breaks a rule; nothing was written. ``parameter`` names it, where it is one thing."""

    code = "invalid_input"

    def __init__(self, message: str = "", parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class InvalidName(InvalidInput):
    """A name breaks the grammar of names."""

    code = "invalid_name"


class InvalidId(InvalidInput):
    """A task id is not a ULID, or does not belong to the unique key given with it."""

    code = "invalid_id"


class InvalidArgument(InvalidInput):
    """An argument of a task has the wrong type or cannot be encoded; ``parameter`` names it."""

    code = "invalid_argument"


class PayloadTooLarge(InvalidInput):
    """Arguments or a result exceed the size or depth limit."""

    code = "payload_too_large"


class UnknownTaskType(JobbersError):
    """No task type of that name is registered with this app."""

    code = "unknown_task_type"


class NotFound(JobbersError):
    """There is no such task (any more), queue or worker."""

    code = "not_found"


class Conflict(JobbersError):
    """The operation does not fit the task's present status."""

    code = "conflict"


class LimitReached(JobbersError):
    """A limit that refuses what is over it has no permit left; nothing was submitted. ``limit`` is its name."""

    code = "limit_reached"

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class QueueDraining(JobbersError):
    """The queue is drained: it takes nothing until it is resumed. Nothing was written."""

    code = "queue_draining"


class QueueFull(JobbersError):
    """The queue has as many tasks as it may have, and refuses more. Nothing was written."""

    code = "queue_full"


class TaskStruck(JobbersError):
    """An operator has struck such tasks: nothing was submitted. ``strike`` is the id of the strike, ``reason`` why."""

    code = "struck"

    def __init__(self, message: str, *, strike: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.strike = strike
        self.reason = reason


class TaskFailed(JobbersError):
    """The task ended as *failed*; ``reason`` says why and ``error`` holds its last
    attempt's :class:`jobbers.AttemptError`, or ``None``."""

    code = "task_failed"

    def __init__(self, message: str, *, task_id: str = "", reason: str = "", error: Any = None) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.reason = reason
        self.error = error


class TaskCancelled(JobbersError):
    """The task ended as *cancelled*."""

    code = "task_cancelled"


class TaskSkipped(JobbersError):
    """The task ended as *skipped*: nothing called for it, or it said so itself."""

    code = "task_skipped"


class WaitTimeout(JobbersError, TimeoutError):
    """The task did not end within the time that the caller was ready to wait."""

    code = "wait_timeout"


class StoreError(JobbersError):
    """The server refused or failed a command."""

    code = "store_error"


class OutOfMemory(StoreError):
    """The server is at its memory limit and took nothing."""

    code = "out_of_memory"


class UnknownOutcome(StoreError):
    """A command was sent and no answer came: it may or may not have been applied."""

    code = "unknown_outcome"


class ServerUnavailable(StoreError):
    """The server could not be reached; nothing was sent."""

    code = "server_unavailable"


class EmbeddedUnavailable(ServerUnavailable):
    """No server binary was found to run an embedded server with."""

    code = "embedded_unavailable"
