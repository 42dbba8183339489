"""Nodes that become one task for each item of what another returned."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from jobbers import HashBy, Jobbers, Results, Retry, TaskFailed, product, zipped
from jobbers.errors import ConfigError, InvalidArgument, InvalidInput
from tests.conftest import StartWorker


async def test_one_to_many_to_one(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def numbers(count: int) -> list[int]:
        return list(range(count))

    @app.task
    async def square(number: int, plus: int) -> int:
        return number * number + plus

    @app.task
    async def total(values: list[int]) -> int:
        return sum(values)

    dag = app.dag("squares")
    squares = dag.map(square, dag.node(numbers, dag.param("count")), plus=1)
    dag.node(total, squares)
    runs = {count: await dag.submit(count=count) for count in (0, 1, 5, 1203)}
    async with worker(app):
        for count, run in runs.items():
            assert await run.result(30) == sum(number * number + 1 for number in range(count))
    nodes = {node.name: node for node in await runs[1203].nodes()}
    assert nodes["square"].items == (1203, 1203, 0)
    assert nodes["square"].type == "map.square"


async def test_the_results_are_in_order_and_a_dict_keeps_its_keys(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def ages() -> dict[str, int]:
        return {"ada": 36, "kurt": 71}

    @app.task
    async def add(left: Any, right: Any) -> Any:
        return left + right

    dag = app.dag("sums")
    dag.map(add, dag.node(ages), 1).named("older")
    dag.map(add, [3, 1, 2], 0).named("same")
    dag.map(add, zipped([1, 2], [10, 20])).named("pairs")
    dag.map(add, product(["a", "b"], ["x", "y"])).named("all")
    run = await dag.submit()
    async with worker(app):
        assert await run.result(20) == {
            "older": {"ada": 37, "kurt": 72}, "same": [3, 1, 2], "pairs": [11, 22], "all": ["ax", "ay", "bx", "by"],
        }  # fmt: skip


async def test_a_map_over_a_map_and_a_window(app: Jobbers, worker: StartWorker) -> None:
    under_way: Counter[str] = Counter()
    most = 0

    @app.task
    async def split(text: str) -> list[str]:
        return text.split()

    @app.task
    async def shout(word: str) -> str:
        nonlocal most
        under_way["shout"] += 1
        most = max(most, under_way["shout"])
        under_way["shout"] -= 1
        return word.upper()

    @app.task
    async def length(word: str) -> int:
        return len(word)

    dag = app.dag("words")
    words = dag.node(split, "a bc def ghij klmno")
    dag.map(length, dag.map(shout, words).at_a_time(2)).at_a_time(1)
    run = await dag.submit()
    async with worker(app, concurrency=8):
        assert await run.result(20) == [1, 2, 3, 4, 5]
    assert most <= 2


async def test_items_spread_over_queues(app: Jobbers, worker: StartWorker) -> None:
    seen: dict[str, str] = {}

    @app.task(queue=HashBy("host", ["left", "right"]))
    async def fetch(host: str) -> None:
        from jobbers import current_task

        seen[host] = current_task().queue

    dag = app.dag("fetch")
    dag.map(fetch, [f"h{number}" for number in range(40)])
    run = await dag.submit()
    async with worker(app):
        await run.result(20)
    assert set(seen.values()) == {"left", "right"}


def failing(app: Jobbers) -> Any:
    @app.task(retry=Retry(attempts=1))
    async def pick(number: int) -> int:
        if number % 3 == 0:
            raise ValueError(f"{number} is bad")
        return number

    return pick


async def test_a_failed_item_fails_its_map_and_no_further_item_begins(
    app: Jobbers, worker: StartWorker
) -> None:
    dag = app.dag("picky")
    dag.map(failing(app), list(range(1, 500))).at_a_time(4)
    run = await dag.submit()
    async with worker(app, concurrency=2):
        with pytest.raises(TaskFailed, match=r"node pick did not succeed: item 2 did not succeed"):
            await run.result(20)
    (node,) = await run.nodes()
    assert node.items is not None
    assert node.items.done < 20
    assert node.items.open == 0


async def test_enough_items_are_enough(app: Jobbers, worker: StartWorker) -> None:
    pick = failing(app)
    dag = app.dag("lenient")
    dag.map(pick, [1, 2, 3, 4]).at_least(3).named("three")
    dag.map(pick, [3, 6]).at_least(0).named("none")
    strict = app.dag("strict")
    strict.map(pick, [1, 2, 3, 6]).at_least(3)
    async with worker(app):
        assert await (await dag.submit()).result(20) == {"three": [1, 2, None, 4], "none": [None, None]}
        with pytest.raises(TaskFailed, match="only 2 of 4 items succeeded, and 3 must"):
            await (await strict.submit()).result(20)


async def test_what_is_no_list(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def word() -> str:
        return "word"

    @app.task
    async def each(item: Any, other: Any = None) -> Any:
        return item

    with pytest.raises(
        InvalidArgument, match="a map goes over a list, a dict, a node or a parameter, got a str"
    ):
        app.dag("a").map(each, "abc")
    with pytest.raises(InvalidInput, match="a map over nothing"):
        app.dag("b").map(each, zipped())
    with pytest.raises(InvalidInput, match="from 1 to 1,000, got 0"):
        app.dag("c").map(each, [1]).at_a_time(0)
    dag = app.dag("d")
    dag.map(each, dag.node(word))
    uneven = app.dag("e")
    uneven.map(each, zipped([1, 2], [3]))
    async with worker(app):
        with pytest.raises(TaskFailed, match="a map goes over a list or a dict, and got a str"):
            await (await dag.submit()).result(20)
        with pytest.raises(TaskFailed, match="equally long, got lengths 2, 1"):
            await (await uneven.submit()).result(20)


async def test_a_failed_map_is_repeated_for_what_failed(app: Jobbers, worker: StartWorker) -> None:
    calls: Counter[int] = Counter()

    @app.task(retry=Retry(attempts=1))
    async def once_bad(number: int) -> int:
        calls[number] += 1
        if number == 2 and calls[number] == 1:
            raise ValueError("not yet")
        return number

    dag = app.dag("again")
    dag.map(once_bad, [0, 1, 2, 3, 4])
    run = await dag.submit()
    async with worker(app):
        with pytest.raises(TaskFailed):
            await run.result(20)
        assert await run.retry() == ["once_bad"]
        assert await run.result(20) == [0, 1, 2, 3, 4]
    assert calls == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


async def test_cancelling_a_run_ends_what_its_maps_have_begun(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def never(number: int) -> None:
        raise AssertionError(number)

    dag = app.dag("endless")
    dag.map(
        never,
        list(range(5000)),
    ).on("elsewhere")
    run = await dag.submit()
    inspector = await app.inspector()
    async with worker(app, queues=["elsewhere"], concurrency=1):
        pass
    assert await run.cancel()
    assert [queue.depth for queue in await inspector.queues() if queue.name == "elsewhere"] == [0]


async def test_results_one_after_another(app: Jobbers, worker: StartWorker) -> None:
    @app.task
    async def square(number: int) -> int:
        return number * number

    @app.task
    async def total(values: Results[int], plus: Results[int]) -> list[int]:
        assert not isinstance(values, list)
        return [sum([value async for value in values]), sum([value async for value in plus])]

    dag = app.dag("streamed")
    dag.node(
        total, dag.map(square, list(range(1500))), plus=[dag.node(square, number) for number in range(120)]
    )
    run = await dag.submit()
    alone = await total.submit([1, 2], [3])
    async with worker(app):
        assert await run.result(30) == [sum(number**2 for number in range(count)) for count in (1500, 120)]
        assert await alone.result(20) == [3, 3]

    @app.task
    def plain(values: Results[int]) -> None: ...

    assert plain.name == "plain"
    with pytest.raises(ConfigError, match="only an async function"):
        async with worker(app):
            pass
