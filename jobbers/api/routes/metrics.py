"""Metrics as Prometheus collects them."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.metrics_text import CONTENT_TYPE, render
from jobbers.api.route import ApiRoute
from jobbers.core.access import Scope

MINUTES = 60

router = APIRouter(tags=["system"], route_class=ApiRoute)


@router.get(
    "/metrics",
    response_model=None,
    responses={200: {"content": {"text/plain": {}}}},
    openapi_extra=needs(Scope.READ),
)
async def metrics(inspector: deps.TheInspector) -> Response:
    """Queues, tasks by what became of them, and workers, in the text format of Prometheus. All numbers are read from the
    task server, so one service of a cluster is enough to ask."""
    queues, counts, workers, tallies, advice, server = await asyncio.gather(
        inspector.queues(),
        inspector.counts(),
        inspector.workers(),
        inspector.tallies(MINUTES),
        inspector.advice(),
        inspector.server(),
    )
    return Response(render(queues, counts, workers, tallies, advice, server), media_type=CONTENT_TYPE)
