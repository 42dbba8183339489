"""What a span tells of an exception has a bound, and a mark where it was cut."""

from __future__ import annotations

import logging

import pytest

from jobbers.errors import ConfigError
from jobbers.telemetry.exceptions import LONGEST_KIND, LONGEST_MESSAGE, LONGEST_STACK, kind_of, told
from jobbers.telemetry.patience import Patience


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


def test_names_of_classes_have_a_bound() -> None:
    error = type("E" * 10_000, (ValueError,), {})("no")
    assert kind_of(error) == f"{'E' * LONGEST_KIND}… (9,800 characters cut)"
    assert told(error)["exception.type"].endswith(" characters cut)")


def test_what_is_said_of_a_receiver_holds_no_key(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience("telemetry", ("tests.exporter",))
    reason = "refused by http://user:hush@host:1/v1/traces?key=hush, url: /v1/traces?key=hush (why?) (x@y)"
    logging.getLogger("tests.exporter").error(reason)
    patience.note(sent=False)
    (said,) = [it.getMessage() for it in caplog.records if it.name == "jobbers.telemetry"]
    assert "hush" not in said
    assert said.endswith("refused by http://…@host:1/v1/traces?… url: /v1/traces?… (why?) (x@y)")
