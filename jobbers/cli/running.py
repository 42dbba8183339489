"""Between typer and a command: spreads groups of options, runs coroutines, turns errors into sentences and exit codes."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import traceback
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_type_hints

import typer

from jobbers.cli.exit_codes import ExitCode, exit_code
from jobbers.cli.output import say
from jobbers.errors import JobbersError

Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")]


def guarded(function: Callable[..., Any]) -> Callable[..., None]:
    """Make a callback for typer out of a command: a plain or an async function that returns its exit code or ``None``.

    A parameter whose type is a dataclass is given to typer as one option for each of its fields, and arrives as an
    instance. The option ``--debug`` is added.
    """
    hints: dict[str, Any] = get_type_hints(function)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = list(_spread(function))

    @functools.wraps(function)
    def run(**values: Any) -> None:
        debug = values.pop("debug")
        for name, group in groups.items():
            values[name] = group(
                **{field.name: values.pop(field.name) for field in dataclasses.fields(group)}
            )
        code = _run(function, values, debug)
        if code:
            raise typer.Exit(code)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _spread(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if not dataclasses.is_dataclass(hint):
            yield _option(parameter.name, hint, parameter.default)
            continue
        fields = get_type_hints(hint, include_extras=True)
        for field in dataclasses.fields(hint):
            yield _option(field.name, fields[field.name], field.default)
    yield _option("debug", Debug, False)


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    without = default is dataclasses.MISSING or default is inspect.Parameter.empty
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if without else default,
        annotation=hint,
    )


def _run(function: Callable[..., Any], values: dict[str, Any], debug: bool) -> int:
    try:
        found = function(**values)
        return int((asyncio.run(found) if inspect.iscoroutine(found) else found) or 0)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except JobbersError as error:
        if debug:
            say(traceback.format_exc())
        say(f"error: {error}")
        return exit_code(error)
    except Exception as error:
        if type(error).__module__.startswith(("typer.", "click.")):
            raise  # how typer ends a command, or explains wrong usage
        if isinstance(error, BrokenPipeError):
            raise  # typer ends quietly when the reader of the output has gone
        if debug:
            say(traceback.format_exc())
        hint = "" if debug else " (--debug shows where)"
        say(f"error: unexpected {type(error).__name__}: {error}{hint}")
        return ExitCode.BUG
