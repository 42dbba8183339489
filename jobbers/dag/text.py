"""A graph as plain data that JSON and YAML can carry: :func:`dump` writes it, :func:`load` builds the graph of it.

``docs/workflows-text.md`` describes the form, and ``schema.json`` beside this module is its JSON Schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jobbers.core.condition import Test
from jobbers.dag.graph import Graph
from jobbers.dag.nodes import DEFAULT_WINDOW, MapNode, Node, NodeError, TaskLike, Trigger, product, zipped
from jobbers.dag.reading import (
    FindTask,
    check_depth,
    check_keys,
    checked_object,
    checked_size,
    found_task,
    in_order,
    joined,
    listed,
    numbered,
    parsed,
    placed,
    pyyaml,
    refused,
    scalar,
    short,
    typed,
)
from jobbers.dag.values import ITEM, Param, Placeholder, is_pending, placeholders
from jobbers.errors import InvalidInput

GRAPH_FIELDS = {"$schema": str, "dag": str, "params": list, "nodes": dict}
NODE_FIELDS = {
    "task": str, "args": list, "kwargs": dict, "map": dict, "at_a_time": int, "map_at_least": int, "after": list,
    "when": str, "at_least": int, "conditions": list, "queue": str, "may_fail": bool, "inline": bool, "undo_of": str,
}  # fmt: skip
MAP_FIELDS = {"each": object, "zip": list, "product": list}
CONDITION_FIELDS = {"only_if": dict, "unless": dict, "equals": object, "one_of": list}

_TESTS = {
    Test.TRUE: ("only_if", None), Test.EQUALS: ("only_if", "equals"), Test.ONE_OF: ("only_if", "one_of"),
    Test.FALSE: ("unless", None), Test.DIFFERS: ("unless", "equals"), Test.NONE_OF: ("unless", "one_of"),
}  # fmt: skip
_MARKS = {"$node": "node", "$error": "node", "$param": "parameter"}
_LITERAL = "$literal"


def dumps(graph: Graph, form: str = "json") -> str:
    """The graph as text, in JSON or ``"yaml"``. Raises like :func:`dump`, :class:`InvalidInput` for another form and a text
    above 1 MiB, and :class:`ConfigError` where PyYAML is missing."""
    data = dump(graph)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if form == "json":
        return checked_size(text)
    if form == "yaml":
        # PyYAML writes these three so that it reads another character, unless all that is not ASCII is escaped.
        readable = not any(odd in text for odd in "\x85\u2028\u2029")
        return checked_size(str(pyyaml().safe_dump(data, sort_keys=False, allow_unicode=readable)))
    raise InvalidInput(f"there is no form {short(str(form))}; there are json, yaml")


def loads(text: str, find_task: FindTask) -> Graph:
    """The graph of a text: of JSON if it begins with ``{``, else of YAML. Raises like :func:`load`; :class:`InvalidInput`
    naming the line for what is neither, says a key twice, uses a YAML alias, or is above 1 MiB; and
    :class:`ConfigError` for YAML where PyYAML is missing."""
    return load(parsed(text), find_task)


def dump(graph: Graph) -> dict[str, Any]:
    """The graph as plain data, of which :func:`load` builds an equal one.

    Raises :class:`InvalidInput` naming the place of a value that JSON cannot carry.
    """
    handled = {node for handler in graph.nodes for node in handler.handles}
    nodes = {node.name: _written_node(graph, node, node in handled) for node in graph.nodes}
    return {"dag": graph.name, "params": list(graph.params), "nodes": nodes}


def _written_node(graph: Graph, node: Node, handled: bool) -> dict[str, Any]:
    place = joined("nodes", node.name)

    def written(field: str, value: Any) -> Any:
        return _written(value, f"{place}.{field}", graph)

    usual = Trigger.ANY_FAILED if node.handles else Trigger.ALL_SUCCEEDED
    usual = Trigger.ALL_DONE if node.undoes else usual
    earlier = [it.name for it in dict.fromkeys(node.earlier) if it is not node.undoes]
    conditions = [
        _written_condition(graph, f"{place}.conditions[{number}]", it.subject, it.test, it.wanted)
        for number, it in enumerate(node.conditions)
    ]
    fields: dict[str, Any] = {
        "undo_of": node.undoes.name if node.undoes else None,
        "args": written("args", node.args) or None,
        "kwargs": {key: written(joined("kwargs", key), it) for key, it in node.kwargs.items()} or None,
        "after": earlier or None,
        "when": node.trigger.value if node.trigger is not usual and node.need < 2 else None,
        "at_least": node.need if node.need > 1 else None,
        "conditions": conditions or None,
        "queue": node.queue,
        "may_fail": True if node.caught and not handled else None,
        "inline": node.in_place,
    }
    if isinstance(node, MapNode):
        sources = [written(f"map.{node.over.how}", source) for source in node.over.sources]
        fields["map"] = {node.over.how: sources[0] if node.over.how == "each" else sources}
        fields["at_a_time"] = node.window if node.window != DEFAULT_WINDOW else None
        fields["map_at_least"] = node.enough
    return {"task": node.task.name} | {field: value for field, value in fields.items() if value is not None}


def _written_condition(
    graph: Graph, place: str, subject: Placeholder, test: Test, wanted: Any
) -> dict[str, Any]:
    kind, field = _TESTS[test]
    found = {kind: _written(subject, f"{place}.{kind}", graph)}
    if field is None:
        return found
    if is_pending(wanted):
        raise refused(
            f"{place}.{field}", "a condition compares with a constant: let a task compare two results"
        )
    return found | {field: _written(wanted, f"{place}.{field}", graph)}


def _written(value: Any, place: str, graph: Graph, depth: int = 0) -> Any:
    check_depth(depth, place)
    match value:
        case Node() if value.graph is graph:
            return {"$node": value.name}
        case NodeError() if value.node.graph is graph:
            return {"$error": value.node.name}
        case Param() if value.name in graph.params:
            return {"$param": value.name}
        case dict():
            check_keys(value, place)
            items = {str.__str__(key): item for key, item in value.items()}
            found = {key: _written(item, joined(place, key), graph, depth + 1) for key, item in items.items()}
            return {_LITERAL: found} if any(key.startswith("$") for key in found) else found
        case list() | tuple():
            return [
                _written(item, f"{place}[{number}]", graph, depth + 1) for number, item in enumerate(value)
            ]
        case Placeholder():
            raise refused(place, f"{value!r} is not of graph {graph.name!r}: build both in one graph")
        case _:
            return scalar(value, place)


@dataclass(frozen=True, slots=True)
class _Mark(Placeholder):
    """What stands in the text for a node, its error or a parameter."""

    kind: str
    name: str
    place: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """The text of one node, its shape checked. ``needs`` must be built before it, ``waits`` is all that it refers to."""

    name: str
    place: str
    fields: Mapping[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]
    sources: list[Any]
    conditions: list[tuple[str, dict[str, Any]]]
    after: list[_Mark]
    undo_of: _Mark | None

    @property
    def needs(self) -> list[_Mark]:
        found = _marks([self.args, self.kwargs, self.sources])
        return found if self.undo_of is None else [*found, self.undo_of]

    @property
    def waits(self) -> list[_Mark]:
        return [*self.needs, *_marks([condition for _, condition in self.conditions]), *self.after]


def load(data: Any, find_task: FindTask) -> Graph:
    """Build the graph that plain data describe. ``find_task`` gives the task type of a name.

    Raises :class:`InvalidInput`, or :class:`InvalidArgument` for what a function would refuse, each naming the place: a
    field that is unknown, missing or of another type, a task, node or parameter that is not there, a cycle, and all that
    the methods of :class:`Graph` and its nodes refuse.
    """
    fields = checked_object(data, "", GRAPH_FIELDS, ["dag", "nodes"])
    with placed("dag"):
        graph = Graph(fields["dag"])
    for number, name in enumerate(fields.get("params", [])):
        place = f"params[{number}]"
        if typed(name, str, place) in graph.params:
            raise refused(place, f"parameter {short(name)} stands there twice: take one out")
        with placed(place):
            graph.param(name)
    check_keys(fields["nodes"], "nodes")
    entries = {name: _entry(name, raw) for name, raw in fields["nodes"].items()}
    if not entries:
        raise refused("nodes", "there are none: a graph needs one or more")
    _check_marks(entries, graph.params)
    in_order({name: _places(entry.waits) for name, entry in entries.items()})
    built: dict[str, Node] = {}
    for name in in_order({name: _places(entry.needs) for name, entry in entries.items()}):
        built[name] = _built(graph, entries[name], built, find_task)
    for name, entry in entries.items():
        _finish(built[name], entry, built)
    hasty = next((it for it in entries.values() if built[it.name].need > len(built[it.name].parents)), None)
    with placed(f"{hasty.place}.{'when' if 'when' in hasty.fields else 'at_least'}" if hasty else "nodes"):
        graph.ordered()
    return graph


def _entry(name: str, raw: Any) -> _Entry:
    place = joined("nodes", name)
    fields = checked_object(raw, place, NODE_FIELDS, ["task"])
    check_keys(fields.get("kwargs", {}), f"{place}.kwargs")
    for one, other in [("at_least", "when"), ("undo_of", "map")]:
        if one in fields and other in fields:
            raise refused(f"{place}.{one}", f"a node has {one} or {other}, not both: take one out")
    for one in ("at_a_time", "map_at_least"):
        if one in fields and "map" not in fields:
            raise refused(f"{place}.{one}", "it is for a node with a map: add the map, or take it out")

    def items(field: str) -> list[tuple[str, Any]]:
        return numbered(f"{place}.{field}", fields.get(field, []))

    return _Entry(
        name,
        place,
        fields,
        [_read(it, where) for where, it in items("args")],
        {key: _read(it, joined(f"{place}.kwargs", key)) for key, it in fields.get("kwargs", {}).items()},
        _sources(fields["map"], f"{place}.map") if "map" in fields else [],
        [_condition(it, where) for where, it in items("conditions")],
        [_Mark("$node", typed(it, str, where), where) for where, it in items("after")],
        _Mark("$node", fields["undo_of"], f"{place}.undo_of") if "undo_of" in fields else None,
    )


def _sources(raw: Any, place: str) -> list[Any]:
    fields = checked_object(raw, place, MAP_FIELDS)
    if len(fields) != 1:
        raise refused(place, "a map has exactly one of each, zip and product")
    if "each" in fields:
        return [_read(fields["each"], f"{place}.each")]
    ((how, sources),) = fields.items()
    return [_read(source, where) for where, source in numbered(f"{place}.{how}", sources)]


def _condition(raw: Any, place: str) -> tuple[str, dict[str, Any]]:
    fields = checked_object(raw, place, CONDITION_FIELDS)
    if ("only_if" in fields) == ("unless" in fields):
        raise refused(place, "a condition has exactly one of only_if and unless")
    if "equals" in fields and "one_of" in fields:
        raise refused(f"{place}.one_of", "a condition has equals or one_of, not both: take one out")
    kind = "only_if" if "only_if" in fields else "unless"
    found = {field: _read(value, joined(place, field)) for field, value in fields.items()}
    if not isinstance(found[kind], _Mark):
        raise refused(f"{place}.{kind}", 'a condition is about {"$node": …}, {"$param": …} or {"$error": …}')
    for mark in _marks([value for field, value in found.items() if field != kind]):
        raise refused(mark.place, "a condition compares with a constant: let a task compare two results")
    return kind, {"subject": found.pop(kind)} | found


def _read(raw: Any, place: str, depth: int = 0) -> Any:
    """A value of the text, with marks where others belong."""
    check_depth(depth, place)
    if isinstance(raw, list):
        return [_read(item, where, depth + 1) for where, item in numbered(place, raw)]
    if not isinstance(raw, dict):
        return scalar(raw, place)
    check_keys(raw, place)
    sign = next((key for key in raw if key.startswith("$")), None)
    if sign in _MARKS and len(raw) == 1:
        return _Mark(sign, typed(raw[sign], str, joined(place, sign)), place)
    if sign == _LITERAL and len(raw) == 1:
        place = joined(place, sign)
        raw = typed(raw[sign], dict, place)
        check_keys(raw, place)
    elif sign is not None:
        raise refused(
            place,
            f"{short(sign)} is not a key of its own here: there are $node, $param, $error and $literal, each alone in "
            'its object; put a dict with such a key into {"$literal": {…}}',
        )
    return {key: _read(item, joined(place, key), depth + 1) for key, item in raw.items()}


def _check_marks(entries: Mapping[str, _Entry], params: Mapping[str, Param]) -> None:
    for entry in entries.values():
        for mark in entry.waits:
            if mark.name not in (params if mark.kind == "$param" else entries):
                known, what = (params, "params") if mark.kind == "$param" else (entries, "nodes")
                raise refused(
                    mark.place,
                    f"there is no {_MARKS[mark.kind]} {short(mark.name)} in {what} (there are: {listed(known)}): add it "
                    "there, or correct the name",
                )


def _built(graph: Graph, entry: _Entry, built: Mapping[str, Node], find_task: FindTask) -> Node:
    place, mapped = entry.place, "map" in entry.fields
    task = found_task(entry.fields["task"], f"{place}.task", find_task)
    args, kwargs, sources = (_filled(it, graph, built) for it in (entry.args, entry.kwargs, entry.sources))
    for name in ("self", "task", *(["over"] if mapped else [])):
        if name in kwargs:
            raise refused(f"{place}.kwargs.{name}", "a node takes no keyword of this name: put it into args")
    named = {name: joined(f"{place}.kwargs", name) for name in kwargs}
    with placed(place, named):
        pairs = task.signature.check((*(ITEM for _ in sources), *args), kwargs, pending=lambda _: True)
    wheres = [f"{place}.map" for _ in sources] + [f"{place}.args[{number}]" for number in range(len(args))]
    paths = {name: where for (name, _), where in zip(pairs, [*wheres, *named.values()], strict=True)}
    fitted = _fitted(task, pairs)[len(sources) :]
    args, kwargs = fitted[: len(args)], dict(zip(kwargs, fitted[len(args) :], strict=True))
    with placed(f"{place}.map" if mapped else place, paths):
        if entry.undo_of is not None:
            node = built[entry.undo_of.name].undo(task, *args, **kwargs)
        elif mapped:
            (how,) = entry.fields["map"]
            over = sources[0] if how == "each" else {"zip": zipped, "product": product}[how](*sources)
            node = graph.map(task, over, *args, **kwargs)
        else:
            node = graph.node(task, *args, **kwargs)
    with placed(place):
        return node.named(entry.name)


def _fitted(task: TaskLike, pairs: Sequence[tuple[str, Any]]) -> list[Any]:
    """The arguments, those rebuilt by their annotations that are not of them as they stand: a datetime that is text."""
    checkers = {parameter.name: parameter.checker for parameter in task.signature.parameters}
    values = []
    for name, value in pairs:
        fitted = value
        if name in checkers and not is_pending(value):
            try:
                checkers[name].check(value)
            except (TypeError, ValueError):
                with suppress(TypeError, ValueError):  # the graph refuses it, and says why
                    fitted = checkers[name].load(value)
        values.append(fitted)
    return values


def _finish(node: Node, entry: _Entry, built: Mapping[str, Node]) -> None:
    """All that may name nodes further down, or changes what a node is by default."""
    fields, place = entry.fields, entry.place
    node.after(*(built[mark.name] for mark in entry.after))
    for kind, condition in entry.conditions:
        wanted = _filled(condition, node.graph, built)
        (node.only_if if kind == "only_if" else node.unless)(**wanted)
    if fields.get("may_fail"):
        node.may_fail()
    if "inline" in fields:
        node.inline(fields["inline"])
    setters: dict[str, Callable[[Any], object]] = {
        "when": node.when, "at_least": lambda count: node.when(at_least=count), "queue": node.on,
    }  # fmt: skip
    if isinstance(node, MapNode):
        setters |= {"at_a_time": node.at_a_time, "map_at_least": node.at_least}
    for field, setter in setters.items():
        if field in fields:
            with placed(f"{place}.{field}"):
                setter(fields[field])


def _filled(value: Any, graph: Graph, built: Mapping[str, Node]) -> Any:
    match value:
        case _Mark(kind="$param"):
            return graph.params[value.name]
        case _Mark():
            return built[value.name].error if value.kind == "$error" else built[value.name]
        case dict():
            return {key: _filled(item, graph, built) for key, item in value.items()}
        case list():
            return [_filled(item, graph, built) for item in value]
        case _:
            return value


def _marks(value: Any) -> list[_Mark]:
    return [it for it in placeholders(value) if isinstance(it, _Mark)]


def _places(marks: Iterable[_Mark]) -> dict[str, str]:
    return {mark.name: mark.place for mark in marks if mark.kind != "$param"}
