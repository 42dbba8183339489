"""Many results, one after another: for a task that joins more than it wants to hold at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar, get_origin

T = TypeVar("T")


class Results(Generic[T]):
    """What a parameter that is annotated ``Results[T]`` gets in place of a list: the same values in the same order, read
    from the server in chunks while they are iterated over with ``async for``, as often as one likes."""

    def __init__(self, read: Callable[[], AsyncIterator[T]]) -> None:
        self._read = read

    def __aiter__(self) -> AsyncIterator[T]:
        """Each value. Raises :class:`NotFound` when one has expired."""
        return self._read()


def is_results(annotation: Any) -> bool:
    """Whether a parameter that is annotated so gets :class:`Results`."""
    return annotation is Results or get_origin(annotation) is Results
