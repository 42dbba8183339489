"""What callers send and get to see of limits and rates."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobbers.api.schemas import Sent
from jobbers.api.task_views import View
from jobbers.api.windows import Next
from jobbers.core.limits import MAX_AMOUNT


class LimitRequest(Sent):
    """What a limit or a rate shall allow."""

    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT)] = Field(
        description="How many at a time, or how many starts in its time.", examples=[20]
    )


class LimitView(View):
    """What a limit or a rate allows."""

    name: str = Field(examples=["send:user_id"])
    amount: int = Field(description="How many at a time, or how many starts in `per`.")
    per: float | None = Field(description="Seconds for which a start counts; `null` for a limit.")
    burst: int | None = Field(description="How many starts may come at once, if they are spread evenly.")
    amount_in_code: int = Field(description="What it was before somebody changed it.")
    waiting: int = Field(description="How many tasks wait for it, whatever their key.")


class LimitUseView(View):
    """How a limit or a rate stands, for one value of its key."""

    name: str
    key: str | None = Field(description="The value of its key; `null` if it has none.")
    used: int = Field(description="How many permits are taken.")
    held_by: list[str] = Field(description="Some of the tasks that hold one.")
    waiting: int = Field(description="How many tasks stand in line.")
    first: list[str] = Field(description="The first of them.")
    next_in: float | None = Field(description="Seconds until a start counts no more.")


class LimitList(View):
    """Limits and rates, by name."""

    limits: list[LimitView]
    cursor: Next = None


class LimitDetails(View):
    """A limit or a rate, and how it stands."""

    limit: LimitView
    uses: list[LimitUseView] = Field(
        description="For each value of its key for which somebody waits; without a key once."
    )
