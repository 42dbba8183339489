"""What a span tells of an exception has a bound, and a mark where it was cut."""

from __future__ import annotations

from jobbers.errors import ConfigError
from jobbers.telemetry.exceptions import LONGEST_MESSAGE, LONGEST_STACK, told


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_what_is_short_is_whole() -> None:
    event = told(raised(ValueError("no")))
    assert (event["exception.type"], event["exception.message"]) == ("ValueError", "no")
    assert event["exception.stacktrace"].startswith("Traceback")
    assert event["exception.stacktrace"].endswith("ValueError: no\n")
    assert told(ConfigError("x"))["exception.type"] == "jobbers.errors.ConfigError"


def test_what_is_long_is_cut_with_a_mark() -> None:
    event = told(raised(ValueError("x" * 1_000_000)))
    assert event["exception.message"].endswith("x… (996,000 characters cut)")
    assert len(event["exception.message"]) < LONGEST_MESSAGE + 50
    assert "characters cut) …" in event["exception.stacktrace"]
    assert len(event["exception.stacktrace"]) < LONGEST_STACK + 50


def test_one_that_cannot_be_shown_ends_nothing() -> None:
    assert told(raised(Mute()))["exception.message"] == "(cannot be shown)"
