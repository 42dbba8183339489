"""Puts the results of other tasks in the places that refer to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobbers.core.payload import Ref, Undecodable, unpack
from jobbers.core.status import Status
from jobbers.errors import NotFound
from jobbers.store.blobs import BlobStore
from jobbers.store.inspect import InspectStore, Outcome


async def resolve(value: Any, inspect: InspectStore, blobs: BlobStore) -> Any:
    """``value`` with results instead of references; ``None`` for a task that did not succeed.

    Raises :class:`NotFound` when a task or its result is gone, or cannot be read.
    """
    ids = list(dict.fromkeys(_references(value)))
    if not ids:
        return value
    outcomes = await inspect.outcomes(ids)
    results = {
        task_id: await _result(task_id, outcome, blobs)
        for task_id, outcome in zip(ids, outcomes, strict=True)
    }
    return _filled(value, results)


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
