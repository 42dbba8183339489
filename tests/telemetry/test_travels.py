"""Contexts on long ways between two workers; and what a slow receiver costs."""

from __future__ import annotations

import json

from jobbers.testing import Receiver
from tests.scenarios.harness import until
from tests.telemetry.program import GIVEN
from tests.telemetry.rig import Rig

PROGRAM = "tests.telemetry.travel"
SECRET = "hush-hush-0815"


async def test_contexts_travel_by_http_in_place_and_from_a_schedule_and_no_secret_does() -> None:
    keys = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}"}
    with Receiver() as receiver, Rig(receiver.environment(**keys), PROGRAM) as rig:
        workers = [await rig.worker(), await rig.worker()]
        ids = json.loads(rig.run("-m", PROGRAM, SECRET))
        receiver.wait(
            lambda it: len(it.named("process default", messaging__message__id=ids["http"])) == 2, "both"
        )
        receiver.wait(
            lambda it: len(it.named("process default", jobbers__run__id=ids["run"])) == 2, "the run"
        )
        receiver.wait(lambda it: len(it.named("process mail")) >= 2, "the schedule")
        said = "".join(worker.said() for worker in workers)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            assert await worker.ended(20) == 0
    trace, caller = GIVEN.split("-")[1:3]
    (sent,) = receiver.named("send default", messaging__message__id=ids["http"])
    (request,) = receiver.named("POST /api/v1/tasks")
    assert (request.trace_id, request.parent_id) == (trace, caller), "of the caller"
    assert (sent.trace_id, sent.parent_id) == (trace, request.span_id), "of the request"
    assert request.attributes["http.response.status_code"] == 201
    point = receiver.latest("http.server.request.duration", http__route="/api/v1/tasks")
    assert point is not None
    assert point.count == 1
    # An export has the exemplars since the one before it: where a process is slow to end, its newest has none.
    same = [it for it in receiver.points if (it.metric, it.attributes) == (point.metric, point.attributes)]
    assert {span_id for it in same for span_id in it.exemplars} == {request.span_id}
    assert point.attributes["http.response.status_code"] == 201
    assert "messaging.system" not in point.attributes
    before, after = sorted(
        receiver.named("process default", messaging__message__id=ids["http"]), key=lambda span: span.began
    )
    assert {(it.trace_id, it.parent_id) for it in (before, after)} == {(trace, sent.span_id)}
    assert after.links == ((before.trace_id, before.span_id),)
    assert before.began - sent.began >= 0.15e9, "it was delayed"

    (created,) = receiver.named("create line")
    one, two = sorted(
        receiver.named("process default", jobbers__run__id=ids["run"]), key=lambda span: span.began
    )
    assert [it.attributes["jobbers.task.type"] for it in (one, two)] == ["first", "second"]
    assert {(it.trace_id, it.parent_id) for it in (one, two)} == {(created.trace_id, created.span_id)}
    assert one.attributes["messaging.client.id"] == two.attributes["messaging.client.id"], "in its place"

    ticks = receiver.named("process mail")
    assert {it.parent_id for it in ticks} == {""}
    assert len({it.trace_id for it in ticks}) == len(ticks), "each slot of a schedule begins a trace"

    for what in (receiver.spans, receiver.points, receiver.lines):
        assert what
        assert SECRET not in repr(what)
    assert SECRET not in said


SUBMIT = """
import asyncio
from tests.telemetry.travel import app, many
async def main():
    handles = await many.map(range(1500))
    for handle in handles:
        assert await handle.wait(40) == "succeeded"
    await app.close()
asyncio.run(main())
"""


async def test_a_slow_receiver_loses_spans_and_no_task() -> None:
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"}
    with Receiver() as receiver, Rig(receiver.environment(**small), PROGRAM) as rig:
        receiver.pause = 2.0
        worker = await rig.worker()
        rig.run("-c", SUBMIT)
        receiver.pause = 0.0

        def counted(it: Receiver) -> bool:
            point = it.latest("jobbers.tasks.finished", jobbers__task__type="many")
            return point is not None and point.value == 1500

        receiver.wait(counted, "metrics count all of them")
        await until(lambda: receiver.named("process default"), "some spans came")
        worker.terminate()
        assert await worker.ended(25) == 0
    assert len(receiver.named("process default", jobbers__task__type="many")) < 1000, "what waits is bounded"
