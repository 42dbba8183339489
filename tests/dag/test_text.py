"""Graphs as text: what is written is read again as the same graph, and what is wrong is refused where it stands."""

from __future__ import annotations

import functools
import importlib
import itertools
import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import jobbers.dag.text
from jobbers.core.signature import Signature
from jobbers.dag.graph import MAX_NODES, Graph
from jobbers.dag.mermaid import load_mermaid
from jobbers.dag.nodes import MapNode, Node, Trigger, product, zipped
from jobbers.dag.plan import Plan, compile_graph
from jobbers.dag.reading import MAX_TEXT
from jobbers.dag.render import mermaid
from jobbers.dag.text import (
    CONDITION_FIELDS,
    GRAPH_FIELDS,
    MAP_FIELDS,
    NODE_FIELDS,
    dump,
    dumps,
    load,
    loads,
)
from jobbers.dag.values import Param
from jobbers.errors import ConfigError, InvalidArgument, InvalidInput, UnknownTaskType

SCHEMA = json.loads(Path(jobbers.dag.text.__file__).with_name("schema.json").read_text("utf-8"))
needs_yaml = pytest.mark.skipif(find_spec("yaml") is None, reason="PyYAML is not installed")


class Colour(StrEnum):
    RED = "red"


class Task:
    """What a node needs of a task type."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.name = name
        self.signature = Signature(function, name)


def _any(*anything: Any, **more: Any) -> Any: ...


def _fetch(url: str) -> str:
    return url


def _count(text: str, least: int = 0) -> int:
    return len(text) + least


def _total(counts: list) -> int:  # type: ignore[type-arg]
    return sum(counts)


def _typed(at: datetime, pair: tuple[int, int] = (0, 0), colour: Colour = Colour.RED) -> None: ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "any": _any, "other.any": _any, "fetch": _fetch, "count": _count, "total": _total, "typed": _typed,
}  # fmt: skip
TASKS = {name: Task(function, name) for name, function in FUNCTIONS.items()}


def find(name: str) -> Task:
    return TASKS[name]


def find_or_refuse(name: str) -> Task:
    if name not in TASKS:
        raise UnknownTaskType(name)
    return TASKS[name]


def plan(graph: Graph) -> Plan:
    numbers = itertools.count()
    return compile_graph(graph, dict.fromkeys(graph.params, "x"), "RUN", lambda: f"id{next(numbers)}")


def data(nodes: dict[str, Any], *params: str) -> dict[str, Any]:
    return {"dag": "g", "params": list(params), "nodes": nodes}


def everything() -> Graph:
    """A graph with all that a text can say."""
    graph = Graph("all")
    page = graph.node(TASKS["fetch"], graph.param("url")).named("page")
    words = graph.map(TASKS["any"], page, 1, key=page).at_a_time(7).at_least(0)
    words.named("words")
    graph.map(TASKS["any"], zipped([1, 2], words)).named("pairs")
    graph.map(TASKS["any"], product({"a": 1}, [page], graph.param("more"))).named("every").on("q")
    report = graph.node(TASKS["any"], [page, {"deep": words, "$set": {"$x": page}}], none=None)
    report.named("report").only_if(page).unless(graph.param("url"), equals={"$n": [1.5, True, None]})
    report.only_if(words, one_of=["a", 2]).inline()
    late = graph.node(TASKS["any"]).after(page, report, page).when("all_done").inline(False).named("last")
    report.after(graph.node(TASKS["other.any"]).may_fail())
    graph.node(TASKS["any"], page.error).named("handler").unless(late.error)
    page.undo(TASKS["any"], page).named("undo").after(words)
    words.undo(TASKS["any"]).named("undo-words").when("all_succeeded")
    graph.node(TASKS["any"], page, words).named("one").when("any_succeeded")
    graph.node(TASKS["any"], page, words).named("two").when(at_least=2)
    return graph


def test_a_text_reads_as_documented() -> None:
    graph = load(
        {
            "dag": "etl",
            "params": ["url"],
            "nodes": {
                "report": {"task": "any", "args": [[{"$node": "words"}], {"at": {"$param": "url"}}], "queue": "slow"},
                "words": {"task": "count", "args": [{"$node": "page"}], "kwargs": {"least": 2}, "after": ["many"]},
                "page": {"task": "fetch", "args": [{"$param": "url"}]},
                "many": {
                    "task": "any", "map": {"zip": [[1, 2], {"$node": "page"}]}, "at_a_time": 5, "map_at_least": 1,
                    "conditions": [{"only_if": {"$node": "page"}, "one_of": ["a"]}],
                },
            },
        },
        find,
    )  # fmt: skip
    wanted = Graph("etl")
    page = wanted.node(TASKS["fetch"], wanted.param("url")).named("page")
    words = wanted.node(TASKS["count"], page, least=2).named("words")
    wanted.node(TASKS["any"], [words], {"at": wanted.param("url")}).on("slow").named("report")
    many = wanted.map(TASKS["any"], zipped([1, 2], page)).at_a_time(5).at_least(1).named("many")
    words.after(many.only_if(page, one_of=["a"]))
    assert [node.name for node in graph.nodes] == ["page", "words", "report", "many"]
    assert plan(graph) == plan(wanted)


def test_everything_comes_back() -> None:
    graph = everything()
    again = load(json.loads(json.dumps(dump(graph))), find)
    assert plan(again) == plan(graph)
    assert dump(again) == dump(graph)
    assert plan(loads(dumps(graph), find)) == plan(graph)


def test_only_what_is_not_usual_is_written() -> None:
    graph = Graph("g")
    page = graph.node(TASKS["fetch"], "a")
    graph.node(TASKS["any"], page.error)
    page.undo(TASKS["any"], page)
    graph.map(TASKS["any"], [page])
    assert dump(graph) == data(
        {
            "fetch": {"task": "fetch", "args": ["a"]},
            "any": {"task": "any", "args": [{"$error": "fetch"}]},
            "any-2": {"task": "any", "args": [{"$node": "fetch"}], "undo_of": "fetch"},
            "any-3": {"task": "any", "map": {"each": [{"$node": "fetch"}]}},
        }
    )


def test_every_field_of_a_node_is_carried() -> None:
    known = {
        "graph", "task", "args", "kwargs", "name", "trigger", "need", "queue", "caught", "in_place", "undoes", "earlier",
        "conditions", "over", "window", "enough",
    }  # fmt: skip
    assert {field.name for field in fields(MapNode)} == known, "a text must carry the new field, too"


def test_names_are_those_of_the_text_whatever_the_tasks_are_called() -> None:
    nodes = {"any-2": {"task": "any"}, "fetch": {"task": "any"}, "any": {"task": "any"}, "x": {"task": "any"}}
    assert [node.name for node in load(data(nodes), find).nodes] == list(nodes)


def test_arguments_are_rebuilt_by_their_annotations() -> None:
    nodes = {
        "n": {"task": "typed", "args": ["2026-01-02T03:04:05"], "kwargs": {"pair": [1, 2], "colour": "red"}}
    }
    (node,) = load(data(nodes), find).nodes
    assert node.args == (datetime(2026, 1, 2, 3, 4, 5),)  # noqa: DTZ001
    assert dict(node.kwargs) == {"pair": (1, 2), "colour": Colour.RED}
    with pytest.raises(InvalidInput, match=r"nodes\.n\.args\[0\]: a text cannot carry this datetime"):
        dump(load(data(nodes), find))


def test_a_dict_with_a_dollar_is_escaped() -> None:
    graph = Graph("g")
    page = graph.node(TASKS["any"]).named("page")
    value = {"$node": "no", "in": {"$literal": {"$x": page}}}
    graph.node(TASKS["any"], value, **{"$k": 1})
    written = dump(graph)["nodes"]["any-2"]
    assert written["args"] == [
        {
            "$literal": {
                "$node": "no",
                "in": {"$literal": {"$literal": {"$literal": {"$x": {"$node": "page"}}}}},
            }
        }
    ]
    assert plan(load(dump(graph), find)) == plan(graph)


A = {"task": "any"}
DEEP: Any = []
for _ in range(70):
    DEEP = [DEEP]
# The text, the beginning of the error, and whether the schema knows better, too.
WRONG: list[tuple[Any, str, bool]] = [
    ([], "the text: an object belongs here, and not a list", True),
    ({"nodes": {"a": A}}, "the text: it has no 'dag': add one, a string", True),
    ({"dag": "g"}, "the text: it has no 'nodes': add one, an object", True),
    ({"dag": "g", "nodes": {}}, "nodes: there are none: a graph needs one or more", True),
    ({"dag": 1, "nodes": {"a": A}}, "dag: a string belongs here, and not a whole number", True),
    ({"dag": "no name", "nodes": {"a": A}}, "dag: the name of a graph 'no name' is not a legal name", True),
    (data({"a": A}) | {"version": 1}, "version: there is no such field; there are $schema, dag, params, nodes", True),
    (data({"a": A}, "p", "p"), "params[1]: parameter 'p' stands there twice", True),
    (data({"a": A}) | {"params": [1]}, "params[0]: a string belongs here", True),
    (data({"a": A}, "no name"), "params[0]: the name of a parameter 'no name' is not a legal name", True),
    (data({"a b": A}), "nodes['a b']: the name of a node 'a b' is not a legal name", True),
    (data({1: A}), "nodes: a key is a whole number, and keys are strings: put it in quotes", False),  # type: ignore[dict-item]
    (data({"a": "any"}), "nodes.a: an object belongs here, and not a string", True),
    (data({"a": {"args": []}}), "nodes.a: it has no 'task': add one, a string", True),
    (data({"a": A | {"argz": []}}), "nodes.a.argz: there is no such field; there are task, args, kwargs", True),
    (data({"a": {"task": None}}), "nodes.a.task: a string belongs here, and not null", True),
    (data({"a": {"task": "nope"}}), "nodes.a.task: there is no task type 'nope': register it, or correct", False),
    (data({"a": A | {"args": {}}}), "nodes.a.args: a list belongs here, and not an object", True),
    (data({"a": A | {"kwargs": {2: 1}}}), "nodes.a.kwargs: a key is a whole number", False),
    (data({"a": A | {"kwargs": {"task": 1}}}), "nodes.a.kwargs.task: a node takes no keyword of this name", False),
    (data({"a": A | {"map": {"each": [1]}, "kwargs": {"over": 1}}}), "nodes.a.kwargs.over: a node takes no", False),
    (data({"a": A | {"args": [{"$node": "b"}]}}), "nodes.a.args[0]: there is no node 'b' in nodes (there are: a)", False),
    (data({"a": A | {"args": [{"$error": "b"}]}}), "nodes.a.args[0]: there is no node 'b'", False),
    (data({"a": A | {"args": [{"x y": [{"$param": "p"}]}]}}), "nodes.a.args[0]['x y'][0]: there is no parameter 'p' in "
     "params (there are: none): add it there, or correct the name", False),
    (data({"a": A | {"args": [{"$node": 1}]}}), "nodes.a.args[0].$node: a string belongs here", True),
    (data({"a": A | {"args": [{"$node": "a", "b": 1}]}}), "nodes.a.args[0]: '$node' is not a key of its own", True),
    (data({"a": A | {"args": [{"$set": 1}]}}), "nodes.a.args[0]: '$set' is not a key of its own here", True),
    (data({"a": A | {"args": [{"$literal": 1}]}}), "nodes.a.args[0].$literal: an object belongs here", True),
    (data({"a": A | {"args": [{3: 1}]}}), "nodes.a.args[0]: a key is a whole number", False),
    (data({"a": A | {"args": [float("nan")]}}), "nodes.a.args[0]: a text cannot carry this float", False),
    (data({"a": A | {"args": [1 << 64]}}), "nodes.a.args[0]: a text cannot carry this int", False),
    (data({"a": A | {"args": ["\ud800"]}}), "nodes.a.args[0]: a text cannot carry this str", False),
    (data({"a": A | {"args": [b"x"]}}), "nodes.a.args[0]: a text cannot carry this bytes", False),
    (data({"a": A | {"args": [DEEP]}}), "nodes.a.args[0][0][0]", False),
    (data({"a": A | {"args": [{"$node": "a"}]}}), "nodes.a.args[0]: a cycle: a → a", False),
    (data({"a": A | {"args": [{"$node": "b"}]}, "b": A | {"after": ["a"]}}), "nodes.", False),
    (data({"a": A | {"undo_of": "a"}}), "nodes.a.undo_of: a cycle: a → a", False),
    (data({"a": A | {"after": ["b"]}}), "nodes.a.after[0]: there is no node 'b'", False),
    (data({"a": A | {"after": [1]}}), "nodes.a.after[0]: a string belongs here", True),
    (data({"a": A | {"undo_of": "b"}}), "nodes.a.undo_of: there is no node 'b'", False),
    (data({"a": A, "b": A | {"undo_of": "a", "map": {"each": []}}}), "nodes.b.undo_of: a node has undo_of or map", True),
    (data({"a": A | {"when": "often"}}), "nodes.a.when: there is no trigger 'often'; there are all_succeeded", True),
    (data({"a": A | {"at_least": 0}}), "nodes.a.at_least: at_least must be 1 or more, got 0", True),
    (data({"a": A | {"at_least": True}}), "nodes.a.at_least: a whole number belongs here, and not true or false", True),
    (data({"a": A | {"at_least": 1.5}}), "nodes.a.at_least: a whole number belongs here, and not a fraction", True),
    (data({"a": A | {"at_least": 1, "when": "all_done"}}), "nodes.a.at_least: a node has at_least or when", True),
    (data({"a": A, "b": A | {"after": ["a"], "at_least": 2}}), "nodes.b.at_least: node 'b' starts when 2 have", False),
    (data({"a": A | {"when": "any_succeeded"}}), "nodes.a.when: node 'a' starts when 1 have succeeded", False),
    (data({"a": A | {"queue": "no queue"}}), "nodes.a.queue: the queue 'no queue' is not a legal name", True),
    (data({"a": A | {"may_fail": 1}}), "nodes.a.may_fail: true or false belongs here, and not a whole number", True),
    (data({"a": A | {"inline": "yes"}}), "nodes.a.inline: true or false belongs here, and not a string", True),
    (data({"a": A | {"at_a_time": 5}}), "nodes.a.at_a_time: it is for a node with a map: add the map", True),
    (data({"a": A | {"map_at_least": 5}}), "nodes.a.map_at_least: it is for a node with a map", True),
    (data({"a": A | {"map": {"each": []}, "at_a_time": 0}}), "nodes.a.at_a_time: at_a_time must be from 1 to", True),
    (data({"a": A | {"map": {"each": []}, "map_at_least": -1}}), "nodes.a.map_at_least: at_least must be 0", True),
    (data({"a": A | {"map": {"each": "abc"}}}), "nodes.a.map: a map goes over a list, a dict, a node", True),
    (data({"a": A | {"map": {}}}), "nodes.a.map: a map has exactly one of each, zip and product", True),
    (data({"a": A | {"map": {"zip": []}}}), "nodes.a.map: a map over nothing", True),
    (data({"a": A | {"map": {"over": []}}}), "nodes.a.map.over: there is no such field", True),
    (data({"a": A | {"map": {"product": {}}}}), "nodes.a.map.product: a list belongs here", True),
    (data({"a": A | {"conditions": [{}]}}), "nodes.a.conditions[0]: a condition has exactly one of", True),
    (data({"a": A | {"conditions": [{"only_if": {}}]}}), "nodes.a.conditions[0].only_if: a condition is about", True),
    (data({"a": A | {"conditions": [{"only_if": 1}]}}), "nodes.a.conditions[0].only_if: an object belongs here", True),
    (data({"a": A | {"conditions": [{"unless": {"$param": "p"}, "equals": 1, "one_of": []}]}}, "p"),
     "nodes.a.conditions[0].one_of: a condition has equals or one_of", True),
    (data({"a": A | {"conditions": [{"unless": {"$param": "p"}, "equals": [{"$param": "p"}]}]}}, "p"),
     "nodes.a.conditions[0].equals[0]: a condition compares with a constant", True),
    (data({"a": A | {"conditions": [{"unless": {"$param": "p"}, "one_of": 1}]}}, "p"),
     "nodes.a.conditions[0].one_of: a list belongs here", True),
    (data({"a": A | {"conditions": [{"unless": {"$node": "b"}}]}}), "nodes.a.conditions[0].unless: there is no", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "_"), WRONG)
def test_what_is_wrong_is_refused_where_it_stands(text: Any, message: str, _: bool) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load(text, find)
    assert str(refusal.value).startswith(message)
    with pytest.raises(InvalidInput):
        load(text, find_or_refuse)


@pytest.mark.parametrize(
    ("node", "message", "parameter"),
    [
        ({"task": "fetch"}, "nodes.a: task 'fetch' misses argument 'url'", "url"),
        (
            {"task": "fetch", "args": [1]},
            "nodes.a.args[0]: argument 'url' of task 'fetch': a int is not",
            "url",
        ),
        ({"task": "count", "args": ["", "x"]}, "nodes.a.args[1]: argument 'least'", "least"),
        (
            {"task": "count", "args": ["x"], "kwargs": {"least": "x"}},
            "nodes.a.kwargs.least: argument",
            "least",
        ),
        (
            {"task": "fetch", "kwargs": {"uri": ""}},
            "nodes.a.kwargs.uri: task 'fetch' has no parameter 'uri'",
            "uri",
        ),
        (
            {"task": "fetch", "args": [""], "kwargs": {"url": ""}},
            "nodes.a.kwargs.url: task 'fetch' got",
            "url",
        ),
        ({"task": "fetch", "args": ["", ""]}, "nodes.a: task 'fetch' takes at most 1 positional", None),
        (
            {"task": "total", "args": [{"$node": "text"}]},
            "nodes.a.args[0]: argument 'counts' of task",
            "counts",
        ),
        ({"task": "count", "map": {"each": []}, "args": ["x"]}, "nodes.a.args[0]: argument 'least'", "least"),
        ({"task": "typed", "args": ["soon"]}, "nodes.a.args[0]: argument 'at' of task 'typed'", "at"),
        ({"task": "any", "map": {"each": 5}}, "nodes.a.map: a map goes over a list", None),
    ],
)
def test_what_a_function_refuses(node: dict[str, Any], message: str, parameter: str | None) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        load(data({"a": node, "text": {"task": "fetch", "args": ["x"]}}), find)
    assert str(refusal.value).startswith(message)
    assert refusal.value.parameter == parameter


def test_a_value_is_not_shown() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        load(data({"a": {"task": "count", "args": ["x", "hunter2"]}}), find)
    assert "hunter2" not in str(refusal.value)


def test_a_long_cycle_and_a_long_chain() -> None:
    nodes: dict[str, Any] = {f"n{number}": A | {"after": [f"n{number + 1}"]} for number in range(999)}
    chain = nodes | {"n999": A | {"args": [{"$node": "n0"}]}}
    with pytest.raises(
        InvalidInput, match=r"^nodes\.n\d+\.\S+: a cycle: n\d+ → .*take one of these references out$"
    ):
        load(data(chain), find)
    backwards = {
        f"n{number}": A | {"args": [{"$node": f"n{number + 1}"}]} for number in range(MAX_NODES - 1)
    } | {f"n{MAX_NODES - 1}": A}
    assert [node.name for node in load(data(backwards), find).nodes] == [
        f"n{MAX_NODES - 1 - number}" for number in range(MAX_NODES)
    ]
    with pytest.raises(InvalidInput, match=rf"^nodes\.more: graph 'g' has {MAX_NODES:,} nodes"):
        load(data(backwards | {"more": A}), find)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime(2026, 1, 1), r"nodes\.any\.args\[0\]\.x: a text cannot carry this datetime"),  # noqa: DTZ001
        (b"x", "cannot carry this bytes"),
        ({1, 2}, "cannot carry this set"),
        (float("inf"), "cannot carry this float"),
        (object(), "cannot carry this object"),
        ({1: 2}, r"nodes\.any\.args\[0\]\.x: a key is a whole number, and keys are strings"),
        (Param("p"), r"Param\(name='p'\) is not of graph 'g': build both in one graph"),
        (DEEP, "nested deeper than 64 levels"),
    ],
)
def test_what_a_text_cannot_carry(value: Any, message: str) -> None:
    graph = Graph("g")
    graph.node(TASKS["any"], {"x": value})
    with pytest.raises(InvalidInput, match=message):
        dump(graph)


def test_a_condition_that_is_no_constant_is_not_written() -> None:
    graph = Graph("g")
    first, second = graph.node(TASKS["any"]), graph.node(TASKS["any"])
    graph.node(TASKS["any"]).only_if(first, equals=[second]).named("x")
    with pytest.raises(
        InvalidInput, match=r"nodes\.x\.conditions\[0\]\.equals: a condition compares with a constant"
    ):
        dump(graph)


def test_subclasses_of_plain_types_are_written_plain() -> None:
    graph = Graph("g")
    graph.node(TASKS["any"], Colour.RED, {Colour.RED: (1, 2)})
    args = dump(graph)["nodes"]["any"]["args"]
    assert (args, type(args[0]), type(next(iter(args[1])))) == (["red", {"red": [1, 2]}], str, str)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"dag": "g",\n "nodes": }', "line 2, column 11: not JSON"),
        ('{"dag": "g", "dag": "h"}', "the text: 'dag' stands twice in one object"),
        ('{"dag": "g", "nodes": {"a": {"task": "any", "args": [NaN]}}}', "nodes.a.args[0]: a text cannot carry"),
        ('{"dag": ' + "1" * 5000 + "}", "the text: it holds a number or a date that cannot be read"),
        ('{"dag": ' + "[" * 200_000, "the text: it is nested too deeply"),
        ("{" + " " * MAX_TEXT, "the text has 1,048,577 bytes, and 1,048,576 is the most"),
        ("{" + "é" * (MAX_TEXT // 2), "the text has 1,048,577 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_json(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        loads(text, find)
    assert str(refusal.value).startswith(message)


def test_other_forms_and_sizes_are_not_written() -> None:
    graph = Graph("g")
    graph.node(TASKS["any"], "x" * MAX_TEXT)
    with pytest.raises(InvalidInput, match="there is no form 'toml'; there are json, yaml"):
        dumps(graph, "toml")
    with pytest.raises(InvalidInput, match="pass what is big as a parameter"):
        dumps(graph)


def test_yaml_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "yaml", None)
    for call in (lambda: loads("dag: g", find), lambda: dumps(everything(), "yaml")):
        with pytest.raises(ConfigError, match=r"pip install 'jobbers\[yaml\]'"):
            call()


@needs_yaml
def test_yaml_comes_back() -> None:
    graph = everything()
    text = dumps(graph, "yaml")
    assert text.startswith("dag: all\n")
    assert plan(loads(text, find)) == plan(graph)
    assert [node.name for node in loads("dag: g\nnodes: {b: {task: any}, a: {task: any}}", find).nodes] == [
        "b",
        "a",
    ]


@needs_yaml
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text: an object belongs here, and not null"),
        ("dag: g\nnodes: &n [*n]", "line 2: what stands here is used again by an alias"),
        ("dag: &a g\nnodes: *a", "line 1: what stands here is used again by an alias"),
        ("dag: g\nnodes: {}\ndag: h", "line 3: 'dag' stands twice in one object"),
        ("dag: g\nnodes: [", "line 2: not YAML that is read here"),
        (
            "dag: !!python/object/apply:os.getcwd []",
            "line 1: not YAML that is read here: could not determine",
        ),
        ("dag: g\n---\ndag: h", "line 2: not YAML that is read here"),
        ("dag: \x00", "the text: not YAML that is read here: a character that is not allowed"),
        (
            "dag: g\nnodes: {a: {task: any, args: [2024-01-01]}}",
            "nodes.a.args[0]: a text cannot carry this date",
        ),
        ("dag: g\nnodes: {a: {task: any, args: [2024-99-99]}}", "the text: it holds a number or a date that"),
        (
            "dag: g\nnodes: {a: {task: any, args: [{on: 1}]}}",
            "nodes.a.args[0]: a key is true or false, and keys are",
        ),
        ("dag: g\nnodes: {a: {task: any, args: [{? [1] : 1}]}}", "line 2: not YAML that is read here"),
        ("dag: " + "[" * 50_000, "the text: it is nested too deeply"),
        ("x" * (MAX_TEXT + 1), "the text has 1,048,577 bytes"),
    ],
)
def test_what_is_no_yaml(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        loads(text, find)
    assert str(refusal.value).startswith(message)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["$node", "$literal", "$x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph with whatever a graph may have, cycles left out."""
    graph = Graph("random")
    params = [graph.param(name) for name in draw(st.lists(st.sampled_from("pq"), max_size=2, unique=True))]
    for number in range(draw(st.integers(1, 7))):
        forward = [
            node for node in graph.nodes if node.undoes is None
        ]  # nothing may need compensation's result
        refs = st.sampled_from([*forward, *params]) if forward or params else st.nothing()
        errors = st.sampled_from([node.error for node in forward]) if forward else st.nothing()
        values = JSON | refs | errors | st.lists(JSON | refs | errors, max_size=2).map(lambda it: {"$v": it})
        args = draw(st.lists(values, max_size=3))
        kwargs = draw(st.dictionaries(st.sampled_from(["a", "b", "$c"]), values, max_size=2))
        task = TASKS[draw(st.sampled_from(["any", "other.any"]))]
        kind = draw(st.sampled_from(["node", "node", "map", "undo"]))
        if kind == "undo" and forward:
            node = draw(st.sampled_from(forward)).undo(task, *args, **kwargs)
        elif kind == "map":
            sources = draw(st.lists(refs | st.lists(values, max_size=2), min_size=1, max_size=3))
            over = draw(st.sampled_from([sources[0], zipped(*sources), product(*sources)]))
            node = _shaped(draw, graph.map(task, over, *args, **kwargs))
        else:
            node = graph.node(task, *args, **kwargs)
        if draw(st.booleans()):
            node.named(f"node.{number}")
    for node in graph.nodes:
        _marked(draw, graph, node, params)
    try:
        graph.ordered()
    except InvalidInput:
        assume(False)
    return graph


