"""Keys, the login of the page, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response

from jobbers.api import deps, once
from jobbers.api.access_views import (
    AuditEntryView,
    AuditView,
    CallerView,
    KeyList,
    KeyMade,
    KeyRequest,
    KeyRevoked,
    KeyView,
    LoggedOut,
    Login,
)
from jobbers.api.callers import OPEN, needs
from jobbers.api.errors import ApiError, documented
from jobbers.api.route import Part
from jobbers.core.access import Scope
from jobbers.keyring import AUDIT_PAGE

router = Part(tags=["access"])

KeyName = Annotated[str, Path(description="Name of a key.", max_length=200, examples=["mailer"])]


@router.get("/keys", response_model=KeyList, responses=documented(422), openapi_extra=needs(Scope.ADMIN))
async def list_keys(access: deps.TheAccess, window: deps.TheWindow) -> KeyList:
    """All keys by name, without what makes them keys."""
    now = await access.now_ms()
    found, cursor = window.of(await access.keys(), lambda facts: facts.name)
    return KeyList(keys=[KeyView.of(facts, now) for facts in found], cursor=cursor)


@router.post(
    "/keys",
    status_code=201,
    response_model=KeyMade,
    responses=documented(400, 409, 413, 415, 422),
    openapi_extra=needs(Scope.ADMIN, deed="keys.create"),
)
async def create_key(access: deps.TheAccess, request: Request, wanted: KeyRequest) -> KeyMade:
    """Make a key. It is in this answer and nowhere else: what is stored cannot be turned back into it.

    The first key of a namespace closes it: from then on every call needs one.
    """
    request.state.target = f"{wanted.name} scope={wanted.scope}"
    once.do_not_keep(
        request, f"the key {wanted.name!r} was made, and was shown that once: revoke it, and make another"
    )
    made = await access.create(
        wanted.name,
        wanted.scope,
        queues=wanted.queues,
        expires=wanted.expires,
        rate=wanted.rate,
        burst=wanted.burst,
    )
    view = KeyView.of(made.facts, made.facts.created)
    return KeyMade(key=made.text, **view.model_dump())


@router.delete(
    "/keys/{name}",
    response_model=KeyRevoked,
    responses=documented(404, 422),
    openapi_extra=needs(Scope.ADMIN, deed="keys.revoke"),
)
async def revoke_key(access: deps.TheAccess, name: KeyName) -> KeyRevoked:
    """Take a key away: the next call with it is refused, and logins made with it end."""
    await access.revoke(name)
    return KeyRevoked(name=name)


@router.get(
    "/audit",
    response_model=AuditView,
    responses=documented(422),
    openapi_extra=needs(Scope.ADMIN),
)
async def audit(
    access: deps.TheAccess,
    cursor: deps.Cursor = None,
    limit: Annotated[int, Query(ge=1, le=AUDIT_PAGE, description="How many entries.")] = 100,
) -> AuditView:
    """Who did what to what, the newest first. Submissions and reads are not in it."""
    page = await access.audit(cursor, limit)
    return AuditView(entries=[AuditEntryView.of(entry) for entry in page.entries], cursor=page.cursor)


@router.get("/me", response_model=CallerView, openapi_extra=needs(Scope.READ, by_queue=True))
async def me(caller: deps.TheCaller) -> CallerView:
    """Who you are here, and what you may do."""
    return CallerView.of(caller)


@router.post(
    "/login",
    response_model=CallerView,
    responses=documented(400, 404, 413, 415, 422),
    openapi_extra=needs(OPEN),
)
async def log_in(gate: deps.TheGate, request: Request, response: Response, login: Login) -> CallerView:
    """Exchange a key for a cookie, as the page does. It ends after 12 hours, with the key, and with `/logout`."""
    if not gate.takes_keys:
        raise ApiError(404, "not_found", "this service has a login of its own")
    return CallerView.of(await gate.log_in(request, response, login.key))


@router.post(
    "/logout",
    response_model=LoggedOut,
    responses=documented(415),
    openapi_extra=needs(OPEN),
)
async def log_out(gate: deps.TheGate, request: Request, response: Response) -> LoggedOut:
    """End the session of the cookie."""
    if gate.takes_keys:
        await gate.log_out(request, response)
    return LoggedOut()
