"""What operators say of granularity holds for workers and clients that run."""

from __future__ import annotations

from jobbers.testing import Receiver
from tests.scenarios.harness import until
from tests.telemetry.rig import Rig

SUBMIT = """
import asyncio, sys
from tests.telemetry.program import app, silent, each
async def main():
    await app.client()
    for task in (silent, each):
        await (await task.submit()).wait(20)
asyncio.run(main())
"""


async def test_a_running_worker_follows_and_says_which_pattern_fits_nothing() -> None:
    with Receiver() as receiver, Rig(receiver.environment()) as rig:
        worker = await rig.worker()
        rig.run("-c", SUBMIT)
        receiver.wait(lambda it: it.named("process default", jobbers__task__type="each"), "as the code says")
        assert not receiver.named("process default", jobbers__task__type="silent")
        rig.run("-m", "jobbers", "telemetry", "set", "silent=always", "eac*=off", "gone*=off")
        await until(lambda: "'gone*'" in worker.said(), "the worker says what fits nothing")
        rig.run("-c", SUBMIT)
        receiver.wait(lambda it: it.named("process default", jobbers__task__type="silent"), "as was set live")
        (sent,) = receiver.named("send default", jobbers__task__type="silent")
        (process,) = receiver.named("process default", jobbers__task__type="silent")
        assert (process.trace_id, process.parent_id) == (sent.trace_id, sent.span_id)
        rig.run("-m", "jobbers", "telemetry", "reset")
        await until(lambda: "set live: nothing" in worker.said(), "the worker follows")
        rig.run("-c", SUBMIT)
        receiver.wait(
            lambda it: len(it.named("process default", jobbers__task__type="each")) == 2,
            "the code counts again",
        )
        worker.terminate()
        assert await worker.ended(20) == 0
        assert len(receiver.named("process default", jobbers__task__type="silent")) == 1
