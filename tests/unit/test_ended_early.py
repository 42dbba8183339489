"""An execution that is ended before its asyncio task has made its first step is settled all the same."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from jobbers import Batch, Jobbers
from jobbers.core.ids import make_id
from jobbers.core.payload import pack_envelope
from jobbers.core.task import Claimed
from jobbers.worker.execution import Ending
from jobbers.worker.executors import Executors
from jobbers.worker.finisher import Finisher
from jobbers.worker.runner import Runner
from jobbers.worker.slots import Slots


def claimed(number: int, task_type: str) -> Claimed:
    envelope = pack_envelope([number], {}, {})
    values = dict.fromkeys(Claimed._fields, 0)
    known = {"id": make_id(1, number), "type": task_type, "queue": "default", "owner": "w/1", "attempt": 1}
    return Claimed(**{**values, **known, "envelope": envelope})  # type: ignore[arg-type]


@pytest.mark.parametrize("task_type", ["single", "batched"])
@pytest.mark.parametrize("ending", list(Ending))
async def test_ended_before_the_first_step(task_type: str, ending: Ending) -> None:
    app = Jobbers("redis://localhost:1")
    ran: list[Any] = []

    @app.task
    async def single(number: int) -> None:
        ran.append(number)

    @app.task(batch=Batch(size=2))
    async def batched(numbers: list[int]) -> None:
        ran.append(numbers)

    store: Any = SimpleNamespace(maps=None, runs=None, inspect=None, strikes=SimpleNamespace(known={}))
    finisher = Finisher(store, 1000, app.events)
    runner = Runner(app, "w", finisher, Executors(1, 1), store)
    slots = Slots(2)
    slots.take(2)
    for number in (1, 2):
        runner.start(claimed(number, task_type), slots, 0)
    for execution in list(runner.running):
        execution.end(ending)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (ran, dict(runner.running), slots.free) == ([], {}, 2)
    assert finisher.backlog == (0 if ending is Ending.LOST else 2)
