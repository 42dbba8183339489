"""How much telemetry task types make, and live changes of that."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import about, documented
from jobbers.api.route import Part
from jobbers.api.task_views import View
from jobbers.core.access import Scope

router = Part(prefix="/telemetry", tags=["system"])


class TelemetryView(View):
    """What holds now."""

    rules: str = Field(
        description="Patterns that were set live; empty when none were.",
        examples=["mail.*=always, import*=0.01"],
    )
    types: dict[str, str] = Field(
        description="What holds for each task type that this service knows.",
        examples=[{"mail.send": "always"}],
    )
    idle: list[str] = Field(description="Live patterns that fit none of these.", examples=[["import*"]])


class TelemetryWanted(BaseModel):
    """Patterns of task types."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rules: str = Field(
        description="Like the setting `telemetry_types`; the first that fits counts.",
        examples=["mail.*=always, import*=0.01"],
    )


@router.get("", response_model=TelemetryView, openapi_extra=needs(Scope.READ))
async def granularity(app: deps.TheApp) -> TelemetryView:
    """How much telemetry task types make."""
    return TelemetryView.model_validate(await (await app.live_granularity()).report())


@router.put(
    "",
    response_model=TelemetryView,
    responses=documented(400, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="telemetry.set"),
)
async def set_granularity(app: deps.TheApp, body: TelemetryWanted) -> TelemetryView:
    """Let these patterns hold, before settings and code, in the place of those that were set live before.

    Workers and clients follow within a second.
    """
    with about("rules"):
        made = await (await app.live_granularity()).set(body.rules)
    return TelemetryView.model_validate(made)


@router.delete(
    "",
    response_model=TelemetryView,
    responses=documented(404),
    openapi_extra=needs(Scope.OPERATE, deed="telemetry.reset"),
)
async def reset_granularity(app: deps.TheApp) -> TelemetryView:
    """Take back what was set live."""
    return TelemetryView.model_validate(await (await app.live_granularity()).reset())
