"""What one can do with a run: pause it, give it a deadline, repeat it from a node, list it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from jobbers import Jobbers, Status, TaskFailed, TaskType
from jobbers.errors import Conflict, InvalidInput, NotFound
from tests.conftest import StartWorker


@pytest.fixture
def calls() -> Counter[str]:
    """How often each was called."""
    return Counter()


@pytest.fixture
def step(app: Jobbers, calls: Counter[str]) -> TaskType[..., Any]:
    """Counts its calls, and takes as long as it is told."""

    @app.task
    async def step(name: str, before: Any = None, seconds: float = 0.0) -> str:
        calls[name] += 1
        await asyncio.sleep(seconds)
        return f"{name}{calls[name]}"

    return step


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something to hold."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never held")


async def test_a_paused_run_goes_on_when_it_is_told(
    app: Jobbers, worker: StartWorker, step: Any, calls: Counter[str]
) -> None:
    go_on = asyncio.Event()

    @app.task
    async def wait(name: str) -> str:
        calls[name] += 1
        await go_on.wait()
        return name

    dag = app.dag("pausing")
    first = dag.node(wait, "a")
    dag.node(step, "c", dag.node(step, "b", first))
    dag.map(step, ["x", "y"]).after(first)
    run = await dag.submit()
    async with worker(app):
        await until(lambda: calls)
        active = (await run.nodes())[0]
        assert (active.status, active.worker is not None) == (Status.RUNNING, True)
        assert active.since is not None
        await run.pause()
        go_on.set()
        assert await app.handle(active.id).wait(20) is Status.SUCCEEDED
        await asyncio.sleep(0.3)
        assert calls == {"a": 1}
        await run.resume()
        assert await run.wait(20) is Status.SUCCEEDED
    assert calls == dict.fromkeys("abcxy", 1)
    with pytest.raises(Conflict, match="has ended as succeeded"):
        await run.pause()
    with pytest.raises(NotFound, match="there is no run"):
        await app.run("01JGZ3Y9W5V8Q2M4T6R8K0N1PD").resume()


async def test_a_deadline_ends_what_is_left(
    app: Jobbers, worker: StartWorker, step: Any, calls: Counter[str]
) -> None:
    dag = app.dag("hurried", deadline=0.5)
    dag.node(step, "b", dag.node(step, "a", seconds=30.0))
    run = await dag.submit()
    async with worker(app):
        with pytest.raises(TaskFailed, match="its deadline has passed"):
            await run.result(20)
    assert {str(node.status) for node in await run.nodes()} == {"cancelled"}
    with pytest.raises(InvalidInput, match="deadline"):
        app.dag("never", deadline=-1)


async def test_from_a_node_on_it_runs_again(
    app: Jobbers, worker: StartWorker, step: Any, calls: Counter[str]
) -> None:
    dag = app.dag("again")
    a = dag.node(step, "a").named("a")
    b = dag.node(step, "b", a).named("b")
    dag.node(step, "c", b).named("c")
    run = await dag.submit()
    async with worker(app):
        assert await run.result(20) == "c1"
        assert await run.retry(from_node="b") == ["b", "c"]
        assert await run.result(20) == "c2"
        with pytest.raises(InvalidInput, match="the run has no node 'x'"):
            await run.retry(from_node="x")
    assert calls == {"a": 1, "b": 2, "c": 2}


async def test_another_run_with_other_parameters(app: Jobbers, worker: StartWorker, step: Any) -> None:
    dag, other = app.dag("params"), app.dag("other")
    dag.node(step, dag.param("name"), dag.param("before"))
    run = await dag.submit(name="a", before="x")
    again = await dag.again(run.id, name="b")
    assert (await again.record()).keywords == {"name": "b", "before": "x"}
    with pytest.raises(InvalidInput, match="is not a run of graph 'other'"):
        await other.again(run.id)
    async with worker(app):
        assert (await run.result(20), await again.result(20)) == ("a1", "b1")


async def test_runs_are_listed(app: Jobbers, worker: StartWorker, step: Any) -> None:
    one, other = app.dag("one"), app.dag("other")
    one.node(step, "a")
    other.node(step, "b")
    runs = [(await dag.submit()).id for dag in (one, other, one)]
    inspector = await app.inspector()
    assert {record.id for record in (await inspector.runs()).tasks} == set(runs)
    assert {record.id for record in (await inspector.runs(dag="one")).tasks} == {runs[0], runs[2]}
    with pytest.raises(InvalidInput, match="the cursor"):
        await inspector.runs(cursor="x")
    async with worker(app):
        for run in runs:
            await app.run(run).result(20)
