"""What routes are given: the app that their router was made for, its client and its inspector."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import AfterValidator

from jobbers.api import once
from jobbers.api.callers import Caller
from jobbers.api.gate import ROUTE_KEY, Gate
from jobbers.api.windows import Window, wanted
from jobbers.app import Jobbers
from jobbers.client import Client
from jobbers.core.ids import check_id
from jobbers.core.names import check_name
from jobbers.core.trace_context import inherited
from jobbers.inspector import MAX_PAGE, Inspector
from jobbers.keyring import Access

_bearer = HTTPBearer(auto_error=False, description="A key, or a token of the issuer.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="A key.")


def bound(gate: Gate) -> Any:
    """The dependency of a whole router that says which app its routes serve, and in which trace, and lets nobody through
    whom the gate does not."""

    async def bind(
        request: Request,
        _in_description: Annotated[object, Security(_bearer)],  # the gate reads them; these two document it
        _too: Annotated[object, Security(_header)],
    ) -> None:
        await enter(gate, request)

    return Depends(bind)


async def enter(gate: Gate, request: Request) -> Caller:
    """Say which app a request is for and in which trace, and who calls. Raises like :meth:`Gate.admit` and
    :func:`once.begin`."""
    request.state.jobbers = gate.app
    request.state.jobbers_gate = gate
    caller = await gate.admit(request)
    await once.begin(request, gate.app, caller, request.scope.get(ROUTE_KEY))
    # Set in any case: requests of one connection may share a context.
    inherited.set(gate.traffic.trace(request.headers))
    return caller


async def _app(request: Request) -> Jobbers:
    app: Jobbers = request.state.jobbers
    return app


async def _gate(request: Request) -> Gate:
    gate: Gate = request.state.jobbers_gate
    return gate


async def _access(request: Request) -> Access:
    return await (await _gate(request)).access()


async def _caller(request: Request) -> Caller:
    return await (await _gate(request)).admit(request)


async def _call(request: Request) -> once.Call | None:
    return once.call_of(request)


async def _client(request: Request) -> Client:
    return await (await _app(request)).client()


async def _inspector(request: Request) -> Inspector:
    return await (await _app(request)).inspector()


async def _stopping(request: Request) -> asyncio.Event:
    event = getattr(request.app.state, "jobbers_stopping", None)
    return event if isinstance(event, asyncio.Event) else asyncio.Event()


def _queue(value: str) -> str:
    return check_name(value, "the queue")


TheApp = Annotated[Jobbers, Depends(_app)]
TheClient = Annotated[Client, Depends(_client)]
TheInspector = Annotated[Inspector, Depends(_inspector)]
TheGate = Annotated[Gate, Depends(_gate)]
TheAccess = Annotated[Access, Depends(_access)]
TheCall = Annotated[once.Call | None, Depends(_call)]
"""The call that this is, if its caller gave it a key."""
TheWindow = Annotated[Window, Depends(wanted)]
TheCaller = Annotated[Caller, Depends(_caller)]
Stopping = Annotated[asyncio.Event, Depends(_stopping)]
"""Set when the server begins to stop: whoever waits for long answers now."""

TaskId = Annotated[
    str, AfterValidator(check_id), Path(description="Id of a task.", examples=["01JGZ3Y9W5V8Q2M4T6R8K0N1PD"])
]
QueueName = Annotated[str, AfterValidator(_queue), Path(description="Name of a queue.", examples=["default"])]
TypeName = Annotated[
    str, Path(min_length=1, max_length=200, description="Name of a task type.", examples=["resize"])
]
TypeFilter = Annotated[
    str | None, Query(alias="type", max_length=200, description="Only tasks of this type.")
]
QueueFilter = Annotated[str | None, Query(max_length=200, description="Only tasks of this queue.")]
Cursor = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9][0-9A-Za-z/:._-]{0,99}$",
        description="The cursor of the page before; opaque.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="About how many tasks a page may have.")]
