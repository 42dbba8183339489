"""What a real worker and a real submitter send to a real receiver."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from jobbers.testing import Receiver
from jobbers.testing.otlp import Span
from tests.scenarios.harness import until
from tests.telemetry.program import GIVEN, SECRET
from tests.telemetry.rig import Rig

Seen = tuple[Receiver, Mapping[str, Any]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def seen() -> AsyncIterator[Seen]:
    """Everything that came while the program submitted everything and a worker ran it, until both had ended."""
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        worker = await rig.worker(OTEL_SERVICE_NAME="worker")
        ids = rig.submit_everything()
        receiver.wait(lambda it: it.latest("jobbers.worker.slots"), "the worker tells of its slots")
        receiver.wait(lambda it: it.latest("jobbers.queue.depth"), "the queues are measured")
        worker.terminate()
        assert await worker.ended(20) == 0
        yield receiver, ids


def attempts(seen: Seen, name: str, queue: str = "default") -> list[Span]:
    receiver, ids = seen
    return receiver.named(f"process {queue}", messaging__message__id=ids[name])


def sent(seen: Seen, name: str, queue: str = "default") -> Span:
    receiver, ids = seen
    (span,) = receiver.named(f"send {queue}", messaging__message__id=ids[name])
    return span


async def test_a_task_is_two_spans_in_one_trace(seen: Seen) -> None:
    producer = sent(seen, "quick", "mail")
    (consumer,) = attempts(seen, "quick", "mail")
    assert (producer.kind, consumer.kind) == ("producer", "consumer")
    assert producer.resource["service.name"] == "submitter"
    assert consumer.resource["service.name"] == "worker"
    assert (consumer.trace_id, consumer.parent_id) == (producer.trace_id, producer.span_id)
    assert producer.parent_id == ""
    assert not consumer.is_error
    assert (
        consumer.attributes.items()
        >= {
            "messaging.system": "jobbers",
            "messaging.destination.name": "mail",
            "messaging.message.id": seen[1]["quick"],
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "jobbers.task.type": "quick",
            "jobbers.task.attempt": 1,
            "jobbers.task.outcome": "succeeded",
        }.items()
    )
    assert producer.attributes["messaging.operation.type"] == "send"
    assert producer.began <= consumer.began <= consumer.ended


async def test_spans_of_the_users_own_nest(seen: Seen) -> None:
    for name, inner in (("quick", "inner"), ("threaded", "inner-thread")):
        (attempt,) = attempts(seen, name, "mail" if name == "quick" else "default")
        (nested,) = [span for span in seen[0].named(inner) if span.trace_id == attempt.trace_id]
        assert nested.parent_id == attempt.span_id


async def test_retries_are_errors_that_the_next_attempt_links_to(seen: Seen) -> None:
    first, second = sorted(attempts(seen, "flaky"), key=lambda span: span.began)
    assert first.is_error
    assert first.attributes["error.type"] == "ValueError"
    assert first.attributes["jobbers.task.outcome"] == "retried"
    ((name, details),) = first.events
    assert (name, details["exception.type"], details["exception.message"]) == (
        "exception",
        "ValueError",
        "the first time",
    )
    assert not second.is_error
    assert second.attributes["jobbers.task.attempt"] == 2
    assert second.links == ((first.trace_id, first.span_id),)
    assert first.parent_id == second.parent_id == sent(seen, "flaky").span_id


async def test_delayed_tasks_stay_in_their_trace(seen: Seen) -> None:
    (attempt,) = attempts(seen, "delayed", "mail")
    assert attempt.parent_id == sent(seen, "delayed", "mail").span_id
    assert attempt.began - sent(seen, "delayed", "mail").began >= 0.25e9


async def test_a_task_that_submits_is_the_parent_of_that(seen: Seen) -> None:
    (attempt,) = attempts(seen, "parent")
    producer = sent(seen, "child", "mail")
    assert (producer.parent_id, producer.trace_id) == (attempt.span_id, sent(seen, "parent").trace_id)
    assert producer.resource["service.name"] == "worker"


async def test_runs_are_in_the_trace_of_who_started_them(seen: Seen) -> None:
    receiver, ids = seen
    (created,) = receiver.named("create flow")
    assert created.parent_id == ids["request"]
    assert created.attributes["jobbers.run.id"] == ids["run"]
    assert created.attributes["messaging.batch.message_count"] == 2
    nodes = receiver.named("process default", jobbers__run__id=ids["run"])
    assert [node.parent_id for node in nodes] == [created.span_id] * 2


async def test_maps_and_their_items_are_in_the_trace_of_their_run(seen: Seen) -> None:
    receiver, ids = seen
    (created,) = receiver.named("create items")
    spans = receiver.named("process default", jobbers__run__id=ids["mapped"])
    assert {span.parent_id for span in spans} == {created.span_id}
    kinds = Counter(
        (span.attributes["jobbers.task.type"], span.attributes["jobbers.task.outcome"]) for span in spans
    )
    assert kinds["numbers", "succeeded"] == 1
    assert kinds["item", "succeeded"] == 3
    assert kinds["item", "suspended"] >= 1, "the map itself, which has made its items"


async def test_a_trace_that_is_given_is_gone_on_with(seen: Seen) -> None:
    producer = sent(seen, "given", "mail")
    assert GIVEN.split("-")[1:3] == [producer.trace_id, producer.parent_id]
    (attempt,) = attempts(seen, "given", "mail")
    assert attempt.parent_id == producer.span_id


async def test_what_is_not_sampled_where_it_began_makes_no_span(seen: Seen) -> None:
    assert attempts(seen, "unsampled", "mail") == []


async def test_granularities(seen: Seen) -> None:
    receiver, _ = seen
    assert attempts(seen, "silent") == []
    assert attempts(seen, "never") == []
    assert len(attempts(seen, "each")) == 1
    (slow,) = attempts(seen, "slow")
    assert slow.ended - slow.began >= 0.2e9
    assert attempts(seen, "fast") == []
    (wrong,) = attempts(seen, "wrong")
    assert (wrong.is_error, wrong.attributes["error.type"]) == (True, "KeyError")
    assert attempts(seen, "right") == []
    batch = receiver.named("process default", jobbers__task__type="batched")
    assert {span.attributes["jobbers.batch.aggregated"] for span in batch} == {True}
    assert sum(span.attributes["messaging.batch.message_count"] for span in batch) == 50
    for span in batch:
        shape = [
            span.attributes[f"jobbers.batch.duration.{word}"] for word in ("min", "p50", "p95", "p99", "max")
        ]
        assert shape == sorted(shape)


async def test_auto_tells_of_some_alone_and_of_the_rest_together(seen: Seen) -> None:
    spans = seen[0].named("process default", jobbers__task__type="auto")
    together = [span for span in spans if span.attributes.get("jobbers.batch.aggregated")]
    alone = len(spans) - len(together)
    assert sum(span.attributes["messaging.batch.message_count"] for span in together) + alone == 300
    assert alone < 150
    (producer,) = seen[0].named("send default", jobbers__task__type="auto")
    assert producer.attributes["messaging.batch.message_count"] == 300
    assert (producer.trace_id, producer.span_id) in {link for span in together for link in span.links}


async def test_no_span_id_is_used_twice_and_no_argument_is_told(seen: Seen) -> None:
    spans = seen[0].spans
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans)
    assert SECRET not in repr(spans)
    assert SECRET not in repr(seen[0].points)


async def test_metrics(seen: Seen) -> None:
    receiver, _ = seen

    def value(metric: str, **attributes: Any) -> float:
        point = receiver.latest(metric, **attributes)
        assert point is not None, metric
        assert point.attributes["messaging.system"] == "jobbers"
        return point.value

    assert value("messaging.client.sent.messages", messaging__destination__name="mail") >= 1
    assert (
        value("jobbers.tasks.finished", jobbers__task__type="batched", jobbers__task__outcome="succeeded")
        == 50
    )
    assert (
        value("jobbers.tasks.finished", jobbers__task__type="silent", jobbers__task__outcome="succeeded") == 1
    )
    assert value("jobbers.tasks.finished", jobbers__task__type="wrong", jobbers__task__outcome="failed") == 1
    assert value("jobbers.task.retries", jobbers__task__type="flaky") == 1
    assert value("jobbers.worker.slots") == 100
    assert value("jobbers.worker.busy") == 0
    assert value("jobbers.worker.loop.lag") >= 0
    assert value("jobbers.queue.depth", messaging__destination__name="default") >= 0
    assert value("jobbers.queue.oldest_age", messaging__destination__name="default") >= 0
    assert value("process.cpu.time") > 0
    claims = [point for point in receiver.points if point.metric == "jobbers.claim.size"]
    assert claims[-1].value >= 350, "the sum of tasks"
    assert 1 <= claims[-1].count < claims[-1].value
    for script in ("claim", "succeed", "submit"):
        called = receiver.latest("jobbers.script.duration", jobbers__script=script)
        assert called is not None, script
        assert called.count >= 1
        assert called.value > 0
    assert value("jobbers.tasks", jobbers__task__status="dead") >= 0
    ran = receiver.latest("messaging.process.duration", jobbers__task__type="auto")
    assert ran is not None
    assert (ran.count, ran.value > 0) == (300, True)
    waited = receiver.latest("jobbers.task.wait.duration", jobbers__task__type="quick")
    assert waited is not None
    assert waited.count >= 4
    consumed = {
        point.attributes["messaging.destination.name"]: point.value
        for point in receiver.points
        if point.metric == "messaging.client.consumed.messages"
    }
    assert consumed["mail"] >= 4


async def test_exemplars_lead_to_spans(seen: Seen) -> None:
    receiver, _ = seen
    pointed = {
        exemplar
        for point in receiver.points
        if point.metric == "messaging.process.duration"
        for exemplar in point.exemplars
    }
    assert pointed
    assert pointed <= {span.span_id for span in receiver.spans}


CANCEL = """
import sys, time
from tests.telemetry.program import app
task = app.sync.wrap(app.handle(sys.argv[1]))
while task.status() != "running":
    time.sleep(0.05)
