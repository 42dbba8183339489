"""Conditions on a value, as data: what decides at run time whether a node of a graph starts."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any


class Test(StrEnum):
    """How a value is looked at."""

    TRUE = "true"
    EQUALS = "equals"
    ONE_OF = "one_of"
    FALSE = "false"
    DIFFERS = "differs"
    NONE_OF = "none_of"


_HOLDS: dict[Test, Callable[[Any, Any], bool]] = {
    Test.TRUE: lambda value, _: bool(value),
    Test.FALSE: lambda value, _: not value,
    Test.EQUALS: lambda value, wanted: bool(value == wanted),
    Test.DIFFERS: lambda value, wanted: bool(value != wanted),
    Test.ONE_OF: lambda value, wanted: value in wanted,
    Test.NONE_OF: lambda value, wanted: value not in wanted,
}


def holds(test: str, value: Any, wanted: Any) -> bool:
    """Whether ``value`` passes. Raises ``ValueError`` for a test that nobody knows."""
    return _HOLDS[Test(test)](value, wanted)
