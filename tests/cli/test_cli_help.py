"""Help, the list of commands, exit codes: what a person meets first."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jobbers.cli.commands
from jobbers.cli.exit_codes import ExitCode, exit_code
from jobbers.cli.lazy import COMMANDS
from jobbers.errors import (
    Conflict,
    EmbeddedUnavailable,
    InvalidArgument,
    JobbersError,
    NotFound,
    TaskCancelled,
    TaskFailed,
    UnknownOutcome,
    UnknownTaskType,
    WaitTimeout,
)

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = (
    "fastapi",
    "jobbers.app",
    "jobbers.cli.commands",
    "jobbers.store",
    "opentelemetry",
    "pydantic",
    "redis",
    "rich",
    "uvloop",
    "watchfiles",
)


def test_each_command_is_one_file() -> None:
    folder = Path(jobbers.cli.commands.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(COMMANDS)


def test_help_lists_every_command(process) -> None:
    answer = process("--help")
    assert answer.code == ExitCode.OK
    assert answer.err == ""
    assert set(COMMANDS) <= set(re.findall(r"^  ([a-z]+)  ", answer.out, re.MULTILINE))


def test_help_imports_no_command_and_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "sys.argv = ['jobbers', '--help']\n"
        "from jobbers.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted(set(sys.modules) - before), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = ast.literal_eval(done.stderr)
    assert "typer" in added
    assert [name for name in added if name.startswith(HEAVY)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, jobbers) -> None:
    answer = jobbers(command, "--help")
    assert answer.out.startswith(f"Usage: jobbers {command} ")
    assert "--help" in answer.out


def test_without_a_command_there_is_help(jobbers) -> None:
    answer = jobbers(code=ExitCode.USAGE)
    assert "Usage: jobbers" in answer.out + answer.err


def test_a_command_that_is_none(jobbers) -> None:
    answer = jobbers("submitt", code=ExitCode.USAGE)
    assert "submitt" in answer.err
    assert answer.out == ""


def test_a_subcommand_that_is_none(jobbers) -> None:
    assert "puase" in jobbers("queues", "puase", "mail", code=ExitCode.USAGE).err


def test_version(jobbers) -> None:
    assert re.fullmatch(r"jobbers \d+\.\d+\.\d+\n", jobbers("--version").out)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidArgument("x"), 2),
        (NotFound("x"), 3),
        (UnknownTaskType("x"), 3),
        (EmbeddedUnavailable("x"), 4),
        (UnknownOutcome("x"), 4),
        (WaitTimeout("x"), 5),
        (Conflict("x"), 6),
        (TaskFailed("x"), 1),
        (TaskCancelled("x"), 1),
        (JobbersError("x"), 1),
    ],
)
def test_errors_have_exit_codes(error: JobbersError, code: int) -> None:
    assert exit_code(error) == code


def test_the_exit_codes_are_documented() -> None:
    documented = re.findall(r"^\| (\d+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in documented] == [int(code) for code in ExitCode]


def test_every_command_is_documented() -> None:
    text = DOCS.read_text("utf-8")
    assert [name for name in COMMANDS if f"jobbers {name}" not in text] == []


def test_an_unforeseen_error_is_one_sentence(jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    async def explode(*_args: object) -> None:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("jobbers.inspector.Inspector.workers", explode)
    answer = jobbers("workers", code=ExitCode.BUG)
    assert answer.err == "error: unexpected RuntimeError: the sky fell (--debug shows where)\n"


def test_debug_shows_the_traceback(process) -> None:
    answer = process("status", "nonsense", "--debug")
    assert answer.code == ExitCode.USAGE
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1].startswith("error: task id 'nonsense' is not a ULID")
