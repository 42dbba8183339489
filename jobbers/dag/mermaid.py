"""Flowcharts in Mermaid's language (https://mermaid.js.org/syntax/flowchart.html) read as graphs."""

from __future__ import annotations

import html
import re
from itertools import pairwise

from jobbers.dag.graph import Graph
from jobbers.dag.nodes import Node
from jobbers.dag.reading import FindTask, checked_size, found_task, in_order, placed, refused, short
from jobbers.errors import InvalidArgument

_HEAD = re.compile(r"(?:flowchart|graph)(?:\s+(?:TB|TD|BT|LR|RL))?")
_NODE = re.compile(
    r"""([A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*)"""
    r"""(?:\["([^"]*)"\]|\("([^"]*)"\)|\[([^][(){}|"]*)\]|\(([^][(){}|"]*)\))?\s*"""
)
_SIGN = re.compile(r"(-->|&)\s*")
_BREAK = re.compile(r"<br\s*/?>")
_RESERVED = {
    "class",
    "classDef",
    "click",
    "direction",
    "end",
    "flowchart",
    "graph",
    "linkStyle",
    "style",
    "subgraph",
}


class _Chart:
    """What the lines of a flowchart say: by id its label and its place, and whom it waits for, and where that stands."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.waits: dict[str, dict[str, str]] = {}

    def read(self, line: str, place: str) -> None:
        """One line. Raises :class:`InvalidInput` for what is not understood."""
        groups: list[list[str]] = [[]]
        at, wants_node = 0, True
        while at < len(line):
            found = (_NODE if wants_node else _SIGN).match(line, at)
            if found is None or found[1] in _RESERVED:
                raise refused(
                    place,
                    f'{short(line[at:])} is not understood: there are nodes a, a[label], a["label"] and a(label), joined '
                    "by --> and &",
                )
            if wants_node:
                label = next((text for text in found.groups()[1:] if text is not None), None)
                groups[-1].append(self._mentioned(found[1], label, place))
            elif found[1] == "-->":
                groups.append([])
            at, wants_node = found.end(), not wants_node
        if wants_node:
            raise refused(place, "the line ends where a node belongs: name one, or take the sign out")
        for before, behind in pairwise(groups):
            for name in behind:
                for parent in before:
                    self.waits[name].setdefault(parent, place)

    def _mentioned(self, name: str, label: str | None, place: str) -> str:
        self.waits.setdefault(name, {})
        self.places.setdefault(name, place)
        if label is not None:
            if self.labels.setdefault(name, label) != label:
                raise refused(
                    place, f"{short(name)} has another label already: give one of the two another id"
                )
            self.places[name] = place
        return name

    def words(self, name: str) -> tuple[str, str]:
        """The name and the task type of a node."""
        words = [html.unescape(word).strip() for word in _BREAK.split(self.labels.get(name, name))]
        if len(words) > 2:
            raise refused(
                self.places[name],
                f"the label of {short(name)} has {len(words)} lines: name and task type are two",
            )
        return words[0], words[-1]


def load_mermaid(text: str, find_task: FindTask, name: str = "flowchart") -> Graph:
    """The graph called ``name`` of a flowchart, as ``jobbers dag graph`` draws one: a label is a node's name and, behind
    ``<br/>``, its task type; an arrow means ``after``.

    Raises :class:`InvalidInput`, or :class:`InvalidArgument` for a task that needs arguments, naming the line.
    """
    graph, chart = Graph(name), _Chart()
    lines = [
        (f"line {number}", line.strip()) for number, line in enumerate(checked_size(text).split("\n"), 1)
    ]
    told = [(place, line.rstrip("; \t")) for place, line in lines if line and not line.startswith("%%")]
    if not told or not _HEAD.fullmatch(told[0][1]):
        raise refused(told[0][0] if told else "line 1", "a flowchart begins with a line such as flowchart TD")
    for place, line in told[1:]:
        chart.read(line, place)
    if not chart.waits:
        raise refused(told[0][0], "the flowchart has no nodes: add one")
    in_order(chart.waits)
    nodes: dict[str, Node] = {}
    for key, place in chart.places.items():
        called, kind = chart.words(key)
        task = found_task(kind, place, find_task)
        with placed(place):
            try:
                node = graph.node(task)
            except InvalidArgument as error:
                raise InvalidArgument(
                    f"{error}; a flowchart says nothing of arguments: give the parameter a default, or write the graph "
                    "in JSON or YAML",
                    error.parameter,
                ) from None
            nodes[key] = node.named(called)
    for key, parents in chart.waits.items():
        nodes[key].after(*(nodes[parent] for parent in parents))
    return graph
