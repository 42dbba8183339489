"""What stands in an argument's place until a run knows better, and how plain annotations fit each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Placeholder:
    """Base of all that is not known before a run."""


@dataclass(frozen=True, slots=True)
class Param(Placeholder):
    """A value that each run gives."""

    name: str


class Item(Placeholder):
    """One item of what a node is mapped over."""


ITEM = Item()


def placeholders(value: Any) -> list[Placeholder]:
    """Every placeholder inside a value, from left to right."""
    found: list[Placeholder] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[Placeholder]) -> None:
    if isinstance(value, Placeholder):
        found.append(value)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)


def is_pending(value: Any) -> bool:
    """Whether a value is not known before a run."""
    return bool(placeholders(value))


_PLAIN = (int, float, str, bytes, bool, list, dict, type(None), None)


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of one annotation may be one of another, as far as plain annotations tell."""
    if given not in _PLAIN or wanted not in _PLAIN:
        return True
    if (given or type(None)) is (wanted or type(None)):
        return True
    return given is int and wanted is float


def shown(annotation: Any) -> str:
    """An annotation, for a message."""
    return getattr(annotation, "__name__", str(annotation))
