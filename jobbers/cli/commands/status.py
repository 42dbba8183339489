"""``jobbers status``: everything known of a task."""

from __future__ import annotations

from collections.abc import Iterator

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target, TaskId
from jobbers.cli.output import clean, console, plain, show, show_json, when
from jobbers.cli.running import guarded
from jobbers.core.task import TaskRecord

cli = new_cli()


@cli.command()
@guarded
async def status(task_id: TaskId, target: Target, json: Json = False) -> None:
    """Show everything known of a task: where it stands, when what happened, its arguments and its errors."""
    async with target.open() as app:
        record = await (await app.inspector()).task(task_id)
    if json:
        show_json(record)
    else:
        show_record(record)


def show_record(record: TaskRecord) -> None:
    """Print a record for people."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in _lines(record):
        grid.add_row(Text(name, style="dim"), Text(clean(value)))
    console().print(grid)
    for error in record.errors:
        show(
            f"\nattempt {error.attempt} on {error.worker}, {when(error.ended)}: {error.type}: {error.message}"
        )
    if record.errors:
        show(record.errors[-1].traceback.rstrip())


def _lines(record: TaskRecord) -> Iterator[tuple[str, str]]:
    yield "id", record.id
    yield "type", record.type
    yield "status", f"{record.status}" + (f" ({record.liveness})" if record.liveness else "")
    yield "queue", f"{record.queue}, priority {record.priority}"
    yield "attempt", _attempts(record)
    for name in ("created", "due", "deadline", "started", "heartbeat", "finished"):
        moment = getattr(record, name)
        if moment is not None:
            yield name, when(moment)
    for name in ("worker", "step", "reason", "unique_key"):
        if text := getattr(record, name):
            yield name.replace("_", " "), text
    if record.progress is not None:
        yield "progress", f"{record.progress:.0%}"
    if record.arguments:
        yield "arguments", ", ".join(repr(plain(value)) for value in record.arguments)
    for label, pairs in (("keyword", record.keywords), ("header", record.headers)):
        for key, value in pairs.items():
            yield label, f"{key}={plain(value)!r}"


def _attempts(record: TaskRecord) -> str:
    extra = [
        f"{count} {name}"
        for name, count in (("crashes", record.crashes), ("snoozes", record.snoozes))
        if count
    ]
    return f"{record.attempt}" + (f" ({', '.join(extra)})" if extra else "")
