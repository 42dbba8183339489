"""What a map goes over, item by item: the arguments of each of its tasks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobbers.errors import InvalidInput

Row = tuple[Any, ...]


class Rows(NamedTuple):
    """The first arguments of each task, and the keys of its results if they are to be a dict."""

    rows: Sequence[Row]
    keys: tuple[Any, ...] | None


def rows_of(how: str, sources: Sequence[Any]) -> Rows:
    """The rows of a map over ``sources``. Raises :class:`InvalidInput` for what has no items, and for lists of different
    lengths where they go together."""
    if how == "each" and isinstance(sources[0], Mapping):
        return Rows([(value,) for value in sources[0].values()], tuple(sources[0]))
    lists = [_items(source) for source in sources]
    if how == "product":
        return Rows(list(itertools.product(*lists)), None)
    lengths = {len(items) for items in lists}
    if len(lengths) > 1:
        given = ", ".join(str(len(items)) for items in lists)
        raise InvalidInput(f"a map over lists that go together needs them equally long, got lengths {given}")
    return Rows(list(zip(*lists, strict=True)), None)


def _items(source: Any) -> Sequence[Any]:
    if isinstance(source, Mapping):
        return list(source.values())
    if isinstance(source, list | tuple):
        return source
    raise InvalidInput(f"a map goes over a list or a dict, and got a {type(source).__name__}")
