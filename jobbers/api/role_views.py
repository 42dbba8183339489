"""What callers get to see of roles, and how they say what a role is to be."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from jobbers.api.task_views import View
from jobbers.api.windows import Next


class RoleView(View):
    """A role as it stands."""

    name: str
    queues: dict[str, int] = Field(
        description="Its queues with their weights, in order.", examples=[{"mail": 3, "news": 1}]
    )
    strict: bool = Field(description="Whether a queue comes only when those before it are empty.")
    source: str = Field(description="Who defines it: `live`, `code` or `nobody`.")
    workers: list[str]
    idle: list[str] = Field(
        description="Queues that get no work: no task type sends there, nothing waits or was done."
    )


class UnservedView(View):
    """A queue that nobody serves although it has work."""

    queue: str
    waiting: int
    has_types: bool = Field(description="Whether task types send there.")


class RoleList(View):
    """All roles."""

    roles: list[RoleView]
    unserved: list[UnservedView]
    cursor: Next = None


class RoleWanted(BaseModel):
    """What a role is to be."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queues: list[str] | dict[str, int] = Field(
        description="Names of queues in order, or weights by name.",
        examples=[["mail", "news"], {"mail": 3, "news": 1}],
    )
    strict: bool = False
    force: bool = Field(default=False, description="Also when that leaves a queue with work unserved.")


class RoleWritten(View):
    """What a role is now; `null` where the code of its workers says it, and this service has no such code."""

    name: str
    queues: dict[str, int] | None
    strict: bool | None
