"""The list of commands, and a command group that imports only the one that is called.

Nothing here may import more than typer: ``jobbers --help`` pays for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

SECTIONS: dict[str, dict[str, str]] = {
    "Run": {
        "worker": "Run a worker: it claims tasks and executes them.",
        "api": "Serve the HTTP API and the page.",
        "dev": "Server, worker and API in one, restarted when code changes.",
        "demo": "See it work: a small application with everything it needs.",
    },
    "Tasks": {
        "submit": "Submit a task.",
        "status": "Show everything known of a task.",
        "why": "Tell why a task or run does not run.",
        "result": "Wait for a task to end and print what it returned.",
        "tail": "Follow a task until it ends.",
        "cancel": "End tasks and runs that have not ended yet.",
        "dag": "List, draw and run graphs of tasks.",
        "schedules": "List, add, pause, run and delete schedules.",
    },
    "Look and mend": {
        "top": "Watch queues, workers and rates live.",
        "queues": "List queues; pause, drain, limit and purge them.",
        "limits": "List limits and rates; change them while workers run.",
        "breakers": "List circuit breakers; open and close them.",
        "roles": "List roles and who serves what; change them live.",
        "workers": "List workers; pause them, let them end.",
        "types": "List task types; change their timeouts, retries and more live.",
        "telemetry": "Show how much telemetry task types make; change it live.",
        "stats": "Show what became of tasks, and how long they ran.",
        "strike": "Keep tasks from running, by type and arguments.",
        "dlq": "List, show, requeue or drop dead letters.",
        "doctor": "Check the server and the stored data.",
        "keys": "List, create and revoke keys of the API.",
        "audit": "Show who did what.",
    },
    "More": {
        "bench": "Measure submitting and executing on this machine.",
        "version": "Print the versions of everything that matters.",
    },
}
"""Every command, by section, with its line of help. Its module has the same name."""

COMMANDS = {name: text for section in SECTIONS.values() for name, text in section.items()}


def new_cli(**options: Any) -> typer.Typer:
    """A typer application with the manners of this command line. Its errors never show local variables, which may
    hold passwords."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **options,
    )


class LazyGroup(TyperGroup):
    """The top of the command line."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - click's signature
        """Names only: completion and suggestions need no more."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = get_command(import_module(f"jobbers.cli.commands.{cmd_name}").cli)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List the commands for ``--help`` without importing one."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


class ListGroup(TyperGroup):
    """A group whose command ``list`` is meant when none is named: ``jobbers queues --json``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before what is no name of a command."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


cli = new_cli(cls=LazyGroup, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"jobbers {version('jobbers')}")
        raise typer.Exit


@cli.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Redis-native asyncio task workers.

    APP is where an application lies, as module:attribute (the attribute is "app" if left out). Settings come from
    JOBBERS_... variables: JOBBERS_REDIS_URL names the server, JOBBERS_APP the application.
    """
