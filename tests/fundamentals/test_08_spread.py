"""One task type over several queues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from jobbers import HashBy, Jobbers, Random, RoundRobin, group
from jobbers.errors import InvalidInput
from tests.conftest import StartWorker


async def test_submissions_go_round(app: Jobbers, worker: StartWorker) -> None:
    @app.task(queue=RoundRobin(["left", "right"]))
    async def work(number: int) -> int:
        return number

    handles = [*await work.map(range(10)), await work.submit(10), await work.submit(11)]
    depths = {queue.name: queue.depth for queue in await (await app.inspector()).queues()}
    assert depths == {"left": 6, "right": 6}
    special = await work.options(queue="elsewhere").submit(12)
    assert (await special.record()).queue == "elsewhere"
    assert app.queues_of() == ["default", "left", "right"]
    async with worker(app):
        assert [await handle.result(10) for handle in handles] == [*range(12)]


async def test_a_parameter_decides(app: Jobbers) -> None:
    @app.task(queue=HashBy("host", ["a", "b", "c"]))
    async def fetch(path: str, host: str = "example.org") -> None: ...

    queues = {(await (await fetch.submit(path)).record()).queue for path in ("x", "y", "z")}
    assert len(queues) == 1
    hosts = [(await (await fetch.submit("x", host=f"h{number}")).record()).queue for number in range(30)]
    assert set(hosts) == {"a", "b", "c"}


async def test_the_nodes_of_a_run_are_spread_and_the_plan_says_how(app: Jobbers, worker: StartWorker) -> None:
    @app.task(queue=RoundRobin(["one", "two", "three"]))
    async def work(number: int) -> int:
        return number

    @app.task(queue=Random(["one", "two"]))
    async def total(numbers: list[int]) -> int:
        return sum(numbers)

    run = await group(*[work.s(number) for number in range(9)]).then(total.s()).submit()
    nodes = await run.nodes()
    assert Counter(node.queue for node in nodes if node.type == "work") == {"one": 3, "two": 3, "three": 3}
    for node in nodes:
        assert (await app.handle(node.id).record()).queue == node.queue
    flow = app.dag("aside")
    flow.node(work, 1).on("special")
    aside = await flow.submit()
    assert [node.queue for node in await aside.nodes()] == ["special"]
    async with worker(app, queues=["one", "two", "three", "special"]):
        assert await run.result(10) == 36
        assert await aside.result(10) == 1


async def test_what_cannot_be_spread(app: Jobbers) -> None:
    class Wrong:
        queues = ("a",)

        def choose(self, arguments: Mapping[str, Any], turn: int, chance: float) -> str:
            return "z"

    @app.task(queue=Wrong())
    async def work() -> None: ...

    @app.task(queue=HashBy("of", ["a", "b"]))
    async def by(of: int) -> int:
        return of

    with pytest.raises(InvalidInput, match=r"chose queue 'z', which is none of its own \(a\)"):
        await work.submit()
    flow = app.dag("unknown-key")
    flow.node(by, flow.node(by, 1))
    with pytest.raises(InvalidInput, match="argument 'of' is the result of another task"):
        await flow.submit()
    assert not (await (await app.inspector()).counts())["queued"]
