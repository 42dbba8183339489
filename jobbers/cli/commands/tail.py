"""``jobbers tail``: follow a task until it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target, TaskId
from jobbers.cli.output import show, show_json_line, span
from jobbers.cli.running import guarded
from jobbers.client import Client
from jobbers.core.ids import check_id
from jobbers.core.status import FINAL, Status
from jobbers.core.task import AttemptError, TaskRecord
from jobbers.store.logs import LogLine

cli = new_cli()

LATEST_LOGS = 2.0
"""So many seconds after a task has ended, workers have sent what it logged."""


@cli.command()
@guarded
async def tail(
    task_id: TaskId,
    target: Target,
    json: Json = False,
    logs: Annotated[
        bool, typer.Option("--logs", help="Show what it logs, too, where the setting keep_logs keeps that.")
    ] = False,
) -> int:
    """Follow a task until it ends: a line whenever its status, step or progress changes, and for each failed attempt.

    Exits with 1 when the task failed or was cancelled.
    """
    task_id = check_id(task_id)
    last: dict[str, Any] = {}
    errors_seen = 0
    shown: set[LogLine] = set()
    async with target.open() as app:
        client = await app.client()
        record = await client.record(task_id)
        watching = asyncio.create_task(_follow_logs(client, task_id, shown, json)) if logs else None
        async with aclosing(client.follow(task_id)) as moves:
            async for _ in moves:
                record = await client.record(task_id)
                for error in record.errors[errors_seen:]:
                    _show_error(error, json)
                errors_seen = len(record.errors)
                view = _view(record)
                if view != last:
                    _show_view(view, record, json)
                last = view
                if record.status in FINAL:
                    break
        if watching is not None and record.finished is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            late = LATEST_LOGS - (datetime.now(UTC) - record.finished).total_seconds()
            await asyncio.sleep(min(LATEST_LOGS, max(0.0, late)))
            await _show_logs(client, task_id, shown, json)
    return ExitCode.OK if record.status is Status.SUCCEEDED else ExitCode.NEGATIVE


async def _follow_logs(client: Client, task_id: str, shown: set[LogLine], json: bool) -> None:
    while True:
        await _show_logs(client, task_id, shown, json)
        await asyncio.sleep(1.0)


async def _show_logs(client: Client, task_id: str, shown: set[LogLine], json: bool) -> None:
    for line in await client.store.logs.read(task_id):
        if line in shown:
            continue
        shown.add(line)
        if json:
            show_json_line({"event": "log", "id": task_id, **line._asdict()})
        else:
            show(f"{line.time.astimezone():%H:%M:%S}  {line.level:<8} {line.logger}: {line.message}")


def _view(record: TaskRecord) -> dict[str, Any]:
    """What is worth a line when it changes."""
    return {
        "status": record.status,
        "attempt": record.attempt,
        "step": record.step,
        "progress": record.progress,
        "liveness": record.liveness,
        "reason": record.reason,
        "due": record.due,
    }


def _show_view(view: dict[str, Any], record: TaskRecord, json: bool) -> None:
    now = datetime.now(UTC)
    time = record.finished or now  # when it was seen to have ended says little
    if json:
        show_json_line({"event": "status", "id": record.id, "time": time, **view})
        return
    words = [f"{time.astimezone():%H:%M:%S}", f"{record.status:<9}"]
    if record.attempt:
        words.append(f"attempt {record.attempt}")
    if record.status is Status.RUNNING:
        words += [f"{record.progress:.0%}"] if record.progress is not None else []
        words += [record.step] if record.step else []
        words += [f"({record.liveness})"] if record.liveness != "running" else []
    elif record.due is not None:
        words.append(f"due in {span(max(0.0, (record.due - now).total_seconds()))}")
    if record.finished is not None and record.started is not None and record.status is Status.SUCCEEDED:
        words.append(f"after {span((record.finished - record.started).total_seconds())}")
    if record.reason and record.status is not Status.SUCCEEDED:
        words.append(f"({record.reason})")
    show("  ".join(words))


def _show_error(error: AttemptError, json: bool) -> None:
    if json:
        show_json_line({"event": "error", **{name: getattr(error, name) for name in AttemptError.__slots__}})
    else:
        show(
            f"{error.ended.astimezone():%H:%M:%S}  attempt {error.attempt} failed: {error.type}: {error.message}"
        )
