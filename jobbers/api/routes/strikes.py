"""Strikes: what must not run."""

from __future__ import annotations

from fastapi import Request

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import documented
from jobbers.api.route import Part
from jobbers.api.strike_views import StrikeList, StrikeRequest, StrikeView
from jobbers.client import new_id
from jobbers.core.access import Scope
from jobbers.core.strike import MAX_TEXT, Strike, check_parameters
from jobbers.keyring import clean

router = Part(prefix="/strikes", tags=["strikes"], responses=documented(422))


@router.get("", response_model=StrikeList, openapi_extra=needs(Scope.READ))
async def strikes(inspector: deps.TheInspector, window: deps.TheWindow) -> StrikeList:
    """What is struck: by whom, since when and why."""
    found, cursor = window.of(await inspector.strikes(), lambda strike: strike.id)
    return StrikeList(strikes=[StrikeView.of(strike) for strike in found], cursor=cursor)


@router.post(
    "",
    status_code=201,
    response_model=StrikeView,
    responses=documented(400, 413, 415),
    openapi_extra=needs(Scope.OPERATE, deed="strikes.add"),
)
async def add(
    app: deps.TheApp,
    inspector: deps.TheInspector,
    *,
    caller: deps.TheCaller,
    call: deps.TheCall,
    http: Request,
    request: StrikeRequest,
) -> StrikeView:
    """Let no task of a type run, or none with these arguments, from now on.

    Workers and clients go by it within a second. What matches is cancelled before its function is called, and new ones are
    refused with the code `struck`; or it is held until the strike is lifted.
    """
    strike = Strike(
        new_id() if call is None else call.seed,
        request.type,
        request.where,
        request.action,
        reason=request.reason,
        running=request.running,
        by=clean(caller.name)[:MAX_TEXT] if request.by is None else request.by,
    )
    http.state.target = f"{strike.type} {strike.action} {strike.id}"
    known = app.task_types.get(strike.type)
    if known is not None:
        check_parameters(strike, known.signature)
    return StrikeView.of(await inspector.strike(strike))


@router.delete(
    "/{task_id}",
    response_model=StrikeView,
    responses=documented(404),
    openapi_extra=needs(Scope.OPERATE, deed="strikes.lift"),
)
async def lift(inspector: deps.TheInspector, task_id: deps.TaskId) -> StrikeView:
    """Take a strike back. What it has cancelled stays cancelled; what it holds goes on within a minute."""
    return StrikeView.of(await inspector.lift(task_id))
