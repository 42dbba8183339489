"""``jobbers cancel``: end tasks that have not ended yet."""

from __future__ import annotations

from typing import Annotated

import typer

from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import say, show, show_json
from jobbers.cli.running import guarded

cli = new_cli()


@cli.command()
@guarded
async def cancel(
    task_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the tasks.")],
    target: Target,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the record.")] = "cancelled by an operator",
    json: Json = False,
) -> int:
    """End tasks that have not ended yet, whether they wait or run.

    Exits with 3 when a task does not exist, and with 6 when one had ended before; the others are cancelled all the same.
    """
    async with target.open(deed="tasks.cancel", on=" ".join(task_ids)) as app:
        ended = await (await app.inspector()).cancel(task_ids, reason)
    if json:
        words = {True: "cancelled", False: "ended_before", None: "not_found"}
        show_json({task_id: words[answer] for task_id, answer in ended.items()})
    for task_id, answer in ended.items():
        if answer is None:
            say(f"error: there is no task {task_id}: it never was, or its record has expired")
        elif not answer:
            say(f"error: task {task_id} had ended before")
        elif not json:
            show(f"cancelled {task_id}")
    if None in ended.values():
        return ExitCode.NOT_FOUND
    return ExitCode.OK if all(ended.values()) else ExitCode.CONFLICT
