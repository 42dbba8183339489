"""Acts on all tasks that match a filter, in chunks; and groups dead letters by what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jobbers.core.fingerprint import Fingerprint, fingerprint
from jobbers.core.glimpse import glimpse
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.errors import InvalidInput
from jobbers.inspector import MAX_PAGE, Inspector
from jobbers.store.runs import RUN_TYPE

MOST = 10_000
"""How many tasks one call acts on at most."""
MOST_LOOKED_AT = 50_000
"""After about so many tasks one call stops looking for more."""
SAMPLE = 5
Action = Literal["cancel", "retry", "drop"]
ALLOWED: dict[Action, frozenset[Status]] = {
    "cancel": frozenset({Status.QUEUED, Status.SCHEDULED, Status.RUNNING, Status.BLOCKED}),
    "retry": frozenset({Status.FAILED, Status.CANCELLED}),
    "drop": frozenset({Status.FAILED}),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks: those in a status, of a type, of a queue, of a run, on a worker, submitted from ``since`` on and before
    ``until``; those whose arguments in a line, or unique key, contain a text, whatever its case (long arguments are not
    looked at); of failed ones those of a group of the same error. Raises :class:`InvalidInput` for what can match nothing.
    """

    status: Status
    type: str | None = None
    queue: str | None = None
    group: str | None = None
    run: str | None = None
    worker: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    contains: str | None = None

    def __post_init__(self) -> None:
        if self.group is not None and self.status is not Status.FAILED:
            raise InvalidInput(
                f"a group is of failed tasks, not of those that are {self.status}: leave it out",
                "group",
            )
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidInput(
                f"since {self.since} is not before until {self.until}: nothing lies between them",
                "until",
            )

    def takes(self, record: TaskRecord) -> bool:
        """Whether a task in this status, of this type and queue, is one of those."""
        return (
            self.run in (None, record.run)
            and self.worker in (None, record.worker)
            and (self.since is None or self.since <= record.created)
            and (self.until is None or record.created < self.until)
            and (self.group is None or fingerprint_of(record).key == self.group)
            and (self.contains is None or self._is_said_in(record))
        )

    def _is_said_in(self, record: TaskRecord) -> bool:
        text = f"{glimpse(record.arguments, record.keywords)} {record.unique_key or ''}"
        return (self.contains or "").casefold() in text.casefold()


@dataclass(slots=True)
class Outcome:
    """What became of it. ``matched`` were found and ``done`` acted on; the others have moved on meanwhile, or are runs,
    which are not given a new life like this. ``complete``: there were no more that match. ``sample`` are some ids."""

    matched: int = 0
    done: int = 0
    complete: bool = True
    sample: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """Dead letters of the same error: how many, of which task types, when the first and the last failed, the newest one's
    id and its message as it was."""

    fingerprint: Fingerprint
    newest: str
    message: str
    count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups, the largest first; ``complete``: all dead letters were looked at."""

    groups: Sequence[Group]
    looked_at: int
    complete: bool


def fingerprint_of(record: TaskRecord) -> Fingerprint:
    """What went wrong with a task: its last error, or the reason of its failure where it has none."""
    if not record.errors:
        return fingerprint("", record.reason or "")
    error = record.errors[-1]
    return fingerprint(error.type, error.message, error.traceback)


async def act(
    inspector: Inspector, action: Action, chosen: Filter, *, limit: int = 1_000, dry_run: bool = False
) -> Outcome:
    """Cancel, give a new life to, or delete up to ``limit`` tasks that match, in chunks of up to 500; with ``dry_run`` only
    find out how many. Tasks that begin to match meanwhile may be left out. Raises :class:`InvalidInput`."""
    if chosen.status not in ALLOWED[action]:
        allowed = ", ".join(sorted(ALLOWED[action]))
        raise InvalidInput(
            f"{action} is for tasks that are {allowed}, not for those that are {chosen.status}",
            "status",
        )
    if not 1 <= limit <= MOST:
        raise InvalidInput(f"limit must be from 1 to {MOST:,}, got {limit}")
    outcome = Outcome()
    looked_at = 0
    async for records, more in _pages(inspector, chosen):
        looked_at += MAX_PAGE
        found = [it.id for it in records if chosen.takes(it) and (action != "retry" or not _is_run(it))]
        ids = found[: limit - outcome.matched]
        outcome.matched += len(ids)
        outcome.sample += ids[: SAMPLE - len(outcome.sample)]
        if ids and not dry_run:
            outcome.done += await _do(inspector, action, ids)
        full = len(ids) < len(found) or (outcome.matched >= limit and more)
        if full or (more and looked_at >= MOST_LOOKED_AT):
            outcome.complete = False
            break
    return outcome


async def dead_groups(inspector: Inspector, *, type: str | None = None, queue: str | None = None) -> Groups:
    """Dead letters by their errors, of up to 50,000 of the newest."""
    groups: dict[str, Group] = {}
    looked_at = 0
    async for records, more in _pages(inspector, Filter(Status.FAILED, type, queue)):
        looked_at += len(records)
        for record in records:
            _count(groups, record)
        if more and looked_at >= MOST_LOOKED_AT:
            return Groups(_largest_first(groups), looked_at, complete=False)
    return Groups(_largest_first(groups), looked_at, complete=True)


def _count(groups: dict[str, Group], record: TaskRecord) -> None:
    found = fingerprint_of(record)
    said = record.error.message if record.error else record.reason or ""
    group = groups.setdefault(found.key, Group(found, record.id, said))
    group.count += 1
    group.types[record.type] += 1
    when = record.finished
    if when is not None:
        group.first = when if group.first is None else min(group.first, when)
        group.last = when if group.last is None else max(group.last, when)


def _largest_first(groups: dict[str, Group]) -> list[Group]:
    return sorted(groups.values(), key=lambda group: (-group.count, group.fingerprint.key))


async def _pages(inspector: Inspector, chosen: Filter) -> AsyncIterator[tuple[Sequence[TaskRecord], bool]]:
    """Pages of tasks, each with whether there may be more. Tasks may leave the list before the next one is read."""
    cursor: str | None = None
    while True:
        page = await inspector.tasks(
            chosen.status, type=chosen.type, queue=chosen.queue, cursor=cursor, limit=MAX_PAGE
        )
        yield page.tasks, page.cursor is not None
        if page.cursor is None:
            return
        cursor = page.cursor


async def _do(inspector: Inspector, action: Action, ids: Sequence[str]) -> int:
    match action:
        case "cancel":
            return sum(ended is True for ended in (await inspector.cancel(ids)).values())
        case "retry":
            before = await inspector.store.tasks.requeue(dict.fromkeys(ids, b""), "requeued by an operator")
            return sum(status in ALLOWED["retry"] for status in before.values())
        case "drop":
            return await inspector.drop_dead(ids)


def _is_run(record: TaskRecord) -> bool:
    return record.type.startswith(RUN_TYPE)
