"""A task's arguments may have any name, also those that our own methods use."""

from __future__ import annotations

from typing import Any

from jobbers import Jobbers

app = Jobbers()


@app.task
async def keep(**named: Any) -> Any:
    return named


def test_an_argument_may_be_called_self() -> None:
    named = {"self": 1, "task": 2, "args": 3, "kwargs": 4}
    assert keep.s(**named).kwargs == named
    graph = app.dag("names")
    graph.node(keep, value=graph.param("self"))
    assert graph.call(self=1).params == {"self": 1}


async def test_it_can_be_called_with_one() -> None:
    assert await keep(self=1, task=2) == {"self": 1, "task": 2}
