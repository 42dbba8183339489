"""What one can listen to: text such as ``queues``, ``tasks:running?queue=mail`` or ``run:<id>``."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from urllib.parse import parse_qsl

from jobbers.api.bulk_views import GROUP
from jobbers.bulk import Filter
from jobbers.core.ids import check_id
from jobbers.core.status import Status
from jobbers.errors import InvalidId, InvalidInput
from jobbers.inspector import MAX_PAGE

MAX_TOPICS = 16
"""How many one stream may name."""
LONGEST = 400
SHOWN = 50
_MOST_FILTERS = 9

Kind = Literal[
    "advice", "breakers", "dags", "ended", "groups", "limit", "limits", "logs", "queues", "roles", "routes", "run", "runs",
    "schedule", "schedules", "statistics", "stats", "strikes", "task", "task-type", "task-types", "tasks", "why",
    "worker", "workers",
]  # fmt: skip
_NAMED: frozenset[Kind] = frozenset(
    {"tasks", "task", "why", "logs", "run", "limit", "schedule", "worker", "task-type"}
)
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_FILTERS: dict[str, frozenset[str]] = {
    "tasks": frozenset({"type", "queue", "run", "worker", "since", "until", "contains", "group", "limit"}),
    "ended": frozenset({"type", "queue"}),
    "runs": frozenset({"dag"}),
    "groups": frozenset({"type", "queue", "limit"}),
    "schedules": frozenset({"limit"}),
}
KNOWN = (
    "stats, statistics, queues, routes, advice, workers, worker:<id>, roles, limits, limit:<name>, breakers, strikes, "
    "task-types, task-type:<name>, dags, "
    "schedules[?limit=…], schedule:<name>, runs[?dag=…], run:<id>, ended[?type=…&queue=…], "
    "groups[?type=…&queue=…&limit=…], "
    "tasks:<status>[?type=…&queue=…&run=…&worker=…&since=…&until=…&contains=…&group=…&limit=…], "
    "task:<id>, why:<id>, logs:<id>"
)


class Topic(NamedTuple):
    """Something to listen to. ``name`` is a status of ``tasks``, the id of a ``task`` (also for ``why`` and ``logs``) or
    ``run``, or the name of a ``limit``, ``schedule``, ``worker`` or ``task-type``."""

    text: str
    kind: Kind
    name: str = ""
    type: str | None = None
    queue: str | None = None
    limit: int = SHOWN
    dag: str | None = None
    chosen: Filter | None = None
    """Of ``tasks``: what else holds for them, where that is asked."""


def read_topics(texts: list[str]) -> list[Topic]:
    """The topics of a stream, each once. Raises :class:`InvalidInput`, :class:`InvalidId`."""
    topics = [read_topic(text) for text in dict.fromkeys(texts)]
    if not 1 <= len(topics) <= MAX_TOPICS:
        raise InvalidInput(f"name from 1 to {MAX_TOPICS} topics: {KNOWN}")
    return topics


def read_topic(text: str) -> Topic:
    """One topic. Raises :class:`InvalidInput`, :class:`InvalidId`."""
    head, _, query = text.partition("?")
    word, colon, name = head.partition(":")
    kind = _KINDS.get(word)
    if kind is None or bool(colon) is not (kind in _NAMED) or len(text) > LONGEST:
        raise InvalidInput(f"there is no topic {text[:80]!r}: it is one of {KNOWN}")
    filters = _filters(text, kind, query)
    match kind:
        case "task" | "run" | "why" | "logs":
            try:
                name = check_id(name)
            except InvalidId as error:
                raise InvalidId(f"topic {text[:80]!r}: {error}") from None
        case "limit" | "schedule" | "worker" | "task-type" if not name:
            raise InvalidInput(f"topic {text[:80]!r}: the name of the {kind} is missing")
        case "tasks" if name not in set(Status):
            raise InvalidInput(f"topic {text[:80]!r}: there is no status {name[:40]!r}")
        case _:
            pass
    limit = _limit(text, filters.get("limit"))
    chosen = _chosen(text, name, filters) if kind == "tasks" else None
    return Topic(
        text, kind, name, filters.get("type"), filters.get("queue"), limit, filters.get("dag"), chosen
    )


def _chosen(text: str, status: str, filters: dict[str, str]) -> Filter | None:
    """The filters for which the records of tasks are looked at; ``None`` if there are none."""
    run, worker, group = filters.get("run"), filters.get("worker"), filters.get("group")
    since, until = _time(text, "since", filters.get("since")), _time(text, "until", filters.get("until"))
    if group is not None and not re.fullmatch(GROUP, group):
        raise InvalidInput(
            f"topic {text[:80]!r}: group is 16 hexadecimal digits, as /dead-letters/groups says"
        )
    if run is not None:
        try:
            run = check_id(run)
        except InvalidId as error:
            raise InvalidId(f"topic {text[:80]!r}: {error}") from None
    contains = filters.get("contains")
    if not any((run, worker, since, until, group, contains)):
        return None
    return Filter(
        Status(status), group=group, run=run, worker=worker, since=since, until=until, contains=contains
    )


def _time(text: str, name: str, given: str | None) -> datetime | None:
    if given is None:
        return None
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(given)
        if time.tzinfo is not None:
            return time
    raise InvalidInput(
        f"topic {text[:80]!r}: {name} is a time of ISO 8601 with its offset, as 2026-01-31T12:00:00Z"
    )


def _filters(text: str, kind: Kind, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=_MOST_FILTERS) if query else []
    except ValueError:
        raise InvalidInput(f"topic {text[:80]!r}: what follows the ? cannot be read") from None
    unknown = {name for name, _ in pairs} - _FILTERS.get(kind, frozenset())
    if unknown:
        raise InvalidInput(f"topic {text[:80]!r}: it takes no {min(unknown)[:40]!r}")
    return dict(pairs)


def _limit(text: str, given: str | None) -> int:
    if given is None:
        return SHOWN
    if not given.isdecimal() or len(given) > 4 or not 1 <= int(given) <= MAX_PAGE:
        raise InvalidInput(f"topic {text[:80]!r}: limit must be from 1 to {MAX_PAGE}")
    return int(given)
