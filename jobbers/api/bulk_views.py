"""What callers send and get to see of actions on many tasks, and of groups of dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field

from jobbers.api.schemas import Id, Sent, only_text
from jobbers.api.task_views import View
from jobbers.bulk import MOST, Filter, Group, Groups
from jobbers.core.deeds import Deed
from jobbers.core.status import Status

GROUP = "^[0-9a-f]{16}$"
Time = Annotated[AwareDatetime, BeforeValidator(only_text)]


class BulkFilter(Sent):
    """Which tasks: all conditions that are given must hold."""

    status: Status
    type: str | None = Field(None, max_length=200, description="Those of this task type.")
    queue: str | None = Field(None, max_length=200, description="Those of this queue.")
    group: str | None = Field(
        None, pattern=GROUP, description="Dead letters of this group, see `/dead-letters/groups`."
    )
    run: Id | None = Field(None, description="Those of this run.")
    worker: str | None = Field(None, max_length=100, description="Running ones: those that this worker runs.")
    since: Time | None = Field(None, description="Those that were submitted from then on.")
    until: Time | None = Field(None, description="Those that were submitted before.")
    contains: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Those whose short arguments or unique key contain this text.",
    )

    def chosen(self) -> Filter:
        """The same, as the rest of the program has it. Raises :class:`InvalidInput` for what can match nothing."""
        return Filter(**dict(self))


class Bulk(Sent):
    """Something to do with all tasks that match."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": "cancel", "filter": {"status": "queued", "queue": "mail"}, "dry_run": True}
            ]
        }
    )

    action: Literal["cancel", "retry", "drop"] = Field(
        description="`cancel`: of queued, blocked, scheduled or running tasks; `retry`: of failed or cancelled "
        "ones, runs not among them; `drop`: of failed ones, for good."
    )
    filter: BulkFilter
    dry_run: bool = Field(False, strict=True, description="Only tell how many match.")
    limit: Annotated[int, Field(strict=True, ge=1, le=MOST)] = Field(1_000, description="How many at most.")

    @property
    def deed(self) -> Deed:
        """What the audit log calls it."""
        deeds: dict[str, Deed] = {"cancel": "tasks.cancel", "retry": "tasks.requeue", "drop": "tasks.drop"}
        return deeds[self.action]

    @property
    def described(self) -> str:
        """The same in a line, for the audit log."""
        chosen = self.filter.model_dump(mode="json", exclude_none=True)
        words = [self.action, *(f"{name}={value}" for name, value in chosen.items())]
        return " ".join([*words, "dry_run"] if self.dry_run else words)


class BulkDone(View):
    """What became of it."""

    matched: int
    done: int = Field(description="The others have moved on meanwhile.")
    complete: bool = Field(description="False: there may be more that match; do it again.")
    sample: list[str] = Field(description="Some of their ids.")
    dry_run: bool


class DeadGroup(View):
    """Dead letters of the same error."""

    group: str = Field(examples=["3f2a9c1d5e7b8046"])
    error: str = Field(
        description="The type of the error; empty when there was none.", examples=["ValueError"]
    )
    message: str = Field(description="Its message without what differs.", examples=["no user … in '…'"])
    where: str = Field(description="Where it was raised.", examples=["mail.py: send"])
    example: str = Field(description="The newest one's message as it was.")
    newest: str = Field(description="The newest one's id.")
    count: int
    types: dict[str, int] = Field(description="How many there are of each task type.")
    first: datetime | None
    last: datetime | None

    @classmethod
    def of(cls, group: Group) -> Self:
        """The view of a group."""
        return cls(
            group=group.fingerprint.key,
            error=group.fingerprint.type,
            message=group.fingerprint.message,
            where=group.fingerprint.where,
            example=group.message[:500],
            newest=group.newest,
            count=group.count,
            types=dict(group.types.most_common(20)),
            first=group.first,
            last=group.last,
        )


class DeadGroups(View):
    """Dead letters by their errors, the largest group first."""

    groups: list[DeadGroup]
    looked_at: int
    complete: bool = Field(description="False: there are so many that the oldest were not looked at.")

    @classmethod
    def of(cls, groups: Groups, limit: int) -> Self:
        """The view of groups: the largest so many."""
        return cls(
            groups=[DeadGroup.of(group) for group in groups.groups[:limit]],
            looked_at=groups.looked_at,
            complete=groups.complete,
        )
