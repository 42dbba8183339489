"""Graphs as they are built: what is refused, in which order nodes come, and what a plan says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from jobbers.core.payload import Ref
from jobbers.core.signature import Signature
from jobbers.dag.compose import Call, Chain, Group, to_graph
from jobbers.dag.graph import MAX_NODES, Graph, Trigger
from jobbers.dag.plan import Plan, compile_graph
from jobbers.errors import InvalidArgument, InvalidInput, InvalidName


class Task:
    """What a node needs of a task type."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.signature = Signature(function, self.name)


def _fetch(url: str) -> str:
    return url


def _count(text: str, least: int = 0) -> int:
    return len(text) + least


def _total(counts: list[int]) -> int:
    return sum(counts)


def _note(*anything: Any, **more: Any) -> None: ...


FETCH, COUNT, TOTAL, NOTE = Task(_fetch), Task(_count), Task(_total), Task(_note)


def plan(graph: Graph, output: Any = None, **params: Any) -> Plan:
    numbers = itertools.count()
    return compile_graph(graph, params, "RUN", lambda: f"id{next(numbers)}", output)


def test_nodes_come_behind_what_they_wait_for() -> None:
    graph = Graph("g")
    pages = [graph.node(FETCH, graph.param("url")), graph.node(FETCH, "b").named("second")]
    counts = [graph.node(COUNT, page) for page in pages]
    graph.node(TOTAL, counts)
    made = plan(graph, url="a")
    assert [task.name for task in made.tasks] == ["_fetch", "second", "_count", "_count-2", "_total"]
    assert [task.parents for task in made.tasks] == [[], [], ["id0"], ["id1"], ["id2", "id3"]]
    assert [task.then for task in made.tasks] == [["id2"], ["id3"], ["id4"], ["id4"], ["RUN"]]
    assert made.tasks[0].args == ["a"]
    assert made.tasks[4].args == [[Ref("id2"), Ref("id3")]]
    assert (made.ends, made.output, made.params) == (["id4"], Ref("id4"), {"url": "a"})


def test_order_without_data_and_a_trigger() -> None:
    graph = Graph("g")
    first, second = graph.node(NOTE), graph.node(NOTE)
    graph.node(NOTE, [first], {"deep": {"er": first}}).after(second, first).when("all_done")
    last = plan(graph).tasks[-1]
    assert last.parents == ["id0", "id1"]
    assert last.trigger is Trigger.ALL_DONE
    assert last.args == [[Ref("id0")], {"deep": {"er": Ref("id0")}}]


def test_several_last_nodes_are_the_output_by_name() -> None:
    graph = Graph("g")
    graph.node(FETCH, "a").named("one")
    graph.node(FETCH, "b").named("two")
    assert plan(graph).output == {"one": Ref("id0"), "two": Ref("id1")}


def test_a_cycle_is_named() -> None:
    graph = Graph("g")
    first = graph.node(NOTE).named("a")
    second = graph.node(NOTE, first).named("b")
    third = graph.node(NOTE, second).named("c")
    graph.node(NOTE).named("aside")
    first.after(third)
    with pytest.raises(InvalidInput, match=r"cycle: (a → b → c → a|b → c → a → b|c → a → b → c)$"):
        graph.ordered()


def test_what_cannot_be_built() -> None:
    graph, other = Graph("g"), Graph("h")
    page = graph.node(FETCH, "a")
    with pytest.raises(InvalidArgument, match="has no parameter 'uri'"):
        graph.node(FETCH, uri="a")
    with pytest.raises(InvalidArgument, match="misses argument 'url'"):
        graph.node(FETCH)
    with pytest.raises(
        InvalidArgument, match="'counts' of task '_total' is annotated list, and node '_fetch' returns str"
    ):
        graph.node(Task(lambda_list()), page)
    with pytest.raises(InvalidArgument, match="least"):
        graph.node(COUNT, page, least="x")
    with pytest.raises(InvalidInput, match="belongs to graph 'h' and not to 'g'"):
        graph.node(COUNT, other.node(FETCH, "b"))
    with pytest.raises(InvalidInput, match="a node '_fetch' already"):
        graph.node(FETCH, "b").named("_fetch")
    with pytest.raises(InvalidInput, match="there is no trigger 'often'; there are all_succeeded, all_done"):
        page.when("often")
    with pytest.raises(InvalidName):
        Graph("no spaces")
    with pytest.raises(InvalidArgument, match=r"'_fetch' \(a Node\) is no task"):
        graph.node(page)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"'_fetch' \(a Task\) is no node: make one"):
        graph.node(COUNT, page).after(FETCH)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="has no nodes"):
        plan(Graph("empty"))