task.cancel()
app.sync.close()
"""


async def test_an_attempt_that_is_put_back_and_the_one_after_it_have_spans_of_their_own() -> None:
    submit = "import asyncio; from tests.telemetry.program import long; print(asyncio.run(long.submit()).id)"
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        first = await rig.worker(JOBBERS_GRACE="0")
        task = rig.run("-c", submit).strip()
        receiver.wait(lambda it: it.latest("messaging.client.consumed.messages"), "it runs")
        first.terminate()
        assert await first.ended(20) == 0
        await rig.worker(JOBBERS_GRACE="0")
        rig.run("-c", CANCEL, task)
        receiver.wait(lambda it: len(it.named("process default")) == 2, "both attempts are told of")
        released, lost = receiver.named("process default", messaging__message__id=task)
    assert [span.attributes["jobbers.task.outcome"] for span in (released, lost)] == ["released", "lost"]
    assert released.parent_id == lost.parent_id
    assert released.span_id != lost.span_id


async def test_a_killed_workers_span_is_ended_by_who_takes_its_task_back() -> None:
    submit = (
        "import asyncio; from tests.telemetry.program import mortal; print(asyncio.run(mortal.submit()).id)"
    )
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        first = await rig.worker()
        task = rig.run("-c", submit).strip()
        receiver.wait(lambda it: it.named("inner-mortal"), "it runs, and has sent a span of its own")
        first.kill()
        await rig.worker()
        receiver.wait(lambda it: len(it.named("process default")) == 2, "both attempts are told of")
        (inner, *_) = receiver.named("inner-mortal")
        lost, done = sorted(
            receiver.named("process default", messaging__message__id=task), key=lambda span: span.began
        )
    assert [span.attributes["jobbers.task.outcome"] for span in (lost, done)] == ["lost", "succeeded"]
    assert (lost.is_error, lost.attributes["error.type"]) == (True, "WorkerLost")
    assert lost.attributes["messaging.client.id"] != done.attributes["messaging.client.id"]
    assert (inner.parent_id, inner.trace_id) == (lost.span_id, lost.trace_id)
    assert done.links == ((lost.trace_id, lost.span_id),)
    assert done.parent_id == lost.parent_id != ""
    assert lost.ended - lost.began >= 0.5e9, "from its claim until its lease had ended"


async def test_the_other_protocol() -> None:
    with Receiver() as receiver, Rig(receiver.environment("grpc")) as rig:
        worker = await rig.worker()
        rig.run(
            "-c", "import asyncio; from tests.telemetry.program import quick; asyncio.run(quick.submit('x'))"
        )
        receiver.wait(lambda it: it.named("process mail"), "the attempt's span is here")
        receiver.wait(lambda it: it.latest("jobbers.tasks.finished"), "metrics are here")
        assert receiver.named("process mail")[0].resource["service.name"] == "jobbers", (
            "what it is called by default"
        )
        worker.terminate()
        assert await worker.ended(20) == 0


async def test_a_receiver_that_is_away_neither_fails_nor_delays_a_task() -> None:
    with Receiver() as receiver:
        away = receiver.environment()
    with Rig(away) as rig:
        worker = await rig.worker()
        begun = time.monotonic()
        rig.submit_everything()
        assert time.monotonic() - begun < 40
        assert "a subscriber of events failed" not in worker.said()
        worker.terminate()
        assert await worker.ended(25) == 0


async def test_a_receiver_that_refuses_is_told_of_once_and_left_alone_for_longer_and_longer() -> None:
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        receiver.refuses = 401
        worker = await rig.worker()
        rig.submit_everything()
        await until(lambda: receiver.asked >= 3, "it was tried again")
        await asyncio.sleep(3)
        assert receiver.asked <= 14, (
            "in some seconds, by two processes that have something to send twice a second or more"
        )
        assert worker.said().count("telemetry cannot be sent") == 1
        assert "401" in worker.said()
        assert "opentelemetry" not in worker.said()
        receiver.refuses = None
        await until(lambda: "telemetry is sent again" in worker.said(), "it goes on")
        worker.terminate()
        assert await worker.ended(25) == 0


OFF = """
import asyncio, sys
import redis, redis.asyncio
there = {name for name in sys.modules if name.startswith("opentelemetry")}

