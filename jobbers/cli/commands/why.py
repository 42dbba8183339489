"""``jobbers why``: what a task or run waits for."""

from __future__ import annotations

from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target, TaskId
from jobbers.cli.output import show, show_json
from jobbers.cli.running import guarded
from jobbers.core.why_facts import Reason, Why

cli = new_cli()


@cli.command()
@guarded
async def why(task_id: TaskId, target: Target, json: Json = False) -> None:
    """Tell why a task or run does not run: what holds it up now, and after "then" what would hold it up next."""
    async with target.open() as app:
        found = await (await app.inspector()).why(task_id)
    if json:
        show_json(found)
        return
    show(f"task {found.id} of type {found.type} is {found.status}: {found.primary.text}")
    for reason in found.others:
        show(f"then: {_said(reason, found)}")


def _said(reason: Reason, found: Why) -> str:
    return reason.text if reason.task in (None, found.id) else f"task {reason.task}: {reason.text}"
