"""From submissions to tasks: everything is checked and encoded first, then written in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from jobbers.api.callers import Caller
from jobbers.api.errors import ANSWERS, ApiError, about, log
from jobbers.api.once import KEPT_SECONDS, Call
from jobbers.api.reach import check_stand_ins
from jobbers.api.schemas import DebounceRequest, Edit, Submission
from jobbers.api.task_views import Submitted
from jobbers.api.values import from_json_args, from_json_kwargs
from jobbers.app import Jobbers
from jobbers.client import Client
from jobbers.core.payload import encode_arguments
from jobbers.core.policy import Debounce, Throttle, Unique
from jobbers.core.status import Status
from jobbers.core.task import Placement, TaskRecord, TaskSpec
from jobbers.core.trace_context import inherited
from jobbers.errors import InvalidInput, StoreError, UnknownOutcome, UnknownTaskType
from jobbers.task_type import Submitter, TaskType


class Prepared(NamedTuple):
    """A task that may be written. ``chosen``: its id came from the caller, so it may be there already."""

    spec: TaskSpec
    chosen: bool


Submitters = dict[tuple[Any, ...], Submitter[Any, Any]]
"""Those that the submissions of one call need, by their options: most have the same."""


def prepare(
    app: Jobbers,
    caller: Caller,
    submission: Submission,
    call: Call | None = None,
    index: int = 0,
    known: Submitters | None = None,
) -> Prepared:
    """Check and encode one submission, the one with this ``index`` of a ``call``; ``known`` is made for its next ones, too.

    Raises like :func:`find_type`, :class:`InvalidInput` and its kinds, and :class:`ApiError` 403 for a queue that is not
    the caller's."""
    task_type = find_type(app, submission.type)
    args, kwargs = load(task_type, submission.args, submission.kwargs)
    unique = _unique(task_type, submission, call, index)
    submitter = _submitter(task_type, submission, unique, {} if known is None else known)
    spec = submitter.spec(args, kwargs, submission.id)
    queue = spec.placement.queue  # what came of the type, its spread and the submission
    caller.check_queues([queue], f"this task goes to queue {queue!r}, and ", "queue")
    return Prepared(spec, submission.id is not None)


def _submitter(
    task_type: TaskType[Any, Any], submission: Submission, unique: Unique | None, known: Submitters
) -> Submitter[Any, Any]:
    """What submits with the options of a submission, but for its id."""
    headers = {**inherited.get(), **(submission.headers or {})} or None
    key = (
        task_type.name,
        submission.queue,
        submission.priority,
        submission.delay,
        submission.at,
        submission.deadline,
        None if headers is None else tuple(headers.items()),
    )
    debounce, throttle = submission.debounce, submission.throttle
    own = not (unique is None and debounce is None and throttle is None)
    submitter = None if own else known.get(key)
    if submitter is None:
        submitter = task_type.options(
            queue=submission.queue,
            priority=submission.priority,
            delay=submission.delay,
            at=submission.at,
            deadline=submission.deadline,
            unique=unique,
            debounce=None if debounce is None else _debounce(debounce),
            throttle=None if throttle is None else Throttle(throttle.period, throttle.key, throttle.trailing),
            headers=headers,
        )
        if not own:
            known[key] = submitter
    return submitter


def _debounce(asked: DebounceRequest) -> Debounce:
    with about("debounce.max_wait"):  # all else about it has been checked
        return Debounce(asked.wait, asked.key, asked.max_wait)


def prepare_again(
    app: Jobbers, caller: Caller, record: TaskRecord, edit: Edit, call: Call | None
) -> Prepared:
    """Another task like one that exists, with its arguments or others. Raises like :func:`prepare`."""
    task_type = app.find(record.type)
    args, kwargs = _edited(task_type, record, edit)
    caller.check_queues([record.queue])
    once = call is not None and task_type.policy.keyed is None
    submitter = task_type.options(
        queue=record.queue,
        priority=record.priority,
        unique=_of_call(call, 0) if call is not None and once else None,
        headers=dict(inherited.get()) or None,
    )
    return Prepared(submitter.spec(args, kwargs), chosen=False)


def _of_call(call: Call, index: int) -> Unique:
    return Unique(f"once:{call.where}#{index}", KEPT_SECONDS)


def _unique(
    task_type: TaskType[Any, Any], submission: Submission, call: Call | None, index: int
) -> Unique | None:
    """The unique key of a submission; or one that stands for the call, so that the task server itself knows it: it is
    written in one step with the task, and who dies between this and the answer leaves no second task behind."""
    unique = submission.unique
    given = unique, submission.debounce, submission.throttle, task_type.policy.keyed, submission.id
    if call is None or any(it is not None for it in given):
        return None if unique is None else Unique(unique.key, unique.until)
    return _of_call(call, index)