@pytest.mark.parametrize("wrong", ["x", 1.5, None, True, [1], {}])
def test_what_is_no_number_and_no_list(wrong: Any) -> None:
    graph = Graph("g")
    node, many = graph.node(COUNT, "a"), graph.map(FETCH, ["a"])
    with pytest.raises(InvalidInput, match="at_a_time must be a whole number, from 1 to 1,000, got"):
        many.at_a_time(wrong)
    with pytest.raises(InvalidInput, match="at_least must be a whole number, 0 or more, got"):
        many.at_least(wrong)
    if wrong is not None:  # that is: not given
        with pytest.raises(InvalidInput, match="at_least must be a whole number, 1 or more, got"):
            node.when(at_least=wrong)
    with pytest.raises(InvalidInput, match=r"one_of is a list of values, got .*: for a single value give"):
        node.only_if(many, one_of="x" if wrong in ([1], {}) else wrong)
    assert not node.conditions


@pytest.mark.parametrize(
    ("cases", "default", "words"),
    [
        ({"a": FETCH}, (), "'_fetch' .a Task. is no node"),
        ({}, "x", "a str is no node"),
        ([], (), "a dict of values"),
    ],
)
def test_a_switch_chooses_among_nodes_or_changes_nothing(cases: Any, default: Any, words: str) -> None:
    graph = Graph("g")
    page, good = graph.node(FETCH, "a"), graph.node(NOTE)
    with pytest.raises(InvalidArgument, match=words):
        graph.switch(page, {"b": good, **cases} if isinstance(cases, dict) else cases, default)
    assert not good.conditions


def lambda_list() -> Callable[..., Any]:
    def _total(counts: list) -> int:  # type: ignore[type-arg]
        return sum(counts)

    return _total


def test_parameters_are_given_all_and_no_others() -> None:
    graph = Graph("g")
    graph.node(COUNT, graph.param("text"), graph.param("least"))
    with pytest.raises(InvalidInput, match=r"needs parameter 'least' \(it has: text, least\)"):
        plan(graph, text="a")
    with pytest.raises(InvalidInput, match="has no parameter 'more'"):
        plan(graph, text="a", least=1, more=2)
    with pytest.raises(InvalidArgument, match="argument 'least' of task '_count'"):
        plan(graph, text="a", least="1")


def test_no_more_nodes_than_one_call_can_create() -> None:
    graph = Graph("g")
    for _ in range(MAX_NODES):
        graph.node(NOTE)
    with pytest.raises(InvalidInput, match="has 5,000 nodes, and no more fit into one run: map over"):
        graph.node(NOTE)


def test_no_more_edges_than_one_call_can_create() -> None:
    graph = Graph("g")
    first = [graph.node(NOTE) for _ in range(501)]
    for _ in range(500):
        graph.node(NOTE).after(*first)
    with pytest.raises(
        InvalidInput, match="has 250,500 edges, and 250,000 fit into one run: put a node between"
    ):
        graph.ordered()


def test_chains_and_groups_nest() -> None:
    fetch = Call(FETCH, ("a",), {})
    count, total = Call(COUNT, (), {"least": 1}), Call(TOTAL, (), {})
    graph, output = to_graph(
        Chain((fetch, Group((count, Chain((count, Call(NOTE, (), {}))))), Call(NOTE, (7,), {}))), "f"
    )
    made = plan(graph, output)
    assert [(task.task.name, task.parents) for task in made.tasks] == [
        ("_fetch", []),
        ("_count", ["id0"]),
        ("_count", ["id0"]),
        ("_note", ["id2"]),
        ("_note", ["id1", "id3"]),
    ]
    assert made.tasks[4].args == [[Ref("id1"), Ref("id3")], 7]
    _, output = to_graph(Group((fetch, fetch)), "f")
    assert len(output) == 2
    assert total.kwargs == {}


@pytest.mark.parametrize("part", [Chain(()), Group(()), Chain((Group(()),))])
def test_a_workflow_of_nothing(part: Any) -> None:
    with pytest.raises(InvalidInput, match="of nothing"):
        to_graph(part, "f")