def _shaped(draw: st.DrawFn, node: MapNode) -> MapNode:
    if draw(st.booleans()):
        node.at_a_time(draw(st.integers(1, 1000)))
    if draw(st.booleans()):
        node.at_least(draw(st.integers(0, 5)))
    return node


def _marked(draw: st.DrawFn, graph: Graph, node: Node, params: list[Param]) -> None:
    place = graph.nodes.index(node)
    before, behind = (
        [it for it in some if it.undoes is None] for some in (graph.nodes[:place], graph.nodes[place + 1 :])
    )
    # Mostly nodes before it, sometimes later ones: what that makes a cycle is left out.
    others = before if draw(st.integers(0, 3)) else behind
    if others:
        node.after(*draw(st.lists(st.sampled_from(others), max_size=2)))
    subjects = [*others, *params, *(it.error for it in others)]
    for _ in range(draw(st.integers(0, 2)) if subjects else 0):
        subject = draw(st.sampled_from(subjects))
        method = draw(st.sampled_from([node.only_if, node.unless]))
        wanted = draw(st.sampled_from(["", "equals", "one_of"]))
        tests: dict[str, dict[str, Any]] = {
            "": {},
            "equals": {"equals": draw(JSON)},
            "one_of": {"one_of": draw(st.lists(JSON, max_size=2))},
        }
        method(subject, **tests[wanted])
    trigger: Trigger | None = draw(st.sampled_from([None, *Trigger]))
    if trigger is not None:
        node.when(trigger)
    elif draw(st.booleans()) and node.parents:
        node.when(at_least=draw(st.integers(1, len(node.parents))))
    changes: dict[str, Callable[[], Any]] = {
        "queue": lambda: node.on("q"), "may_fail": node.may_fail, "inline": node.inline,
        "never": lambda: node.inline(False),
    }  # fmt: skip
    for change in draw(st.lists(st.sampled_from(sorted(changes)), max_size=2)):
        changes[change]()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs(), st.randoms(use_true_random=False))
