"""Metrics as Prometheus collects them."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.metrics_text import render
from jobbers.api.route import Part
from jobbers.core.access import Scope
from jobbers.telemetry.exposition import END, OPENMETRICS, TEXT, exposition, wants_openmetrics
from jobbers.telemetry.names import EVENT_STREAMS

MINUTES = 60

router = Part(tags=["system"])


@router.get(
    "/metrics",
    response_model=None,
    responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
    openapi_extra=needs(Scope.READ),
)
async def metrics(inspector: deps.TheInspector, gate: deps.TheGate, request: Request) -> Response:
    """Queues, tasks by what became of them, and workers, in the text format of Prometheus. These numbers are read from the
    task server, so one service of a cluster is enough to ask. What this process itself has counted follows: its requests,
    and more where telemetry is on, such as submissions; in OpenMetrics, which `Accept` may ask for, with exemplars."""
    queues, counts, workers, tallies, advice, server = await asyncio.gather(
        inspector.queues(),
        inspector.counts(),
        inspector.workers(),
        inspector.tallies(MINUTES),
        inspector.advice(),
        inspector.server(),
    )
    openmetrics = wants_openmetrics(request.headers.get("accept", ""))
    own = [it for it in gate.traffic.metrics.families() if it.kind != "gauge" or it.name == EVENT_STREAMS]
    text = render(queues, counts, workers, tallies, advice, server) + exposition(own, openmetrics=openmetrics)
    return Response(text + END * openmetrics, media_type=OPENMETRICS if openmetrics else TEXT)
