"""Puts the results of other tasks, and how they failed, in the places that refer to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from jobbers.core.payload import Gathered, Ref, Undecodable, unpack
from jobbers.core.status import Status
from jobbers.errors import NotFound
from jobbers.store.blobs import BlobStore
from jobbers.store.inspect import InspectStore, Outcome
from jobbers.store.maps import CHUNK, MapStore
from jobbers.store.runs import RUN_TYPE


class Resolver:
    """Reads what is referred to. Reads that start at the same moment go to the server together."""

    def __init__(self, inspect: InspectStore, maps: MapStore, blobs: BlobStore) -> None:
        self._inspect = inspect
        self._maps = maps
        self._blobs = blobs
        self._shared = SharedReads(inspect)

    async def resolve(self, value: Any, known: Mapping[str, bytes] | None = None) -> Any:
        """``value`` with results instead of references; ``None`` for a task that did not succeed. ``known`` has encoded
        results that need not be read.

        Raises :class:`NotFound` when a task or its result is gone, or cannot be read.
        """
        references = list(dict.fromkeys(_references(value)))
        if not references:
            return value
        found: dict[Ref, Any] = {
            Ref(task_id): _unpacked(task_id, packed) for task_id, packed in (known or {}).items()
        }
        ids = [it.id for it in references if not it.error and it not in found]
        if ids:
            outcomes = await self._shared.outcomes(ids)
            for task_id, outcome in zip(ids, outcomes, strict=True):
                found[Ref(task_id)] = await self._value(task_id, outcome)
        for it in references:
            if it.error:
                found[it] = await self._error(it.id)
        return _filled(value, found)

    async def has_succeeded(self, task_id: str) -> bool:
        """Whether a task or run that is still known has succeeded."""
        (outcome,) = await self._shared.outcomes([task_id])
        return outcome is not None and outcome.status is Status.SUCCEEDED

    async def result(self, task_id: str, outcome: Outcome) -> Any:
        """What a task, a map or a run that succeeded returned. Raises :class:`NotFound`."""
        packed = await self._blobs.get(outcome.blob) if outcome.blob else outcome.result
        if packed is None:
            raise NotFound(f"the result of task {task_id} is gone: it has expired")
        value = _unpacked(task_id, packed)
        if isinstance(value, Gathered):
            return await self._gathered(task_id, value)
        return await self.resolve(value) if outcome.type.startswith(RUN_TYPE) else value

    async def _value(self, task_id: str, outcome: Outcome | None) -> Any:
        if outcome is None:
            raise NotFound(f"the result of task {task_id} is gone: its record has expired")
        return await self.result(task_id, outcome) if outcome.status is Status.SUCCEEDED else None

    async def each(self, value: Any) -> AsyncIterator[Any]:
        """The items of a list, or of what a reference stands for, in their order and without references; those of a map,
        and of a list of references, are read in chunks. Raises :class:`NotFound`."""
        if isinstance(value, Ref) and not value.error:
            (outcome,) = await self._shared.outcomes([value.id])
            if outcome is not None and outcome.status is Status.SUCCEEDED and outcome.result:
                results = _unpacked(value.id, outcome.result)
                if isinstance(results, Gathered):
                    async for item in self._items(value.id, results.total):
                        yield item
                    return
            value = await self.resolve(value)
        if not isinstance(value, list | tuple):
            raise NotFound(f"results one by one are those of a list or a map, got a {type(value).__name__}")
        for start in range(0, len(value), CHUNK):
            for item in await self.resolve(list(value[start : start + CHUNK])):
                yield item

    async def _gathered(self, map_id: str, results: Gathered) -> Any:
        values = [item async for item in self._items(map_id, results.total)]
        return values if results.keys is None else dict(zip(results.keys, values, strict=True))

    async def _items(self, map_id: str, total: int) -> AsyncIterator[Any]:
        async for chunk in self._maps.results(map_id, total):
            for item in chunk:
                yield None if item is None else await self._item(map_id, item)

    async def _item(self, map_id: str, stored: bytes) -> Any:
        where, _, data = stored.partition(b" ")
        return _unpacked(map_id, await self._blobs.get(data.decode()) if where == b"blob" else data)

    async def _error(self, task_id: str) -> dict[str, str] | None:
        (record,) = await self._inspect.records([task_id], brief=True)
        if record is None:
            raise NotFound(f"how task {task_id} failed is gone: its record has expired")
        if record.status not in (Status.FAILED, Status.CANCELLED):
            return None
        last = record.error
        return {
            "reason": record.reason or record.status,
            "type": last.type if last else "",
            "message": last.message if last else "",
        }


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


def _unpacked(task_id: str, packed: bytes) -> Any:
    try:
        return unpack(packed)
    except Undecodable:
        raise NotFound(f"the result of task {task_id} is lost: what is stored cannot be read") from None


def _references(value: Any) -> Iterator[Ref]:
    match value:
        case Ref():
            yield value
        case Mapping():
            for item in value.values():
                yield from _references(item)
        case list() | tuple():
            for item in value:
                yield from _references(item)


def _filled(value: Any, found: Mapping[Ref, Any]) -> Any:
    match value:
        case Ref():
            return found[value]
        case Mapping():
            return {key: _filled(item, found) for key, item in value.items()}
        case list() | tuple():
            return [_filled(item, found) for item in value]
        case _:
            return value
