"""What callers send and get to see of strikes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from jobbers.api.schemas import Sent, TypeText
from jobbers.api.task_views import View
from jobbers.api.windows import Next
from jobbers.core.strike import MAX_TEXT, Action, Strike


class StrikeRequest(Sent):
    """Tasks that are not to run."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "charge", "where": {"customer_id": 42}, "reason": "chargeback in progress"}]
        }
    )

    type: TypeText = Field(description="The task type.", examples=["charge"])
    where: dict[Annotated[str, Field(max_length=100)], Any] = Field(
        {},
        max_length=20,
        description="Only with these values of arguments, by parameter; none: all of the type.",
    )
    action: Action = Field(
        "cancel",
        description="`cancel`: they are cancelled and refused; `hold`: they wait until it is lifted.",
    )
    reason: Annotated[str, Field(max_length=MAX_TEXT, description="Told to everybody it concerns.")] = ""
    running: bool = Field(False, strict=True, description="Cancel those that run now, too.")
    by: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        None, description="Who adds it; by default the name of the caller's key."
    )


class StrikeView(View):
    """A strike."""

    id: str = Field(examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])
    type: str
    where: dict[str, Any]
    action: str
    reason: str
    running: bool
    by: str
    at: datetime = Field(description="When it was added, by the task server's clock.")

    @classmethod
    def of(cls, strike: Strike) -> StrikeView:
        """The view of a strike."""
        return cls(
            id=strike.id,
            type=strike.type,
            where=dict(strike.where),
            action=strike.action,
            reason=strike.reason,
            running=strike.running,
            by=strike.by,
            at=datetime.fromtimestamp(strike.at / 1000, UTC),
        )


class StrikeList(View):
    """Strikes, the oldest first."""

    strikes: list[StrikeView]
    cursor: Next = None