def test_every_graph_comes_back(graph: Graph, chance: Any) -> None:
    text = dumps(graph)
    again = loads(text, find)
    assert plan(again) == plan(graph)
    assert dumps(again) == text
    assert [node.name for node in again.nodes] == [node.name for node in graph.nodes]
    if find_spec("yaml") is not None:
        assert plan(loads(dumps(graph, "yaml"), find)) == plan(graph)
    if find_spec("jsonschema") is not None:
        validator().validate(dump(graph))
    shuffled = dump(graph)
    names = list(shuffled["nodes"])
    chance.shuffle(names)
    shuffled["nodes"] = {name: shuffled["nodes"][name] for name in names}
    other = load(shuffled, find)
    assert {name: dump(other)["nodes"][name] for name in names} == shuffled["nodes"]


@functools.cache
def validator() -> Any:
    jsonschema = importlib.import_module("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_knows_all_fields() -> None:
    assert SCHEMA["properties"].keys() == GRAPH_FIELDS.keys()
    for name, known in (("node", NODE_FIELDS), ("map", MAP_FIELDS), ("condition", CONDITION_FIELDS)):
        assert SCHEMA["$defs"][name]["properties"].keys() == known.keys()
    assert SCHEMA["$defs"]["node"]["properties"]["when"]["enum"] == [*Trigger]


def test_the_schema_takes_what_is_right_and_refuses_what_is_wrong() -> None:
    pytest.importorskip("jsonschema")
    valid = validator()
    valid.validate(dump(everything()))
    for text, message, known in WRONG:
        if known:
            assert not valid.is_valid(text), message


ROWS = [("a", "any", []), ("b.c", "other.any", ["a"]), ("d", "any", ["b.c", "a"])]


def test_a_drawn_graph_is_read_again() -> None:
    graph = load_mermaid(mermaid(ROWS), find, "drawn")
    assert graph.name == "drawn"
    assert [(node.name, node.task.name, [it.name for it in node.earlier]) for node in graph.nodes] == ROWS
    rows = [(node.name, node.task.name, [it.name for it in node.parents]) for node in graph.nodes]
    assert mermaid(rows) == mermaid(ROWS)


def test_a_flowchart_by_hand() -> None:
    text = """
    %% how it goes
    graph LR;
        last
        first["start<br/>any"] --> x(any) & other.any --> last["any-2<br>any"];
        first-->y[mid<br />any]
        y --> last; %% no comment behind a line
    """.replace(" %% no comment behind a line", "")
    graph = load_mermaid(text, find_or_refuse)
    assert {node.name: [it.name for it in node.earlier] for node in graph.nodes} == {
        "any-2": ["any", "other.any", "mid"], "start": [], "any": ["start"], "other.any": ["start"], "mid": ["start"],
    }  # fmt: skip
    assert [node.task.name for node in graph.nodes] == ["any", "any", "any", "other.any", "any"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: a flowchart begins with a line such as flowchart TD"),
        ("\nsequenceDiagram", "line 2: a flowchart begins with"),
        ("flowchart TD", "line 1: the flowchart has no nodes: add one"),
        ("flowchart TD\n any -.-> b", "line 2: '-.-> b' is not understood: there are nodes a"),
        ("flowchart TD\n any -->|yes| b", "line 2: '|yes| b' is not understood"),
        ("flowchart TD\n any ---> b", "line 2: '---> b' is not understood"),
        ("flowchart TD\n\n subgraph one\n any\n end", "line 3: 'subgraph one' is not understood"),
        ("flowchart TD\n any{any}", "line 2: '{any}' is not understood"),
        ("flowchart TD\n any[[any]]", "line 2: '[[any]]' is not understood"),
        ("flowchart TD\n classDef x stroke:#fff", "line 2: 'classDef x stroke:#fff' is not understood"),
        ("flowchart TD\n any -->", "line 2: the line ends where a node belongs"),
        ("flowchart TD\n a[any] & b", "line 2: there is no task type 'b'"),
        ("flowchart TD\n a[any]\n a[other.any]", "line 3: 'a' has another label already"),
        ("flowchart TD\n a[any]\n b[any]", "line 3: graph 'flowchart' has a node 'any' already"),
        ('flowchart TD\n a["x<br/>any<br/>failed"]', "line 2: the label of 'a' has 3 lines"),
        ('flowchart TD\n a["x &amp; y<br/>any"]', "line 2: the name of a node 'x & y' is not a legal name"),
        ("flowchart TD\n a[any] --> b[other.any]\n b --> a", "line "),
        ("flowchart TD\n any --> any", "line 2: a cycle: any → any"),
        ("flowchart TD\n any\n" + "%" * MAX_TEXT, "the text has 1,048,594 bytes"),
    ],
)
def test_what_is_no_flowchart(text: str, message: str) -> None:
    for finder in (find, find_or_refuse):
        with pytest.raises(InvalidInput) as refusal:
            load_mermaid(text, finder)
        assert str(refusal.value).startswith(message)


def test_a_flowchart_gives_no_arguments() -> None:
    with pytest.raises(
        InvalidArgument, match=r"^line 2: task 'fetch' misses argument 'url'; a flowchart says nothing"
    ):
        load_mermaid("flowchart TD\n fetch", find)


def test_a_flowchart_with_too_many_nodes() -> None:
    lines = "\n".join(f"n{number}[n{number}<br/>any]" for number in range(MAX_NODES + 1))
    with pytest.raises(InvalidInput, match=r"^line 5002: graph 'flowchart' has 5,000 nodes"):
        load_mermaid(f"flowchart TD\n{lines}", find)
