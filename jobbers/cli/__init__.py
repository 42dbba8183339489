"""The command line. One command is one file in :mod:`jobbers.cli.commands`, imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command that ``sys.argv`` asks for; ends the process with one of the documented exit codes."""
    from jobbers.cli.lazy import cli

    cli(prog_name="jobbers")
