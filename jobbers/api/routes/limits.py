"""Limits and rates: what they allow, who holds and who waits; change them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.limit_views import LimitDetails, LimitList, LimitRequest, LimitUseView, LimitView
from jobbers.api.route import Part
from jobbers.core.access import Scope
from jobbers.core.limits import MAX_NAME

router = Part(prefix="/limits", tags=["limits"])

Name = Annotated[
    str, Path(description="Name of a limit or a rate.", max_length=MAX_NAME, examples=["send:user_id"])
]


@router.get("", response_model=LimitList, responses=documented(422), openapi_extra=needs(Scope.READ))
async def limits(app: deps.TheApp, window: deps.TheWindow) -> LimitList:
    """All limits and rates."""
    found, cursor = window.of(await app.limits.list(), lambda one: one.name)
    return LimitList(limits=[LimitView.model_validate(one) for one in found], cursor=cursor)


@router.get(
    "/{name}", response_model=LimitDetails, responses=documented(404, 422), openapi_extra=needs(Scope.READ)
)
async def limit(app: deps.TheApp, name: Name) -> LimitDetails:
    """One of them, with who holds its permits and who waits."""
    state, uses = await app.limits.get(name), await app.limits.uses(name)
    return LimitDetails(
        limit=LimitView.model_validate(state), uses=[LimitUseView.model_validate(use) for use in uses]
    )


@router.put(
    "/{name}",
    response_model=LimitView,
    responses=documented(400, 404, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="limits.set"),
)
async def set_limit(app: deps.TheApp, name: Name, request: LimitRequest) -> LimitView:
    """Allow another amount from now on. What runs goes on; who waits for more hears of it within a second."""
    await app.limits.set(name, request.amount)
    return LimitView.model_validate(await app.limits.get(name))


@router.delete(
    "/{name}",
    response_model=LimitView,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.OPERATE, deed="limits.reset"),
)
async def reset_limit(app: deps.TheApp, name: Name) -> LimitView:
    """Allow again what the code says."""
    await app.limits.reset(name)
    return LimitView.model_validate(await app.limits.get(name))
