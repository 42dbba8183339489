"""Breakers: how they stand; open and close them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from jobbers.api import deps
from jobbers.api.breaker_views import (
    BreakerList,
    BreakerReset,
    BreakerView,
    ResetRequest,
    RetryBudgetView,
    TripRequest,
)
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.route import Part
from jobbers.core.access import Scope
from jobbers.core.limits import MAX_NAME

router = Part(prefix="/breakers", tags=["breakers"])

Name = Annotated[str, Path(description="Name of a breaker.", max_length=MAX_NAME, examples=["send:host"])]


@router.get("", response_model=BreakerList, responses=documented(422), openapi_extra=needs(Scope.READ))
async def breakers(app: deps.TheApp, window: deps.TheWindow) -> BreakerList:
    """All breakers; of those with keys the ones that are not closed."""
    found, cursor = window.of(await app.breakers.list(), lambda one: f"{one.name}\0{one.key or ''}")
    return BreakerList(breakers=[BreakerView.model_validate(one) for one in found], cursor=cursor)


@router.get("/retries", response_model=RetryBudgetView, openapi_extra=needs(Scope.READ))
async def retry_budget(app: deps.TheApp) -> RetryBudgetView:
    """The retry budget of the cluster, and how it stands."""
    return RetryBudgetView.model_validate(await app.breakers.retry_budget())


@router.delete(
    "/retries",
    response_model=RetryBudgetView,
    openapi_extra=needs(Scope.OPERATE, deed="breakers.reset_budget"),
)
async def reset_retry_budget(app: deps.TheApp) -> RetryBudgetView:
    """Forget what the budget has seen. What waits keeps its time."""
    await app.breakers.reset_retry_budget()
    return RetryBudgetView.model_validate(await app.breakers.retry_budget())


@router.post(
    "/{name}/trip",
    response_model=BreakerView,
    responses=documented(400, 404, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="breakers.trip"),
)
async def trip_breaker(app: deps.TheApp, name: Name, request: TripRequest) -> BreakerView:
    """Open one by hand, for a time or until it is reset. What runs goes on, and what would start waits."""
    await app.breakers.trip(name, request.key, open_for=request.open_for)
    return BreakerView.model_validate(await app.breakers.get(name, request.key))


@router.post(
    "/{name}/reset",
    response_model=BreakerReset,
    responses=documented(400, 404, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="breakers.reset"),
)
async def reset_breaker(app: deps.TheApp, name: Name, request: ResetRequest | None = None) -> BreakerReset:
    """Close one, and forget how attempts ended. Who waits goes on."""
    key = None if request is None else request.key
    await app.breakers.reset(name, key)
    return BreakerReset(name=name, key=key)
