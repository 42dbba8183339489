"""Tasks that one call of their function takes together: the option ``batch=`` of a task, and how items are grouped. Pure.

Times are monotonic seconds, given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jobbers.core.durations import Duration, seconds_of, to_ms
from jobbers.core.signals import Fail
from jobbers.errors import InvalidInput

T = TypeVar("T", bound=Hashable)
MOST_ITEMS = 10_000
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Batch:
    """How tasks of one type are gathered for one call: ``@app.task(batch=Batch(size=100, linger="50ms"))``.

    * ``size``: the most items of one call.
    * ``linger``: how long the first item of a batch that is not full waits for others: seconds, a timedelta, or text such
      as ``"50ms"``. Zero takes what one claim has brought.
    * ``by``: only items with the same key go together. The name of a key (of a mapping) or an attribute of the item, or a
      function that makes the key of an item.

    Raises :class:`InvalidInput`.
    """

    size: int = 100
    linger: Duration | str = 0.05
    by: str | Callable[[Any], Hashable] | None = None
    linger_seconds: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = self.size
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_ITEMS:
            raise InvalidInput(f"the size of a batch must be from 1 to {MOST_ITEMS:,}, got {size!r}")
        linger = self.linger
        if isinstance(linger, str):
            linger = seconds_of(linger, "the linger of a batch")
        if self.by is not None and not isinstance(self.by, str) and not callable(self.by):
            raise InvalidInput(
                f"by must name a key of the items or be a function, got {type(self.by).__name__}"
            )
        object.__setattr__(self, "linger_seconds", to_ms(linger, "the linger of a batch") / 1000)

    def key_of(self, item: Any) -> Hashable:
        """What an item must have in common with the others of its batch. Raises :class:`InvalidInput` for an item that
        lacks it or whose key cannot be one, and whatever the function ``by`` raises."""
        if self.by is None:
            return None
        if not isinstance(self.by, str):
            found = self.by(item)
        elif isinstance(item, Mapping):
            found = item.get(self.by, _ABSENT)
        else:
            found = getattr(item, self.by, _ABSENT)
        if found is _ABSENT:
            raise InvalidInput(f"the item has no {self.by!r} to be batched by")
        try:
            hash(found)
        except TypeError:
            raise InvalidInput(f"an item cannot be batched by a {type(found).__name__}") from None
        return found


class Groups(Generic[T]):
    """Items of one type that wait, by key. Each group is given out once: full, due, or asked for."""

    __slots__ = ("_groups", "_linger", "_size", "count")

    def __init__(self, size: int, linger_seconds: float) -> None:
        self._size = size
        self._linger = linger_seconds
        # By the age of their first item, since all wait equally long.
        self._groups: dict[Hashable, tuple[float, dict[T, None]]] = {}
        self.count = 0

    def add(self, key: Hashable, item: T, now: float) -> list[T] | None:
        """Put an item to the others of its key; returns all of them when that fills the batch."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = (now + self._linger, {})
        group[1][item] = None
        self.count += 1
        return self._take(key) if len(group[1]) >= self._size else None

    def drop(self, key: Hashable, item: T) -> None:
        """Take an item out, if it is there; the time of a group stays that of its first one."""
        group = self._groups.get(key)
        if group is None or item not in group[1]:
            return
        del group[1][item]
        self.count -= 1
        if not group[1]:
            del self._groups[key]

    @property
    def next_due(self) -> float | None:
        """When the oldest group has waited for long enough."""
        first = next(iter(self._groups.values()), None)
        return None if first is None else first[0]

    def due(self, now: float) -> list[list[T]]:
        """Take out what has waited for long enough, the oldest group first."""
        keys = [key for key, (until, _) in self._groups.items() if until <= now]
        return [self._take(key) for key in keys]

    def all(self) -> list[list[T]]:
        """Take out everything, the oldest group first."""
        return [self._take(key) for key in list(self._groups)]

    def _take(self, key: Hashable) -> list[T]:
        items = list(self._groups.pop(key)[1])
        self.count -= len(items)
        return items


def outcomes_of(returned: Any, count: int) -> list[Any]:
    """What a batch of ``count`` items came to, item by item: the function returned a list of results and exceptions, or
    ``None``. Raises :class:`Fail` for anything else, since another attempt would return the same."""
    if returned is None:
        return [None] * count
    if not isinstance(returned, list | tuple):
        raise Fail(
            f"a batch returned a {type(returned).__name__}: return a list with a result or an exception an item, or None"
        )
    if len(returned) != count:
        raise Fail(
            f"a batch of {count} items returned {len(returned)} results: return one an item, in their order"
        )
    return list(returned)
