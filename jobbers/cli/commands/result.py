"""``jobbers result``: wait for a task to end and print what it returned."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.inputs import optional_duration
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target, TaskId
from jobbers.cli.output import show, show_json
from jobbers.cli.running import guarded
from jobbers.core.status import Status
from jobbers.errors import TaskCancelled, TaskFailed, TaskSkipped
from jobbers.handle import TaskHandle

cli = new_cli()

Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="TIME", help="How long to wait: 10s, 5m; without end by default."),
]


@cli.command()
@guarded
async def result(task_id: TaskId, target: Target, timeout: Timeout = None, json: Json = False) -> int:
    """Wait for a task to end and print what it returned.

    Text is printed as it is and everything else as JSON. Exits with 1 when the task failed or was cancelled, and with 5
    when it has not ended in time.
    """
    seconds = optional_duration(timeout, "--timeout")
    async with target.open() as app:
        return await show_result(app, app.handle(task_id), seconds, json)


async def show_result(app: Jobbers, handle: TaskHandle[Any], seconds: float | None, json: bool) -> int:
    """Wait for a task, print its result, and return the exit code. Raises what :meth:`TaskHandle.result` raises."""
    try:
        value = await handle.result(seconds)
    except (TaskFailed, TaskCancelled, TaskSkipped) as error:
        if not json:
            raise
        record = await (await app.inspector()).task(handle.id)
        last = error.error if isinstance(error, TaskFailed) else None
        show_json({"id": handle.id, "status": record.status, "reason": record.reason, "error": last})
        return ExitCode.NEGATIVE
    if json:
        show_json({"id": handle.id, "status": Status.SUCCEEDED, "result": value})
    elif isinstance(value, str):
        show(value)
    else:
        show_json(value)
    return ExitCode.OK
