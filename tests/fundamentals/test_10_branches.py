"""What starts when: conditions, triggers, handlers of failures, and compensation."""

from __future__ import annotations

from typing import Any

import pytest

from jobbers import Dag, Jobbers, Retry, Skip, Status, TaskFailed, TaskSkipped, TaskType
from jobbers.errors import Conflict, InvalidInput
from tests.conftest import StartWorker


@pytest.fixture
def calls() -> list[Any]:
    """What was called, in order."""
    return []


@pytest.fixture
def work(app: Jobbers, calls: list[Any]) -> TaskType[..., Any]:
    """Notes its argument and returns it; ``"bad"`` makes it fail, ``"nothing"`` has it skip itself."""

    @app.task(retry=Retry(attempts=1))
    async def work(value: Any = None, *_: Any) -> Any:
        calls.append(value)
        if value == "bad":
            raise ValueError("broke")
        if value == "nothing":
            raise Skip("nothing new")
        return value

    return work


async def ended(dag: Dag, worker: Any, app: Jobbers, **params: Any) -> tuple[Status, dict[str, str]]:
    """How a run ends, and its nodes."""
    run = await dag.submit(**params)
    async with worker(app):
        status = await run.wait(20)
    return status, {node.name: str(node.status) for node in await run.nodes()}


async def test_a_switch_takes_one_branch(
    app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]
) -> None:
    dag = app.dag("switch")
    kind = dag.node(work, dag.param("kind")).named("kind")
    cat, dog, other = (dag.node(work, name).named(name) for name in ("cat", "dog", "other"))
    dag.switch(kind, {"cat": cat, "dog": [dog]}, default=other)
    dag.node(work, "join", cat, dog, other).named("join").when("none_failed")
    dag.node(work, "more", dog).named("more")
    status, nodes = await ended(dag, worker, app, kind="cat")
    assert (status, calls) == (Status.SUCCEEDED, ["cat", "cat", "join"])
    assert nodes == {
        "kind": "succeeded", "cat": "succeeded", "dog": "skipped", "other": "skipped", "join": "succeeded",
        "more": "skipped",
    }  # fmt: skip
    calls.clear()
    await ended(dag, worker, app, kind="fish")
    assert calls == ["fish", "other", "join"]


async def test_conditions_on_parameters_and_results(
    app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]
) -> None:
    dag = app.dag("conditions")
    size = dag.param("size")
    dag.node(work, "big").named("big").only_if(size, one_of=["l", "xl"])
    dag.node(work, "small").named("small").unless(size, one_of=["l", "xl"])
    found = dag.node(work, []).named("found")
    dag.node(work, "some").named("some").only_if(found)
    dag.node(work, "none").named("none").unless(found)
    dag.map(work, [1, 2]).named("many").only_if(size, equals="s")
    status, nodes = await ended(dag, worker, app, size="xl")
    assert status is Status.SUCCEEDED
    assert {name for name, how in nodes.items() if how == "skipped"} == {"small", "some", "many"}


async def test_a_task_may_skip_itself(app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]) -> None:
    dag = app.dag("nothing")
    dag.node(work, dag.node(work, "nothing").named("look")).named("next")
    status, nodes = await ended(dag, worker, app)
    assert (status, nodes) == (Status.SUCCEEDED, {"look": "skipped", "next": "skipped"})
    alone = await work.submit("nothing")
    async with worker(app):
        assert await alone.wait(20) is Status.SKIPPED
        with pytest.raises(TaskSkipped, match="was skipped: nothing new"):
            await alone.result()


async def test_a_handler_gets_the_error_and_the_run_succeeds(
    app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]
) -> None:
    dag = app.dag("handled")
    load = dag.node(work, dag.param("value")).named("load")
    dag.node(work, load).named("use")
    dag.node(work, load.error).named("handler")
    status, nodes = await ended(dag, worker, app, value="bad")
    assert status is Status.SUCCEEDED
    assert nodes == {"load": "failed", "use": "skipped", "handler": "succeeded"}
    assert calls[1] == {"reason": "attempt 1 of 1 failed", "type": "ValueError", "message": "broke"}
    calls.clear()
    run = await dag.submit(value="good")
    async with worker(app):
        assert await run.result(20) == "good"
    assert calls == ["good", "good"]


async def test_a_node_that_may_fail(app: Jobbers, worker: StartWorker, work: Any) -> None:
    dag = app.dag("may-fail")
    dag.node(work, dag.node(work, "bad").may_fail().named("try")).named("then")
    dag.node(work, "fine").named("fine")
    status, nodes = await ended(dag, worker, app)
    assert (status, nodes) == (Status.SUCCEEDED, {"try": "failed", "then": "skipped", "fine": "succeeded"})


async def test_enough_successes_start_a_node(
    app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]
) -> None:
    dag = app.dag("any")
    good = dag.node(work, 1).named("good")
    bad = dag.node(work, "bad").may_fail().named("bad")
    dag.node(work, "one", good, bad).when("any_succeeded").named("one")
    dag.node(work, "both", good, bad).when(at_least=2).named("both")
    status, nodes = await ended(dag, worker, app)
    assert status is Status.SUCCEEDED
    assert nodes == {"good": "succeeded", "bad": "failed", "one": "succeeded", "both": "skipped"}
    other = app.dag("too-many")
    other.node(work).after(other.node(work), other.node(work)).when(at_least=3)
    with pytest.raises(InvalidInput, match="starts when 3 have succeeded, and waits for 2"):
        other.check()


async def test_a_run_that_goes_wrong_is_undone_backwards(
    app: Jobbers, worker: StartWorker, work: Any, calls: list[Any]
) -> None:
    dag = app.dag("saga")
    flight = dag.node(work, "flight").named("flight")
    hotel = dag.node(work, "hotel", flight).named("hotel")
    car = dag.node(work, dag.param("car"), hotel).named("car")
    for node in (flight, hotel, car):
        node.undo(work, "undo", node).named(f"no-{node.name}")
    hotel.undo(work, "tell", hotel).named("tell")
    run = await dag.submit(car="bad")
    async with worker(app):
        with pytest.raises(TaskFailed, match="node car did not succeed"):
            await run.result(20)
        nodes = [(node.name, str(node.status)) for node in await run.nodes()]
        assert calls == ["flight", "hotel", "bad", "undo", "tell", "undo"]
        assert ("no-car", "skipped") in nodes
        with pytest.raises(Conflict, match="has been undone by its compensation"):
            await run.retry()
    calls.clear()
    run = await dag.submit(car="car")
    async with worker(app):
        assert await run.result(20) == "car"
    assert calls == ["flight", "hotel", "car"]


async def test_a_run_with_branches_is_repeated(app: Jobbers, worker: StartWorker) -> None:
    fails = {"left": True}

    @app.task(retry=Retry(attempts=1))
    async def side(name: str) -> str:
        if fails.get(name):
            raise ValueError(name)
        return name

    @app.task
    async def join(*values: Any) -> list[Any]:
        return list(values)

    dag = app.dag("repeat")
    left, right = dag.node(side, "left"), dag.node(side, "right")
    dag.node(join, left, right).when(at_least=1).named("any")
    dag.node(join, left, right).when(at_least=2).named("both")
    run = await dag.submit()
    async with worker(app):
        assert await run.wait(20) is Status.FAILED
        fails.clear()
        assert set(await run.retry()) == {"side", "both"}
        assert await run.result(20) == {"any": [None, "right"], "both": ["left", "right"]}
