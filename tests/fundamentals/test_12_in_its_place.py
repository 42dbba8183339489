"""Tasks that return a workflow, which is run in their place."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from jobbers import Jobbers, Retry, Status, TaskFailed, chain, group
from tests.conftest import StartWorker


async def test_the_task_has_the_result_of_what_it_returned(app: Jobbers, worker: StartWorker) -> None:
    calls: Counter[str] = Counter()

    @app.task
    async def add(left: int, right: int) -> int:
        calls["add"] += 1
        return left + right

    @app.task
    async def plan(count: int) -> Any:
        calls["plan"] += 1
        return group(*[add.s(number, 1) for number in range(count)])

    @app.task
    async def total(values: list[int]) -> int:
        return sum(values)

    alone = await plan.submit(3)
    run = await chain(plan.s(4), total.s()).submit()
    async with worker(app):
        assert await alone.result(20) == [1, 2, 3]
        assert await run.result(20) == 10
    assert calls == {"plan": 2, "add": 7}


async def test_a_factorial(app: Jobbers, worker: StartWorker) -> None:
    """Flows within flows: each execution starts the next one."""

    @app.task
    async def factorial(number: int) -> Any:
        if number < 2:
            return 1
        return chain(factorial.s(number - 1), times.s(number))

    @app.task
    async def times(left: int, right: int) -> int:
        return left * right

    task = await factorial.submit(12)
    async with worker(app):
        assert await task.result(30) == 479_001_600


async def test_a_graph_with_parameters_and_maps_of_graphs(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def length(word: str) -> int:
        return len(word)

    @app.task
    async def longest(lengths: list[int]) -> int:
        return max(lengths)

    words = app.dag("words")
    words.node(longest, words.map(length, words.param("words")))

    @app.task
    async def line(text: str) -> Any:
        return words.call(words=text.split())

    lines = app.dag("lines")
    lines.node(longest, lines.map(line, lines.param("lines")))
    run = await lines.submit(lines=["a bb ccc", "dddd", "ee fffff"])
    async with worker(app):
        assert await run.result(20) == 5


async def test_it_fails_and_is_cancelled_with_what_it_started(app: Jobbers, worker: StartWorker) -> None:
    bad = True

    @app.task(retry=Retry(attempts=1))
    async def work() -> str:
        if bad:
            raise ValueError("broke")
        return "done"

    @app.task(queue="elsewhere")
    async def waiting() -> None: ...

    @app.task
    async def start(which: str) -> Any:
        return chain(work.s()) if which == "work" else chain(waiting.s())

    failing, hanging = await start.submit("work"), await start.submit("waiting")
    async with worker(app, queues=["default"]):
        with pytest.raises(TaskFailed, match="what it started did not succeed: node work did not succeed"):
            await failing.result(20)
        async for progress in hanging:
            if progress.status is Status.BLOCKED:
                break
        assert await hanging.cancel()
        inspector = await app.inspector()
        assert [queue.depth for queue in await inspector.queues() if queue.name == "elsewhere"] == [0]
        bad = False
        await inspector.requeue(failing.id)
        assert await failing.result(20) == "done"


async def test_what_cannot_be_run_fails_the_task(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def start() -> Any:
        return group()

    task = await start.submit()
    async with worker(app):
        with pytest.raises(TaskFailed, match="what it returned cannot be run: a group of nothing"):
            await task.result(20)
