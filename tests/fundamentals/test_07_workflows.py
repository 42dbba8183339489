"""Tasks that become workflows: chains, groups, graphs with a name."""

from __future__ import annotations

from typing import Any

import pytest

from jobbers import Dag, Jobbers, Status, TaskCancelled, TaskFailed, chain, group, new_id
from jobbers.errors import Conflict, InvalidArgument, InvalidInput, NotFound
from tests.conftest import StartWorker


@pytest.fixture
def shop(app: Jobbers) -> Jobbers:
    @app.task
    async def add(a: int, b: int = 1) -> int:
        return a + b

    @app.task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task
    async def breaks(number: int) -> int:
        raise ValueError(f"{number} is too much")

    @app.task
    async def note(*anything: object) -> list[object]:
        return list(anything)

    @app.task
    async def large(size: int) -> bytes:
        return b"x" * size

    @app.task
    async def length(data: bytes) -> int:
        return len(data)

    return app


async def test_a_chain_passes_results_on(shop: Jobbers, worker: StartWorker) -> None:
    add = shop.find("add")
    run = await chain(add.s(1), add.s(10), add.s(b=100)).submit()
    async with worker(shop):
        assert await run.result(10) == 112
    assert await run.status() is Status.SUCCEEDED


async def test_a_group_runs_side_by_side_and_is_joined_in_order(shop: Jobbers, worker: StartWorker) -> None:
    add, total = shop.find("add"), shop.find("total")
    async with worker(shop):
        assert await (await group(add.s(3), add.s(1), add.s(2)).submit()).result(10) == [4, 2, 3]
        wide = group(*[add.s(number) for number in range(200)]).then(total.s())
        assert await (await wide.submit()).result(10) == sum(range(1, 201))
        nested = chain(add.s(0), group(add.s(1), chain(add.s(2), add.s(3))), total.s())
        assert await (await nested.submit()).result(10) == 2 + 6


async def test_a_graph_with_a_name_and_parameters(shop: Jobbers, worker: StartWorker) -> None:
    add, total, note = shop.find("add"), shop.find("total"), shop.find("note")
    flow = shop.dag("sums")
    first = flow.node(add, flow.param("start"))
    left, right = flow.node(add, first, 10), flow.node(add, first, 20)
    both = flow.node(total, [left, right]).named("both")
    flow.node(note, {"sum": both}, "done").after(right).named("last")
    runs = [await flow.submit(start=start) for start in (1, 2)]
    async with worker(shop):
        assert [await run.result(10) for run in runs] == [[{"sum": 34}, "done"], [{"sum": 36}, "done"]]
    nodes = await runs[0].nodes()
    assert [(node.name, node.type, node.after, node.status) for node in nodes] == [
        ("add", "add", (), Status.SUCCEEDED),
        ("add-2", "add", ("add",), Status.SUCCEEDED),
        ("add-3", "add", ("add",), Status.SUCCEEDED),
        ("both", "total", ("add-2", "add-3"), Status.SUCCEEDED),
        ("last", "note", ("both", "add-3"), Status.SUCCEEDED),
    ]


async def test_several_last_nodes_give_a_result_each(shop: Jobbers, worker: StartWorker) -> None:
    flow = shop.dag("two")
    flow.node(shop.find("add"), 1).named("one")
    flow.node(shop.find("add"), 2).named("other")
    run = await flow.submit()
    async with worker(shop):
        assert await run.result(10) == {"one": 2, "other": 3}


async def test_a_failure_skips_what_needs_it_and_names_itself(shop: Jobbers, worker: StartWorker) -> None:
    add, breaks, note = shop.find("add"), shop.find("breaks"), shop.find("note")
    flow = shop.dag("broken")
    bad = flow.node(breaks, flow.node(add, 1))
    flow.node(note, bad).named("never")
    flow.node(note, bad, "cleaned").when("all_done").named("cleaner")
    run = await flow.submit()
    async with worker(shop):
        with pytest.raises(TaskFailed, match=r"failed: node breaks did not succeed: attempt 1 of 1 failed"):
            await run.result(10)
    found = {node.name: node.status for node in await run.nodes()}
    assert found == {
        "add": Status.SUCCEEDED, "breaks": Status.FAILED, "never": Status.SKIPPED, "cleaner": Status.SUCCEEDED,
    }  # fmt: skip
    cleaner = next(node for node in await run.nodes() if node.name == "cleaner")
    assert await shop.handle(cleaner.id).result() == [None, "cleaned"]


