"""``jobbers dlq``: dead letters, the tasks that failed for good."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.commands.status import show_record
from jobbers.cli.exit_codes import ExitCode, exit_code
from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, QueueFilter, Target, TaskId, TypeFilter
from jobbers.cli.output import console, say, show, show_json, table, when
from jobbers.cli.running import guarded
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.errors import Conflict, InvalidInput, NotFound
from jobbers.keyring import chosen as chosen_of

cli = new_cli(
    cls=ListGroup, help="Dead letters, the tasks that failed for good: list, show, requeue or drop them."
)

CAUSE_LENGTH = 200

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...]", help="The ids; or choose by the options.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant, when they are not named."""

    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False
    type: TypeFilter = None
    queue: QueueFilter = None

    def check(self, ids: list[str] | None) -> bool:
        """Whether it is this that chooses and not ``ids``. Raises :class:`InvalidInput` unless one of both does."""
        filtered = bool(self.everything or self.type or self.queue)
        if filtered and ids:
            raise InvalidInput("give ids, or choose with --all, --type or --queue, not both")
        if not filtered and not ids:
            raise InvalidInput("which dead letters? Give their ids, or choose with --all, --type or --queue")
        return filtered

    def described(self, ids: list[str] | None) -> str:
        """What was chosen, for the audit log."""
        return chosen_of(ids, type=self.type, queue=self.queue, all=self.everything)


@cli.command("list")
@guarded
async def list_dead(
    target: Target,
    type: TypeFilter = None,
    queue: QueueFilter = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on where an earlier page ended.")] = None,
    json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    async with target.open() as app:
        page = await (await app.inspector()).tasks(
            Status.FAILED, type=type, queue=queue, cursor=cursor, limit=limit
        )
    if json:
        show_json({"tasks": page.tasks, "cursor": page.cursor})
        return
    if page.tasks:
        rows = ([task.id, task.type, task.queue, when(task.finished), _cause(task)] for task in page.tasks)
        console().print(table(["id", "type", "queue", "failed", "cause"], rows))
    else:
        say("no dead letters")
    if page.cursor:
        say(f"there are more: --cursor {page.cursor}")


def _cause(task: TaskRecord) -> str:
    """Why it failed: the last error, if it was one that ended it."""
    last = task.error
    text = f"{last.type}: {last.message}" if last and last.attempt == task.attempt else task.reason or ""
    return text.partition("\n")[0][:CAUSE_LENGTH]


@cli.command("show")
@guarded
async def show_one(task_id: TaskId, target: Target, json: Json = False) -> None:
    """Show one dead letter with its arguments and all its errors."""
    async with target.open() as app:
        record = await (await app.inspector()).task(task_id)
    if record.status is not Status.FAILED:
        raise Conflict(f"task {record.id} is {record.status} and no dead letter")
    if json:
        show_json(record)
    else:
        show_record(record)


@cli.command()
@guarded
async def requeue(
    *,
    target: Target,
    choice: Choice,
    ids: Ids = None,
    args: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Other positional arguments, for one task.")
    ] = None,
    kwargs: Annotated[
        str | None, typer.Option("--kwargs", metavar="JSON", help="Other keyword arguments, for one task.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="How many at most, when chosen.")
    ] = None,
    json: Json = False,
) -> int:
    """Give dead letters a new life: those named, or those chosen.

    Attempts start over. Cancelled tasks can be requeued too, by their ids.
    """
    chosen = choice.check(ids)
    new_args, new_kwargs = inputs.arguments(args), inputs.keywords(kwargs)
    edited = new_args is not None or new_kwargs is not None
    if edited and (chosen or len(ids or ()) != 1):
        raise InvalidInput("--args and --kwargs are for one task, named by its id")
    async with target.open(deed="tasks.requeue", on=choice.described(ids)) as app:
        if chosen:
            inspector = await app.inspector()
            count = await inspector.requeue_dead(type=choice.type, queue=choice.queue, limit=limit)
            _tell("requeued", count, json)
            return ExitCode.OK
        edits = await _edited(app, (ids or [])[0], new_args, new_kwargs) if edited else {}
        return await _requeue_named(app, ids or [], edits, json)


async def _edited(
    app: Jobbers, task_id: str, args: list[Any] | None, kwargs: dict[str, Any] | None
) -> dict[str, Any]:
    """The new arguments of a task: what is not given stays as it was. Checked if the application knows the type."""
    record = await (await app.inspector()).task(task_id)
    known = app.task_types.get(record.type)
    if known is None:
        return {"args": args, "kwargs": kwargs}
    edited = known.signature.edited((record.arguments, record.keywords), args, kwargs)
    new_args, new_kwargs = known.signature.load(*edited)
    return {"args": new_args, "kwargs": new_kwargs}


async def _requeue_named(app: Jobbers, ids: list[str], edits: dict[str, Any], json: bool) -> int:
    inspector = await app.inspector()
    code = ExitCode.OK
    done: list[str] = []
    for task_id in ids:
        try:
            await inspector.requeue(task_id, **edits)
        except (NotFound, Conflict) as error:
            say(f"error: {error}")
            code = code or exit_code(error)
            continue
        done.append(task_id)
        if not json:
            show(f"requeued {task_id}")
    if json:
        show_json({"requeued": len(done), "ids": done})
    return code


@cli.command()
@guarded
async def drop(
    target: Target,
    choice: Choice,
    ids: Ids = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before many are dropped.")] = False,
    json: Json = False,
) -> int:
    """Delete dead letters for good: those named, or those chosen.

    Tasks that are no dead letters are left alone.
    """
    chosen = choice.check(ids)
    if not yes and (chosen or len(ids or ()) > 1):
        _confirm("the chosen dead letters" if chosen else f"{len(ids or ())} dead letters")
    async with target.open(deed="tasks.drop", on=choice.described(ids)) as app:
        inspector = await app.inspector()
        if chosen:
            _tell("dropped", await inspector.drop_dead(type=choice.type, queue=choice.queue), json)
            return ExitCode.OK
        count = await inspector.drop_dead(ids)
    _tell("dropped", count, json)
    missing = len(set(ids or ())) - count
    if missing:
        say(f"error: {missing} of {len(set(ids or ()))} are no dead letters (any more)")
    return ExitCode.NOT_FOUND if missing else ExitCode.OK


def _confirm(what: str) -> None:
    """Ask the person at the terminal. Raises :class:`InvalidInput` when nobody is there."""
    if not _at_terminal():
        raise InvalidInput(f"dropping {what} cannot be undone: confirm with --yes")
    typer.confirm(f"Drop {what} for good?", abort=True, err=True)


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _tell(verb: str, count: int, json: bool) -> None:
    if json:
        show_json({verb: count})
    else:
        show(f"{verb} {count:,}")
