"""``jobbers submit``: submit a task."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from jobbers.app import Jobbers
from jobbers.cli import inputs
from jobbers.cli.commands.result import show_result
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import say, show, show_json
from jobbers.cli.running import guarded
from jobbers.core.policy import Debounce, Throttle
from jobbers.core.signature import Signature
from jobbers.core.task import TaskSpec
from jobbers.errors import InvalidInput, UnknownOutcome
from jobbers.task_type import TaskType

cli = new_cli()


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the task is called with."""

    args: Annotated[
        str | None,
        typer.Option("--args", metavar="JSON", help="Positional arguments: a JSON list, @file or -."),
    ] = None
    kwargs: Annotated[
        str | None,
        typer.Option("--kwargs", metavar="JSON", help="Keyword arguments: a JSON object, @file or -."),
    ] = None
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg", metavar="NAME=VALUE", help="One keyword argument, JSON or text; may be repeated."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Placing:
    """Where and when the task goes."""

    queue: Annotated[str | None, typer.Option("--queue", help="The queue, if not the task type's own.")] = (
        None
    )
    priority: Annotated[int | None, typer.Option("--priority", help="0 (last) to 9 (first).")] = None
    delay: Annotated[
        str | None, typer.Option("--delay", metavar="TIME", help="Start after 10s, 5m, 2h, 1d.")
    ] = None
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Start at 2031-05-06T07:08:09Z.")] = (
        None
    )
    deadline: Annotated[
        str | None,
        typer.Option("--deadline", metavar="TIME", help="Give up when it has not started after that time."),
    ] = None
    unique: Annotated[
        str | None, typer.Option("--unique", metavar="KEY", help="At most one unfinished task has this key.")
    ] = None
    debounce: Annotated[
        str | None,
        typer.Option(
            "--debounce", metavar="TIME", help="Run once it has been quiet for so long; the last one wins."
        ),
    ] = None
    throttle: Annotated[
        str | None,
        typer.Option("--throttle", metavar="TIME", help="Run once in that time; the first one wins."),
    ] = None
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="PARAM", help="Debounce or throttle by the value of this parameter."),
    ] = None
    id: Annotated[
        str | None, typer.Option("--id", metavar="ULID", help="The id; submitting one twice changes nothing.")
    ] = None
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", "-H", metavar="NAME=VALUE", help="Text that travels along; may be repeated."
        ),
    ] = None

    def options(self) -> dict[str, Any]:
        """What :meth:`TaskType.options` takes. Raises :class:`InvalidInput`."""
        wait = inputs.optional_duration(self.debounce, "--debounce")
        period = inputs.optional_duration(self.throttle, "--throttle")
        if self.by is not None and wait is None and period is None:
            raise InvalidInput("--by says what --debounce or --throttle goes by: give one of them")
        return {
            "queue": self.queue,
            "priority": self.priority,
            "delay": inputs.optional_duration(self.delay, "--delay"),
            "at": None if self.at is None else inputs.moment(self.at, "--at"),
            "deadline": inputs.optional_duration(self.deadline, "--deadline"),
            "unique": self.unique,
            "debounce": None if wait is None else Debounce(wait, self.by),
            "throttle": None if period is None else Throttle(period, self.by),
            "id": self.id,
            "headers": inputs.pairs(self.header, "--header") or None,
        }


@cli.command()
@guarded
async def submit(
    task_type: Annotated[str, typer.Argument(metavar="TYPE", help="The name of the task type.")],
    *,
    arguments: Arguments,
    placing: Placing,
    target: Target,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the task to end and print what it returned.")
    ] = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="How long to wait.")
    ] = None,
    json: Json = False,
) -> int:
    """Submit a task and print its id.

    With an application (--app or JOBBERS_APP) the arguments are checked by the task's annotations and its policies apply;
    without one they are sent as they are. With --wait the result is printed in the place of the id.
    """
    seconds = inputs.optional_duration(timeout, "--timeout")
    options = placing.options()
    async with target.open(start=True) as app:
        chosen = find_task_type(app, task_type)
        args, kwargs = load_arguments(chosen.signature, arguments)
        spec = chosen.options(**options).spec(args, kwargs)  # its id is known when the outcome is not
        try:
            handle = chosen.submitted(spec, await (await app.client()).submit_one(spec))
        except UnknownOutcome as error:
            raise UnknownOutcome(f"{error} with --id {spec.id}") from error
        if handle.attached:
            say(f"task {handle.id} {_why(spec)}: no other was made")
        if not wait:
            if json:
                show_json({"id": handle.id, "unique_key_taken": handle.attached})
            else:
                show(handle.id)
            return 0
        say(f"waiting for {handle.id}")
        return await show_result(app, handle, seconds, json)


def _why(spec: TaskSpec) -> str:
    match spec.placement.collapse:
        case "":
            return "holds the unique key already"
        case "t":
            return "was the first of this period"
        case _:
            return "waits with this key already and goes by these arguments now"


def find_task_type(app: Jobbers, name: str) -> TaskType[..., Any]:
    """The task type; of a bare application, one that is known by its name only and takes what it is given."""
    if app.task_types:
        return app.find(name)

    def unknown(*args: Any, **kwargs: Any) -> None:
        """Stands for a function that lies elsewhere."""

    return app.task(name=name)(unknown)


def load_arguments(signature: Signature, arguments: Arguments) -> tuple[list[Any], dict[str, Any]]:
    """What was typed, as the function wants it. Raises :class:`InvalidInput`, :class:`InvalidArgument`."""
    args, kwargs = inputs.arguments(arguments.args) or [], inputs.keywords(arguments.kwargs) or {}
    named = named_values(signature, inputs.pairs(arguments.arg, "--arg"))
    if twice := sorted(kwargs.keys() & named):
        raise InvalidInput(f"argument {twice[0]!r} is in --kwargs and in --arg: give it once")
    return signature.load(args, {**kwargs, **named})


def named_values(signature: Signature, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of ``--arg``: as JSON where that is JSON and the parameter takes it, else as text."""
    checkers = {parameter.name: parameter.checker for parameter in signature.parameters} if texts else {}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        values[name] = text
        try:
            value = jsonlib.loads(text)
            if name in checkers:
                checkers[name].load(value)
        except (TypeError, ValueError, RecursionError):
            continue
        values[name] = value
    return values
