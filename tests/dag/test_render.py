"""Graphs as pictures."""

from __future__ import annotations

from xml.etree import ElementTree

from jobbers.dag.render import svg

ROWS = [("a<b>", "kind", []), ("second", "other", ["a<b>"]), ("x" * 40, "other", ["a<b>", "second"])]
SVG = "{http://www.w3.org/2000/svg}"


def test_every_node_and_edge_is_there_and_none_covers_another() -> None:
    root = ElementTree.fromstring(svg(ROWS, {"second": "failed"}))
    boxes = [(float(it.attrib["x"]), float(it.attrib["y"])) for it in root.iter(f"{SVG}rect")]
    assert len(set(boxes)) == 3
    assert sorted(boxes) == boxes  # from left to right
    assert len([path for path in root.iter(f"{SVG}path") if path.attrib.get("marker-end")]) == 3
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles == ["a<b>: kind", "second: failed", f"{'x' * 40}: other"]


def test_no_nodes_are_a_picture_too() -> None:
    assert ElementTree.fromstring(svg([])).tag == f"{SVG}svg"