from tests.telemetry.off import app, work
from jobbers.worker import Worker

async def main():
    handle = await work.submit()
    await Worker(app, burst=True).run()
    more = {name for name in sys.modules if name.startswith("opentelemetry")} - there
    print(await handle.result(30), app.telemetry, app.events.tell, sorted(more))
    print("jobbers.telemetry.pipeline" in sys.modules, "opentelemetry.exporter" in sys.modules)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "JOBBERS_TELEMETRY": "off"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
async def test_off_imports_nothing(environment: dict[str, str]) -> None:
    """But what redis-py imports by itself wherever it finds OpenTelemetry installed: its metrics, which stay unused."""
    with Rig(environment) as rig:
        assert rig.run("-c", OFF).split() == ["7", "None", "None", "[]", "False", "False"]


async def test_lines_of_a_workers_log_name_their_task() -> None:
    with Rig({"JOBBERS_LOG_FORMAT": "json", "JOBBERS_TELEMETRY_TYPES": "gone*=off, flaky=errors"}) as rig:
        worker = await rig.worker()
        rig.run(
            "-c", "import asyncio; from tests.telemetry.program import flaky as f; asyncio.run(f.submit())"
        )
        await until(lambda: "ValueError" in worker.said(), "the failure is in the log")
        lines = [json.loads(line) for line in worker.said().splitlines()]
    (failure,) = [line for line in lines if "ValueError" in line["message"]]
    assert (failure["type"], failure["attempt"], failure["queue"]) == ("flaky", 1, "default")
    assert failure["task"] in failure["message"]
    (warning,) = [line["message"] for line in lines if "telemetry_types" in line["message"]]
    assert "'gone*'" in warning


async def test_on_by_the_setting_alone() -> None:
    with Rig({"JOBBERS_TELEMETRY": "on", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}) as rig:
        printed = rig.run("-c", "from tests.telemetry.off import app; print(app.telemetry is not None)")
        assert printed.split() == ["True"]