async def test_a_result_of_the_wrong_type_fails_the_one_that_gets_it(
    shop: Jobbers, worker: StartWorker
) -> None:
    run = await chain(shop.find("note").s("x"), shop.find("add").s()).submit()
    async with worker(shop):
        with pytest.raises(TaskFailed, match="node add did not succeed: argument 'a' of task 'add'"):
            await run.result(10)


async def test_large_results_travel_by_reference(shop: Jobbers, worker: StartWorker) -> None:
    run = await chain(shop.find("large").s(300_000), shop.find("length").s()).submit()
    async with worker(shop):
        assert await run.result(10) == 300_000


async def test_a_run_is_cancelled_whole(shop: Jobbers, worker: StartWorker) -> None:
    add = shop.find("add")
    run = await chain(add.s(1), add.s(2), add.s(3)).submit()
    assert await run.cancel("not today")
    async with worker(shop):
        with pytest.raises(TaskCancelled, match="not today"):
            await run.result(10)
    assert {node.status for node in await run.nodes()} == {Status.CANCELLED}
    assert not await run.cancel()


async def test_a_failed_run_is_repeated_in_place(shop: Jobbers, worker: StartWorker) -> None:
    broken = True

    @shop.task
    async def moody(number: int) -> int:
        if broken:
            raise ConnectionError("not now")
        return number * 2

    add = shop.find("add")
    run = await chain(add.s(1), moody.s(), add.s()).submit()
    async with worker(shop):
        with pytest.raises(TaskFailed, match="node moody"):
            await run.result(10)
        broken = False
        assert await run.retry() == ["moody", "add-2"]
        assert await run.result(10) == 5
        with pytest.raises(Conflict, match="has succeeded: name the node"):
            await run.retry()
    assert [(await shop.handle(node.id).record()).attempt for node in await run.nodes()] == [1, 1, 1]


async def test_the_same_id_starts_one_run(shop: Jobbers, worker: StartWorker) -> None:
    run_id = new_id()
    flow = chain(shop.find("note").s("once"))
    runs = [await flow.submit(id=run_id) for _ in range(3)]
    async with worker(shop):
        assert await runs[2].result(10) == ["once"]
    assert len(await runs[0].nodes()) == 1
    assert await shop.run(run_id).result() == ["once"]


async def test_what_is_refused_leaves_nothing(shop: Jobbers) -> None:
    add, total = shop.find("add"), shop.find("total")
    with pytest.raises(InvalidArgument, match="argument 'a' of task 'add'"):
        await chain(add.s("x"), add.s()).submit()
    with pytest.raises(InvalidInput, match="a chain of nothing"):
        await chain().submit()
    with pytest.raises(InvalidInput, match=r"made of task.s\(…\), chain\(…\) and group\(…\), got a int"):
        group(1)  # type: ignore[arg-type]
    flow = shop.dag("needs")
    flow.node(total, flow.param("numbers"))
    with pytest.raises(InvalidArgument, match="argument 'numbers"):
        await flow.submit(numbers=["x"])
    with pytest.raises(InvalidInput, match="needs parameter 'numbers'"):
        await flow.submit()
    with pytest.raises(NotFound):
        await shop.run(new_id()).nodes()
    counts = await (await shop.inspector()).counts()
    assert not counts["queued"]


async def test_a_graph_that_is_written_as_text(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def add(left: int, right: int) -> int:
        return left + right

    text = """
    {"dag": "sums", "params": ["start"], "nodes": {
        "second": {"task": "add", "args": [{"$node": "first"}, 10]},
        "first": {"task": "add", "args": [{"$param": "start"}, 1]}}}
    """
    dag = app.load_dag(text)
    assert app.find_dag("sums") is dag
    run = await dag.submit(start=5)
    async with worker(app):
        assert await run.result(20) == 16
    again = Jobbers(app.settings.redis_url)
    again.task(add.function, name="add")
    assert again.load_dag(dag.text()).text() == dag.text()
    with pytest.raises(InvalidInput, match=r"nodes\.x"):
        again.load_dag('{"dag": "bad", "nodes": {"x": {"task": "none"}}}')


async def test_a_graph_that_a_function_builds(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def add(left: int, right: int) -> int:
        return left + right

    @app.graph
    def sums(dag: Dag, start: Any, step: Any) -> Any:
        first = dag.node(add, start, step)
        return {"first": first, "twice": [first, dag.node(add, first, first)]}

    assert app.find_dag("sums") is sums
    run = await sums.submit(start=1, step=2)
    async with worker(app):
        assert await run.result(20) == {"first": 3, "twice": [3, 6]}
    with pytest.raises(InvalidInput, match="needs parameter 'step'"):
        await sums.submit(start=1)
