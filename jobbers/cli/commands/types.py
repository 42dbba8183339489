"""``jobbers types``: what the code says of task types, what was set live before that, and changes of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from jobbers.cli.lazy import ListGroup, new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import console, say, show, show_json, table
from jobbers.cli.running import guarded
from jobbers.core.durations import seconds_of
from jobbers.core.live_policy import MAY_BE_NONE, OPTIONS, spoken, written
from jobbers.core.policy import Policy
from jobbers.errors import InvalidInput
from jobbers.live_policies import TypePolicy

cli = new_cli(
    cls=ListGroup, help="List task types and their policies (also without a command); change them live."
)

Name = Annotated[str, typer.Argument(metavar="TYPE", help="The name of the task type.")]


def _option(text: str, metavar: str = "TIME") -> Any:
    return typer.Option(help=text, metavar=metavar)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a task type that can be set live. Times are like 90, 500ms, 10s, 5m, 2h, 1d."""

    priority: Annotated[int | None, _option("From 0 (last) to 9 (first).", "NUMBER")] = None
    timeout: Annotated[str | None, _option("Of one execution; 'none' for no limit.")] = None
    heartbeat: Annotated[str | None, _option("Longest silence between heartbeats; or 'none'.")] = None
    deadline: Annotated[str | None, _option("Longest wait from submission to start; or 'none'.")] = None
    slow_after: Annotated[str | None, _option("When a running task counts as slow; or 'none'.")] = None
    retention: Annotated[str | None, _option("How long records of succeeded tasks stay.")] = None
    failed_retention: Annotated[str | None, _option("How long dead letters stay.")] = None
    attempts: Annotated[int | None, _option("Executions in all, the first included.", "NUMBER")] = None
    backoff: Annotated[str | None, _option("How waits grow.", "fixed|linear|exponential")] = None
    delay: Annotated[str | None, _option("The wait after the first failure.")] = None
    cap: Annotated[str | None, _option("The longest wait.")] = None
    jitter: Annotated[
        bool | None, typer.Option("--jitter/--no-jitter", help="Whether waits are spread by chance.")
    ] = None

    def given(self) -> dict[str, Any]:
        """What was given, as the API has it. Raises :class:`InvalidInput`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _value(name, value) for name, value in values.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str) or name == "backoff":
        return value
    return None if value == "none" and name in MAY_BE_NONE else seconds_of(value, name)


@cli.command("list")
@guarded
async def list_types(target: Target, json: Json = False) -> None:
    """List the task types of the application: the more important of what their code says, and all that was set live."""
    async with target.open() as app:
        found = await app.policies.list()
    if json:
        show_json([_shown(one) for one in found])
    elif not found:
        say("no task types: name an application with --app")
    else:
        rows = ([one.type, *_in_code(one.code), written(one.live)] for one in found)
        console().print(table(["type", ">priority", ">timeout", ">attempts", "set live"], rows))


@cli.command("set")
@guarded
async def set_policy(name: Name, options: Options, target: Target, json: Json = False) -> None:
    """Let these options of a task type hold, before its code; workers and clients follow within seconds.

    What else was set live stays. Priority and deadline hold for what is submitted from then on without one of its own, the
    timeout for executions that begin, all others also for tasks that run.
    """
    given = options.given()
    if not given:
        raise InvalidInput("say what to change, as in --timeout 10s or --attempts 1")
    async with target.open(deed="types.set", on=f"{name} {written(given)}"[:200]) as app:
        before = (await app.policies.get(name)).live
        state = await app.policies.set(name, **{**before, **given})
    _tell(state, json)


@cli.command()
@guarded
async def reset(
    name: Name,
    target: Target,
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OPTION]...", help="Only these, such as timeout; all by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Let the code say it again."""
    for option in options or ():
        if option not in OPTIONS:
            raise InvalidInput(f"there is no option {option[:50]!r} (there are: {', '.join(OPTIONS)})")
    on = " ".join([name, *(options or ())])
    async with target.open(deed="types.reset", on=on[:200]) as app:
        before = (await app.policies.get(name)).live
        left = {it: value for it, value in before.items() if it not in options} if options else {}
        state = await (app.policies.set(name, **left) if left else app.policies.reset(name))
    _tell(state, json)


def _tell(state: TypePolicy, json: bool) -> None:
    if json:
        show_json(_shown(state))
    else:
        show(f"{state.type}, set live: {written(state.live) or 'nothing'}")


def _shown(state: TypePolicy) -> dict[str, Any]:
    return {"type": state.type, "code": state.code and spoken(state.code), "live": state.live}


def _in_code(code: Policy | None) -> list[str]:
    if code is None:
        return ["", "", ""]
    timeout = "none" if code.timeout_ms is None else f"{code.timeout_ms / 1000:g} s"
    return [str(code.priority), timeout, str(code.retry.attempts)]
