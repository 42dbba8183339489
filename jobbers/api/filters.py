"""Which tasks of a status a list is to show."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, AwareDatetime, Field

from jobbers.api import deps
from jobbers.api.bulk_views import GROUP
from jobbers.bulk import Filter
from jobbers.core.ids import check_id
from jobbers.core.status import Status


async def _filter(
    caller: deps.TheCaller,
    *,
    status: Annotated[Status, Query(description="Tasks in this status.")],
    type: deps.TypeFilter = None,
    queue: deps.QueueFilter = None,
    run: Annotated[
        Annotated[str, Field(max_length=26), AfterValidator(check_id)] | None,
        Query(description="Only tasks of this run."),
    ] = None,
    worker: Annotated[
        str | None, Query(max_length=100, description="Only tasks that this worker runs.")
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(description="Only those submitted from then on; ISO 8601, with its offset."),
    ] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="Only those submitted before; ISO 8601, with its offset.")
    ] = None,
    contains: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="Only those whose arguments, as `glimpse` tells them, or unique key contain this text, whatever "
            "its case; long arguments are not looked at.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        Query(pattern=GROUP, description="Only failed tasks of this group, see `/dead-letters/groups`."),
    ] = None,
) -> Filter:
    return Filter(status, type, caller.chosen_queue(queue), group, run, worker, since, until, contains)


TheFilter = Annotated[Filter, Depends(_filter)]
"""What the query asks for, of the queues of the caller."""
