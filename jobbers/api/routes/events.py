"""One stream of events for everything that one wants to follow."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query, Request, Response

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import ApiError, about, documented
from jobbers.api.live.hub import Reader, hub_of
from jobbers.api.live.readers import reader_of
from jobbers.api.live.stream import EventStream
from jobbers.api.live.topics import KNOWN, Topic, read_topics
from jobbers.api.reach import check_topic
from jobbers.api.route import Part
from jobbers.core.access import Scope

router = Part(tags=["system"])

LONGEST_ID = 64 * 1024
"""A position of 1,024 shards fits."""


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}, **documented(404, 422, 503)},
    openapi_extra=needs(Scope.READ, by_queue=True),
)
async def events(
    app: deps.TheApp,
    *,
    caller: deps.TheCaller,
    gate: deps.TheGate,
    request: Request,
    stopping: deps.Stopping,
    topic: Annotated[list[str], Query(description=f"What to follow, once for each: {KNOWN}.")],
    last_event_id: Annotated[
        str, Header(max_length=LONGEST_ID, description="Of `ended`: go on behind this event.")
    ] = "",
) -> Response:
    """Follow what happens, as server-sent events: `event` is the kind of a topic, `data` is `{"topic", "data"}`.

    Each topic is told of as a whole at first, and then when it has changed, as the route of its subject shows it; of a run
    the `nodes` that have moved, unless it is `whole`. `ended` lists the tasks that end, and its events have ids: with the
    last one as `Last-Event-ID` nothing is lost, and a task may come twice; `missed` says that some are not known any more.
    `trouble` says why a topic cannot be read. At most four writes a second; a comment every 15 seconds of silence. It ends
    within a minute when the listener's key is revoked or expires.
    """
    with about("topic"):
        topics = read_topics(topic)
    for one in topics:
        await check_topic(caller, app, one)
    hub = hub_of(app)
    if not hub.room(topics):
        raise ApiError(
            503, "too_many_streams", "this service serves as many event streams as it can: ask again later"
        )

    def make(one: Topic) -> Reader:
        return reader_of(app, one)

    async def still_admitted() -> bool:
        return await gate.still_admits(request)

    return EventStream(
        hub,
        make,
        topics,
        last_event_id,
        stopping,
        traffic=gate.traffic,
        still_admitted=still_admitted,
    )
