"""Lines of the log through OTLP: with their trace and span, bounded, and told of once when some are lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from jobbers.telemetry.logs import LONGEST_LINE, MOST_WAITING, LogLines
from jobbers.telemetry.patience import Patience
from jobbers.testing import Receiver
from tests.scenarios.harness import until
from tests.telemetry.rig import Rig

SUBMIT = "import asyncio; from tests.telemetry.program import talk; print(asyncio.run(talk.submit()).id)"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_line_of_a_task_has_its_trace_and_span_there_and_on_the_terminal(protocol: str) -> None:
    with Receiver() as receiver, Rig(receiver.environment(protocol)) as rig:
        worker = await rig.worker(JOBBERS_LOG_FORMAT="json")
        task = rig.run("-c", SUBMIT).strip()
        receiver.wait(
            lambda it: it.named("process default", messaging__message__id=task), "the attempt's span"
        )
        receiver.wait(lambda it: [line for line in it.lines if line.body == "from inside"], "the lines")
        await until(lambda: "from inside" in worker.said(), "and in the worker's own log")
        own = [json.loads(line) for line in worker.said().splitlines()]
        worker.terminate()
        assert await worker.ended(20) == 0
    (span,) = receiver.named("process default", messaging__message__id=task)
    (inner,) = receiver.named("inner-talk")
    nested, direct = (
        [line for line in receiver.lines if line.body == body] for body in ("nested", "from inside")
    )
    assert [(it.trace_id, it.span_id) for it in direct] == [(span.trace_id, span.span_id)]
    assert [(it.trace_id, it.span_id) for it in nested] == [(inner.trace_id, inner.span_id)]
    assert (direct[0].logger, direct[0].severity) == ("shop", "WARNING")
    assert direct[0].attributes == {
        "messaging.message.id": task,
        "jobbers.task.type": "talk",
        "jobbers.task.attempt": 1,
        "messaging.destination.name": "default",
    }
    (error,) = [line for line in receiver.lines if line.body == "with a traceback"]
    assert error.attributes["exception.type"] == "ZeroDivisionError"
    (outside, *_) = [line for line in receiver.lines if "serves" in line.body]
    assert (outside.trace_id, outside.span_id) == ("", "")
    (told,) = [line for line in own if line["message"] == "from inside"]
    assert (told["trace_id"], told["span_id"]) == (span.trace_id, span.span_id)


async def test_a_receiver_that_takes_no_logs_is_told_of_once_and_costs_traces_nothing() -> None:
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        receiver.takes_logs = False
        worker = await rig.worker()
        for _ in range(2):
            rig.run("-c", SUBMIT)
        receiver.wait(lambda it: len(it.named("process default")) == 2, "spans are sent")
        await until(lambda: "the log cannot be sent" in worker.said(), "one warning")
        assert worker.said().count("cannot be sent") == 1
        assert "404" in worker.said()
        worker.terminate()
        assert await worker.ended(20) == 0


class Answer(Enum):
    SUCCESS = 0
    FAILURE = 1


class Sink:
    """An exporter that says what it is told to, and keeps what it is given."""

    def __init__(self) -> None:
        self.answer = Answer.SUCCESS
        self.bodies: list[Any] = []

    def export(self, batch: Sequence[Any], /) -> Answer:
        self.bodies += [it.log_record.body for it in batch]
        return self.answer


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger("tests.lines")
    made.propagate = False
    yield made
    made.handlers.clear()


def test_what_waits_is_bounded_and_loss_is_told_once(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink()
    lines = LogLines(sink, Resource({}), Patience("the log", ()))
    logger.addHandler(lines)
    for number in range(MOST_WAITING + 7):
        logger.warning("%d", number)
    logger.warning("x" * (LONGEST_LINE + 5))
    lines.send()
    assert len(sink.bodies) == MOST_WAITING
    assert sink.bodies[0] == "8", "the oldest were dropped"
    assert sink.bodies[-1].endswith("x… (5 characters cut)")
    for _ in range(MOST_WAITING + 1):
        logger.warning("again")
    lines.send()
    said = [it.getMessage() for it in caplog.records if it.name == "jobbers.telemetry"]
    assert [it[:32] for it in said] == ["8 lines of the log were not sent"]


def test_what_sending_says_is_not_sent(logger: logging.Logger) -> None:
    sink = Sink()
    lines = LogLines(sink, Resource({}), Patience("the log", ()))
    for name in ("jobbers.telemetry", "opentelemetry.exporter", "urllib3.connectionpool", "jobbers.worker"):
        lines.handle(logging.LogRecord(name, logging.WARNING, "x.py", 1, name, (), None))
    lines.send()
    assert sink.bodies == ["jobbers.worker"]
