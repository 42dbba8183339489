"""Puts the results of other tasks in the places that refer to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from jobbers.core.payload import Ref, Undecodable, unpack
from jobbers.core.status import Status
from jobbers.errors import NotFound
from jobbers.store.blobs import BlobStore
from jobbers.store.inspect import InspectStore, Outcome

Read = Callable[[Sequence[str]], Awaitable[list[Outcome | None]]]
"""How outcomes are read: :meth:`InspectStore.outcomes`, or :meth:`SharedReads.outcomes`."""


async def resolve(value: Any, read: Read, blobs: BlobStore) -> Any:
    """``value`` with results instead of references; ``None`` for a task that did not succeed.

    Raises :class:`NotFound` when a task or its result is gone, or cannot be read.
    """
    ids = list(dict.fromkeys(_references(value)))
    if not ids:
        return value
    outcomes = await read(ids)
    results = {
        task_id: await _result(task_id, outcome, blobs)
        for task_id, outcome in zip(ids, outcomes, strict=True)
    }
    return _filled(value, results)


class SharedReads:
    """Reads that start at the same moment go to the server together, and each task's outcome once."""

    def __init__(self, inspect: InspectStore) -> None:
        self._inspect = inspect
        self._next: asyncio.Task[dict[str, Outcome | None]] | None = None
        self._wanted: dict[str, None] = {}

    async def outcomes(self, ids: Sequence[str]) -> list[Outcome | None]:
        """See :meth:`InspectStore.outcomes`."""
        self._wanted.update(dict.fromkeys(ids))
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._read(), name="jobbers-references")
        found = await asyncio.shield(self._next)
        return [found[task_id] for task_id in ids]

    async def _read(self) -> dict[str, Outcome | None]:
        await asyncio.sleep(0)  # all that are started in this turn of the loop have asked by then
        wanted, self._wanted, self._next = list(self._wanted), {}, None
        return dict(zip(wanted, await self._inspect.outcomes(wanted), strict=True))


async def _result(task_id: str, outcome: Outcome | None, blobs: BlobStore) -> Any:
    if outcome is None:
        raise NotFound(f"the result of task {task_id} is gone: its record has expired")
    if outcome.status is not Status.SUCCEEDED:
        return None
    packed = await blobs.get(outcome.blob) if outcome.blob else outcome.result
    if packed is None:
        raise NotFound(f"the result of task {task_id} is gone: it has expired")
    try:
        return unpack(packed)
    except Undecodable:
        raise NotFound(f"the result of task {task_id} is lost: what is stored cannot be read") from None


def _references(value: Any) -> Iterator[str]:
    match value:
        case Ref():
            yield value.id
        case Mapping():
            for item in value.values():
                yield from _references(item)
        case list() | tuple():
            for item in value:
                yield from _references(item)


def _filled(value: Any, results: Mapping[str, Any]) -> Any:
    match value:
        case Ref():
            return results[value.id]
        case Mapping():
            return {key: _filled(item, results) for key, item in value.items()}
        case list() | tuple():
            return [_filled(item, results) for item in value]
        case _:
            return value
