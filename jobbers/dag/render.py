"""A graph as Mermaid's flowchart language (https://mermaid.js.org/syntax/flowchart.html), and as a picture in SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_COLOURS = {
    "succeeded": "#2e7d32",
    "running": "#1565c0",
    "failed": "#c62828",
    "cancelled": "#6d4c41",
    "skipped": "#757575",
}


def mermaid(
    nodes: Iterable[tuple[str, str, Sequence[str]]], statuses: Mapping[str, str] | None = None
) -> str:
    """A flowchart of nodes, each a name, its task type and the names of those that it waits for; with ``statuses`` by name
    each says where it stands, in words and colour."""
    rows = list(nodes)
    places = {name: f"n{number}" for number, (name, _, _) in enumerate(rows)}
    lines = ["flowchart TD"]
    for name, kind, _ in rows:
        status = (statuses or {}).get(name)
        words = [name, *([kind] if kind != name else []), *([status] if status else [])]
        lines.append(f'    {places[name]}["{"<br/>".join(map(_quoted, words))}"]')
    lines += [f"    {places[parent]} --> {places[name]}" for name, _, parents in rows for parent in parents]
    for status, colour in _COLOURS.items():
        marked = [places[name] for name, _, _ in rows if (statuses or {}).get(name) == status]
        if marked:
            lines.append(f"    classDef {status} stroke:{colour},stroke-width:3px")
            lines.append(f"    class {','.join(marked)} {status}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Text inside a quoted label; names have no other odd characters."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


_BOX, _HIGH, _GAP_X, _GAP_Y = 180, 44, 60, 20


def svg(nodes: Iterable[tuple[str, str, Sequence[str]]], statuses: Mapping[str, str] | None = None) -> str:
    """The same as a picture: from left to right, each node behind the last that it waits for."""
    rows = list(nodes)
    columns: dict[str, int] = {}
    places: dict[str, tuple[int, int]] = {}
    heights: Counter[int] = Counter()
    for name, _, parents in rows:  # each stands behind those that it waits for
        column = columns[name] = max((columns[parent] + 1 for parent in parents), default=0)
        places[name] = column * (_BOX + _GAP_X) + 10, heights[column] * (_HIGH + _GAP_Y) + 10
        heights[column] += 1
    width = (max(columns.values(), default=0) + 1) * (_BOX + _GAP_X) - _GAP_X + 20
    height = max(heights.values(), default=0) * (_HIGH + _GAP_Y) - _GAP_Y + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#888"/></marker></defs>',
    ]
    for name, _, parents in rows:
        x, y = places[name]
        for parent in parents:
            from_x, from_y = places[parent][0] + _BOX, places[parent][1] + _HIGH // 2
            middle, to_y = (from_x + x) // 2, y + _HIGH // 2
            lines.append(
                f'<path d="M{from_x} {from_y}C{middle} {from_y} {middle} {to_y} {x} {to_y}" fill="none" stroke="#888" '
                'marker-end="url(#tip)"/>'
            )
    for name, kind, _ in rows:
        status = (statuses or {}).get(name, "")
        x, y = places[name]
        lines += [
            f"<g><title>{escape(name)}: {escape(status or kind)}</title>",
            f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="6" fill="#fff" '
            f'stroke="{_COLOURS.get(status, "#888")}" stroke-width="2"/>',
            f'<text x="{x + 10}" y="{y + 18}" fill="#111">{escape(_cut(name))}</text>',
            f'<text x="{x + 10}" y="{y + 35}" fill="#666">{escape(_cut(status or kind))}</text></g>',
        ]
    return "\n".join([*lines, "</svg>"])


def _cut(text: str) -> str:
    return text if len(text) <= 22 else f"{text[:21]}…"
