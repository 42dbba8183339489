"""What the tasks of runs need besides: results of others as arguments, conditions, and maps that become many tasks."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any

from jobbers.client import new_id
from jobbers.core import ids
from jobbers.core.condition import holds
from jobbers.core.lanes import Lane
from jobbers.core.payload import Envelope, Gathered, Ref, encode_arguments, pack_envelope, unpack_envelope
from jobbers.core.results import Results
from jobbers.core.signals import Fail, Skip
from jobbers.core.task import Placement
from jobbers.dag.mapping import Rows, rows_of
from jobbers.errors import InvalidInput, NotFound
from jobbers.launch import Startable
from jobbers.store.blobs import BlobStore
from jobbers.store.maps import MAX_EXPANSION, ItemTask
from jobbers.store.references import Resolver
from jobbers.store.store import Store
from jobbers.task_type import TaskType
from jobbers.worker.execution import Execution

log = logging.getLogger("jobbers.worker")

MOST_LISTS = 8
"""Of so many maps a worker keeps what they go over, so that it need not be read again for each window."""

SHORT_SECONDS = 0.05
"""Tasks of a type that have lately taken no longer follow on the same worker if nothing else is said."""
SMOOTHING = 0.8
"""How much of what was known of a type's duration stays when another of its tasks has ended."""