def prepare_all(
    app: Jobbers, caller: Caller, submissions: Iterable[Submission], call: Call | None = None
) -> list[Prepared]:
    """Check and encode many, those of a ``call``.

    Raises :class:`ApiError` that names the index of the first that is wrong."""
    prepared = []
    placements: dict[tuple[Any, ...], Placement] = {}  # what goes to the same place is written together
    known: Submitters = {}
    for index, submission in enumerate(submissions):
        try:
            task = prepare(app, caller, submission, call, index, known)
            placement = task.spec.placement
            shared = placements.setdefault((placement.head, placement.chosen), placement)
            if shared is not placement:
                task = task._replace(spec=replace(task.spec, placement=shared))
            prepared.append(task)
        except InvalidInput as error:
            where = f"tasks[{index}]"
            inner = error.parameter
            status = ANSWERS[error.code].status
            parameter = f"{where}.{inner}" if inner else where
            raise ApiError(status, error.code, f"{where}: {error}", parameter) from None
        except ApiError as error:
            where = f"tasks[{index}]"
            raise ApiError(
                error.status_code, error.code, f"{where}: {error.detail}", f"{where}.{error.parameter}"
            ) from None
    return prepared


def find_type(app: Jobbers, name: str) -> TaskType[Any, Any]:
    """The task type that the field ``type`` names. Raises :class:`ApiError` 422."""
    try:
        return app.find(name)
    except UnknownTaskType as error:
        raise ApiError(ANSWERS[error.code].status, error.code, str(error), "type") from None


def load(
    task_type: TaskType[Any, Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments that came as JSON, as the function wants them. Raises :class:`InvalidArgument`."""
    return task_type.signature.load(from_json_args(args), from_json_kwargs(kwargs))


def _edited(
    task_type: TaskType[Any, Any], record: TaskRecord, edit: Edit
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a task, with others in their place where these are given."""
    args = None if edit.args is None else from_json_args(edit.args)
    kwargs = edit.kwargs and from_json_kwargs(edit.kwargs)
    signature = task_type.signature
    return signature.load(*signature.edited((record.arguments, record.keywords), args, kwargs))


def load_edit(app: Jobbers, record: TaskRecord, edit: Edit) -> tuple[list[Any], dict[str, Any]]:
    """Other arguments for a task that exists. Raises :class:`UnknownTaskType`, :class:`InvalidArgument`,
    :class:`PayloadTooLarge`."""
    task_type = app.find(record.type)
    args, kwargs = _edited(task_type, record, edit)
    task_type.signature.check(args, kwargs)
    encode_arguments(record.type, args, kwargs, record.headers, task_type.max_payload)
    return args, kwargs


async def submit_all(client: Client, caller: Caller, tasks: Sequence[Prepared]) -> list[Submitted]:
    """Write tasks and tell what became of each. Raises like :func:`check_stand_ins`, and what the store raises.

    What there was before is read before, so that no read can fail after the write and make it look undone.
    """
    specs = [task.spec for task in tasks]
    if caller.queues is not None:
        guarded = [task.spec for task in tasks if task.chosen or _is_keyed(task.spec)]
        await check_stand_ins(caller, client.store, guarded)
    before = await _statuses(client, [task.spec.id for task in tasks if task.chosen])
    now = await client.store.inspect.now_ms() if any(spec.placement.at_ms for spec in specs) else 0
    pairs = list(zip(specs, await _write(client, specs), strict=True))
    fresh = {task_id for spec, task_id in pairs if task_id == spec.id and task_id not in before}
    # One that has gates to pass, or that others join, may stand elsewhere.
    known = before | {
        spec.id: _first_status(spec, now) for spec in specs if spec.id in fresh and spec.script == "submit"
    }
    if caller.queues is not None:  # what came in between is not told of, either
        await check_stand_ins(caller, client.store, [spec for spec, task_id in pairs if task_id != spec.id])
    known |= await _statuses(client, sorted({task_id for _, task_id in pairs} - known.keys()))
    return [
        # not checked once more: it is what was just made
        Submitted.model_construct(
            id=task_id, status=known.get(task_id), created=task_id == spec.id and task_id in fresh
        )
        for spec, task_id in pairs
    ]


def _is_keyed(spec: TaskSpec) -> bool:
    return bool(spec.placement.unique_key or spec.placement.collapse)


async def _write(client: Client, specs: Sequence[TaskSpec]) -> list[str]:
    try:
        if len(specs) > 1:
            return await client.submit(specs)
        return [await client.submit_one(specs[0])]
    except StoreError as error:
        if len(specs) == 1 and not isinstance(error, UnknownOutcome):
            raise
        log.error("a submission of %d tasks: %s", len(specs), error)
        if len(specs) == 1:
            left = f"the task may or may not exist: submit it again with the id {specs[0].id}, which makes it once"
        else:
            left = "any of the tasks may exist: submit them again if all have ids of your own; others could be made twice"
        raise ApiError(
            ANSWERS[error.code].status, error.code, f"the task server failed, and {left}"
        ) from None


async def _statuses(client: Client, ids: Sequence[str]) -> dict[str, Status]:
    if not ids:
        return {}
    outcomes = await client.store.inspect.outcomes(ids)
    return {
        task_id: outcome.status for task_id, outcome in zip(ids, outcomes, strict=True) if outcome is not None
    }


def _first_status(spec: TaskSpec, now: int) -> Status:
    placement = spec.placement
    return Status.SCHEDULED if placement.delay_ms or placement.at_ms > now else Status.QUEUED
