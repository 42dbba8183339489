"""What is printed, and what is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from jobbers.cli import inputs, output
from jobbers.cli.running import guarded
from jobbers.core.status import Status
from jobbers.errors import InvalidInput


@dataclass
class Point:
    x: int
    seen: datetime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2031, 5, 6, tzinfo=UTC), "2031-05-06T00:00:00+00:00"),
        (date(2031, 5, 6), "2031-05-06"),
        (timedelta(seconds=90), 90.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (b"\xff\x00", "/wA="),
        (Status.QUEUED, "queued"),
        (float("nan"), "nan"),
        ({1: (1, 2), b"k": {3}, None: None}, {"1": [1, 2], "aw==": [3], "None": None}),
        (Point(1, datetime(2031, 5, 6, tzinfo=UTC)), {"x": 1, "seen": "2031-05-06T00:00:00+00:00"}),
        (True, True),
    ],
)
def test_everything_becomes_json(value: Any, expected: Any, capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json_line(value)
    assert json.loads(capsys.readouterr().out) == expected


def test_control_characters_are_made_visible(capsys: pytest.CaptureFixture[str]) -> None:
    output.show("a\x1b[2Jb\x9bc\td\ne\rf")
    assert capsys.readouterr().out == "a\\x1b[2Jb\\x9bc\td\ne\\x0df\n"
    output.show_json("\x9b\x7f\x1b")
    assert json.loads(out := capsys.readouterr().out) == "\x9b\x7f\x1b"
    assert not {"\x9b", "\x7f", "\x1b"} & set(out)


def test_a_table_in_a_file_is_not_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    output.console().print(output.table(["name", ">size"], [["x" * 300, "[bold]1[/]"]]))
    out = capsys.readouterr().out
    assert "x" * 300 in out
    assert "[bold]1[/]" in out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0125, "12ms"), (1, "1.0s"), (59.94, "59.9s"), (61, "1m01s"), (3700, "1h01m"), (200_000, "2d07h")],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert output.span(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.0, "0"), (4e-05, "<0.001"), (0.0376, "0.0376"), (16.84, "16.8"), (77_777.7, "77,778")],
)
def test_rates_for_people(rate: float, text: str) -> None:
    assert output.pace(rate) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        (".5s", 0.5),
        ("500ms", 0.5),
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
    ],
)
def test_durations_from_people(text: str, seconds: float) -> None:
    assert inputs.duration(text, "--delay") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1w", "nan", "inf", "1e5", "1 h"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="--delay"):
        inputs.duration(text, "--delay")


def test_names() -> None:
    assert inputs.names("a, b,,c") == ["a", "b", "c"]
    assert inputs.names(None) is None


def test_json_that_is_nested_too_deeply() -> None:
    with pytest.raises(InvalidInput, match=r"nested too deeply|not JSON"):
        inputs.document("[" * 100_000, "--args")


@dataclass(frozen=True)
class Group:
    size: Annotated[int, typer.Option("--size")] = 1
    flag: Annotated[bool, typer.Option("--flag")] = False


def test_a_group_of_options_is_spread() -> None:
    seen: list[Any] = []
    app = typer.Typer()

    @app.command()
    @guarded
    async def command(name: Annotated[str, typer.Argument()], group: Group, last: int = 3) -> int:
        seen.extend([name, group, last])
        return 7

    result = CliRunner().invoke(app, ["x", "--size=2", "--flag", "--last=4"])
    assert result.exit_code == 7
    assert seen == ["x", Group(2, True), 4]
    assert CliRunner().invoke(app, []).exit_code == 2
