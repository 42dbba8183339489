"""A graph as text: Mermaid's flowchart language (https://mermaid.js.org/syntax/flowchart.html)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
