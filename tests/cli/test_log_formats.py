"""Lines of the log name the task that they were written in."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from jobbers.cli.log_formats import JsonFormatter, TaskIds, TextFormatter
from jobbers.context import CurrentTask, running_task
from jobbers.core import trace_context
from jobbers.core.task import Claimed

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLAIMED = Claimed("01JGZ3Y9W5V8Q2M4T6R8K0N1PD", "w/1", "send_mail", "mail", 5, 2, 0, 0, 0, b"")


def record(message: str = "sent %d", *args: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, "x.py", 1, message, args or (3,), None)
    assert TaskIds().filter(made)
    return made


def in_task(headers: dict[str, str]) -> logging.LogRecord:
    token = running_task.set(CurrentTask(CLAIMED, "w", headers))
    try:
        return record()
    finally:
        running_task.reset(token)


def test_text() -> None:
    assert TextFormatter().format(record()).endswith("WARNING shop: sent 3")
    line = TextFormatter().format(in_task({}))
    assert line.endswith("WARNING shop: sent 3 [send_mail 01JGZ3Y9W5V8Q2M4T6R8K0N1PD attempt 2]")


def test_ids_of_telemetry_go_before_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_context, "_ask", [lambda: {"trace_id": "aa", "span_id": "bb"}])
    assert TextFormatter().format(in_task({"traceparent": PARENT})).endswith(" attempt 2 trace aa span bb]")
    line = json.loads(JsonFormatter().format(in_task({"traceparent": PARENT})))
    assert (line["trace_id"], line["span_id"]) == ("aa", "bb")


def test_json() -> None:
    line = json.loads(JsonFormatter().format(record()))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "shop", "message": "sent 3"}
    line = json.loads(JsonFormatter().format(in_task({"traceparent": PARENT})))
    del line["time"]
    assert line == {
        "level": "warning",
        "logger": "shop",
        "message": "sent 3",
        "task": CLAIMED.id,
        "type": "send_mail",
        "attempt": 2,
        "queue": "mail",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_what_is_no_trace_is_no_id() -> None:
    assert "trace_id" not in json.loads(JsonFormatter().format(in_task({"traceparent": "rubbish"})))


def test_errors_stay_on_one_line_of_json() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        made = logging.LogRecord("shop", logging.ERROR, "x.py", 1, "oh", (), sys.exc_info())
    (line,) = JsonFormatter().format(made).splitlines()
    assert "ValueError: two\nlines" in json.loads(line)["error"]
