"""What the exit code of a command means. Scripts rely on these numbers: they do not change."""

from __future__ import annotations

from enum import IntEnum

from jobbers.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    JobbersError,
    NotFound,
    QueueDraining,
    QueueFull,
    StoreError,
    TaskCancelled,
    TaskFailed,
    TaskSkipped,
    TaskStruck,
    UnknownTaskType,
    WaitTimeout,
)


class ExitCode(IntEnum):
    """The exit codes."""

    OK = 0
    NEGATIVE = 1  # the answer is no: the task did not succeed, the doctor found something
    USAGE = 2  # wrong options, wrong input, wrong settings, no such application
    NOT_FOUND = 3  # no such task, task type or offloaded result
    UNAVAILABLE = 4  # the server is away, refuses commands, or did not say what became of one
    TIMEOUT = 5  # waited as long as was asked
    CONFLICT = 6  # the status of the task or queue does not allow it
    BUG = 70  # an error that Jobbers did not foresee
    INTERRUPTED = 130  # Ctrl-C


_CODES: dict[type[JobbersError], ExitCode] = {
    ConfigError: ExitCode.USAGE,
    InvalidInput: ExitCode.USAGE,
    NotFound: ExitCode.NOT_FOUND,
    UnknownTaskType: ExitCode.NOT_FOUND,
    StoreError: ExitCode.UNAVAILABLE,
    WaitTimeout: ExitCode.TIMEOUT,
    Conflict: ExitCode.CONFLICT,
    QueueDraining: ExitCode.CONFLICT,
    QueueFull: ExitCode.CONFLICT,
    TaskStruck: ExitCode.CONFLICT,
    TaskFailed: ExitCode.NEGATIVE,
    TaskCancelled: ExitCode.NEGATIVE,
    TaskSkipped: ExitCode.NEGATIVE,
}


def exit_code(error: JobbersError) -> ExitCode:
    """The exit code that stands for an error."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), ExitCode.NEGATIVE)