class RunTasks:
    """Prepares executions of tasks that belong to runs."""

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self._maps = store.maps
        self._runs = store.runs
        self._resolver = Resolver(store.inspect, store.maps, blobs)
        self._rows: dict[str, Rows] = {}
        self._seconds: dict[str, float] = {}
        self.known: Container[str] = ()

    def heir(self, execution: Execution, envelope: Envelope) -> str | None:
        """The task that this worker would go on with, now that an execution has ended well."""
        name, took = execution.type.name, time.monotonic() - execution.started
        self._seconds[name] = took = took + SMOOTHING * (self._seconds.get(name, took) - took)
        row = envelope.extras.get("heir")
        if row is None or row[1] not in self.known:
            return None
        wanted = row[2] or self._seconds.get(row[1], math.inf) <= SHORT_SECONDS
        return str(row[0]) if wanted else None

    async def arguments(self, execution: Execution, envelope: Envelope) -> tuple[list[Any], dict[str, Any]]:
        """Arguments with results in the places that refer to them.

        Raises :class:`Skip` when a condition does not hold, and :class:`Fail` when something is gone: that does not come
        back.
        """
        try:
            given = self._one_by_one(execution.type, envelope)
            args, kwargs = await self._resolved(envelope, given, execution.before)
            return execution.type.signature.load(args, kwargs)
        except (NotFound, InvalidInput) as error:
            raise Fail(str(error)) from error

    def _one_by_one(self, task_type: TaskType[..., Any], envelope: Envelope) -> list[Any]:
        """Arguments and keywords, with :class:`Results` for parameters that are annotated so."""
        lazy = task_type.results_parameters
        if not lazy:
            return [envelope.args, envelope.kwargs]
        named = {name: value for name, value in envelope.kwargs.items() if name not in lazy}
        taken = {name: self._results(envelope.kwargs[name]) for name in lazy if name in envelope.kwargs}
        places = [parameter.name for parameter in task_type.signature.parameters if parameter.positional]
        args = [
            self._results(value) if place < len(places) and places[place] in lazy else value
            for place, value in enumerate(envelope.args)
        ]
        return [args, named | taken]

    def _results(self, value: Any) -> Results[Any]:
        return Results(lambda: self._resolver.each(value))

    async def expand(self, execution: Execution, envelope: Envelope) -> None:
        """Make the next tasks of a map, as many as its window has room for. Raises like :meth:`arguments`."""
        claimed, task_type = execution.claimed, execution.type
        try:
            rows, keys = await self._rows_of(claimed.id, envelope)
            begun, under_way, window = await self._maps.begun(claimed.id)
            until = min(len(rows), begun + max(0, window - under_way))
            for start in range(begun, until, MAX_EXPANSION):
                some = rows[start : min(start + MAX_EXPANSION, until)]
                tasks = [_item_task(claimed.id, task_type, envelope, row) for row in some]
                if not await self._maps.expand(claimed.id, claimed.owner, task_type.name, start, tasks):
                    break
        except (NotFound, InvalidInput) as error:
            raise Fail(str(error)) from error
        if until == len(rows):
            self._rows.pop(claimed.id, None)
        results = Gathered(len(rows), keys)
        retention = task_type.policy.retention_ms
        if not await self._maps.suspend(claimed.id, claimed.owner, results, retention, patience=math.inf):
            log.warning("map %s is not this worker's any more: another goes on with it", claimed.id)

    async def hand_over(self, execution: Execution, work: Startable) -> None:
        """Start what a task returned, to be run in its place: the task ends as that does, with its result.

        A task that is executed again, since its worker died here, finds the run that is there: its id follows from the
        task's. Raises :class:`Fail` for what could not run.
        """
        claimed = execution.claimed
        envelope = unpack_envelope(claimed.envelope)
        seed = f"{claimed.id} {envelope.extras.get('run', '')}".encode()
        chance = int.from_bytes(hashlib.blake2b(seed, digest_size=10).digest(), "big")
        run_id = ids.with_tail(ids.make_id(claimed.created, chance), ids.tail_of(claimed.id))
        try:
            await self._runs.launch(*work.prepare(run_id), owner=claimed.id)
        except InvalidInput as error:
            raise Fail(f"what it returned cannot be run: {error}") from error
        extras = {**envelope.extras, "run": run_id}
        again = pack_envelope(envelope.args, envelope.kwargs, envelope.headers, extras)
        retention = execution.type.policy.retention_ms
        args = claimed.id, claimed.owner, run_id, again, retention
        if not await self._maps.hand_over(*args, patience=math.inf):
            log.warning("task %s is not this worker's any more: another starts what it returned", claimed.id)

    async def resumed(self, envelope: Envelope) -> tuple[bool, Any]:
        """Whether the run that a task has launched in its place has succeeded, and what it returned. Raises :class:`Fail`
        when that is gone."""
        run_id = envelope.extras.get("run")
        if run_id is None or not await self._resolver.has_succeeded(run_id):
            return False, None
        try:
            return True, await self._resolver.resolve(Ref(run_id))
        except NotFound as error:
            raise Fail(str(error)) from error

    async def _rows_of(self, map_id: str, envelope: Envelope) -> Rows:
        rows = self._rows.get(map_id)
        if rows is None:
            how, sources, _ = envelope.extras["each"]
            rows = rows_of(how, await self._resolved(envelope, sources))
            if len(self._rows) >= MOST_LISTS:
                del self._rows[next(iter(self._rows))]
            self._rows[map_id] = rows
        return rows

    async def _resolved(
        self, envelope: Envelope, value: Any, known: Mapping[str, bytes] | None = None
    ) -> Any:
        """``value`` without references, if the task's conditions hold."""
        conditions: Sequence[Any] = envelope.extras.get("if", ())
        value, subjects = await self._resolver.resolve(
            [value, [subject for subject, _, _ in conditions]], known
        )
        for found, (_, test, wanted) in zip(subjects, conditions, strict=True):
            if not holds(test, found, wanted):
                raise Skip("its condition does not hold")
        return value


def _item_task(
    map_id: str, task_type: TaskType[..., Any], envelope: Envelope, row: Sequence[Any]
) -> ItemTask:
    args, kwargs = [*row, *envelope.args], envelope.kwargs
    sealed = encode_arguments(task_type.name, args, kwargs, envelope.headers, task_type.max_payload)
    queue = _queue(task_type, envelope.extras["each"][2], args, kwargs)
    placement = Placement(task_type.name, queue, task_type.policy.priority)
    gates = task_type.gates_of(args, kwargs, placement)
    lane = Lane(queue, placement.priority)
    return ItemTask(ids.with_tail(new_id(), ids.tail_of(map_id)), str(lane), sealed, gates)


def _queue(
    task_type: TaskType[..., Any], wanted: str | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    spread = task_type.policy.spread
    if wanted or spread is None:
        return wanted or task_type.policy.queue
    return task_type.choose_queue(spread, args, kwargs)
