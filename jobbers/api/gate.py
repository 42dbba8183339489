"""The one gate before all routes: who calls, whether they may, how often; and the audit log of what they did."""

from __future__ import annotations

import inspect
import ipaddress
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response

from jobbers.api.callers import ANYONE, OPEN, Caller, check_allowed, declared, deed_of
from jobbers.api.coalescing import Coalescing
from jobbers.api.errors import ApiError
from jobbers.api.oidc import Tokens
from jobbers.api.slowdown import Slowdown
from jobbers.api.traffic import Traffic
from jobbers.app import Jobbers
from jobbers.core.access import PREFIX, Scope, digest
from jobbers.errors import JobbersError
from jobbers.keyring import SESSION_SECONDS, Access, clean

log = logging.getLogger("jobbers.audit")

Authenticate = Callable[[Request], Caller | Awaitable[Caller | None] | None]
"""Says who makes a request; ``None``: nobody that is known, which is answered with 401."""

ROUTE_KEY = "jobbers.route"
"""Where a route says in the scope of a request which one it is."""
OPEN_SECONDS = 10.0
"""For so long streams that nobody was asked for take it that nobody is."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UNKNOWN = "this needs a valid key: send it as 'Authorization: Bearer …' or as 'X-API-Key: …'"
_ADMITTED = "jobbers_caller"
_TOO_OFTEN = 429


class Gate:
    """Admits requests to the routes of one app.

    ``authenticate`` takes the place of keys and tokens. ``required`` asks for a key whatever the settings say. Where nobody
    is asked, only callers on this machine are answered if ``local_only``.
    """

    def __init__(
        self,
        app: Jobbers,
        authenticate: Authenticate | None = None,
        *,
        required: bool = False,
        local_only: bool = False,
    ) -> None:
        self.app = app
        self._authenticate = authenticate
        self._local_only = local_only
        self._tokens = None if app.settings.auth == "off" else Tokens.of(app.settings)
        self._required = required or app.settings.auth == "keys" or self._tokens is not None
        self._slowdown = Slowdown()
        self.reads = Coalescing()
        self.traffic = Traffic(app)
        self._looked = -OPEN_SECONDS

    @property
    def asks(self) -> bool:
        """Whether callers are asked who they are in any case."""
        return self._authenticate is not None or self._required

    @property
    def takes_keys(self) -> bool:
        """Whether keys count, and with them the login of the page."""
        return self._authenticate is None

    async def access(self) -> Access:
        """Keys and the audit log."""
        return Access((await self.app.client()).store)

    async def admit(self, request: Request) -> Caller:
        """Let a request through, once. Raises :class:`ApiError` 401, 403 or 429, and what the store raises: a caller of
        whom nothing can be known is not let through."""
        admitted: Caller | None = getattr(request.state, _ADMITTED, None)
        if admitted is not None:
            return admitted
        route = request.scope.get(ROUTE_KEY)
        caller = ANYONE
        if declared(route)[0] != OPEN:
            caller = await self._caller(request)
            check_allowed(caller, route)
        setattr(request.state, _ADMITTED, caller)
        return caller

    async def still_admits(self, request: Request) -> bool:
        """Whether a caller who was let through would be now, too: with the same key, to the same route. For answers that
        last. Raises what the store raises."""
        route = request.scope.get(ROUTE_KEY)
        try:
            if self._authenticate is not None:
                caller = await self._own(request)
            elif await self._still_open():
                caller = ANYONE
            else:
                caller = await self._found(request)
            if caller is not None:
                check_allowed(caller, route)
        except ApiError as error:
            return error.status_code >= 500  # it cannot be known now
        return caller is not None

    async def _still_open(self) -> bool:
        """Like :meth:`_open`, and asked once in some seconds for all answers that last."""
        now = time.monotonic()
        if not self._required and now - self._looked < OPEN_SECONDS:
            return True
        found = await self._open()
        self._looked = now
        return found

    async def _own(self, request: Request) -> Caller | None:
        found = self._authenticate(request) if self._authenticate is not None else None
        return await found if inspect.isawaitable(found) else found

    async def _caller(self, request: Request) -> Caller:
        if self._authenticate is not None:
            caller = await self._own(request)
            if caller is None:
                raise unauthorized()
        elif await self._open():
            if self._local_only and not is_local(request):
                raise ApiError(
                    403,
                    "local_only",
                    "nobody is asked for a key here, so only callers on this machine are answered: make a key with "
                    "'jobbers keys create', and send it",
                )
            if self._local_only and request.method not in _SAFE and is_cross_site(request):
                raise ApiError(
                    403, "cross_site", "nobody is asked for a key here, so no other site may change anything"
                )
            return ANYONE
        else:
            caller = await self._known(request)
        await self._meter(caller)
        return caller

    async def _open(self) -> bool:
        if self._required:
            return False
        if self.app.settings.auth == "off":
            return True
        if await (await self.access()).guarded():
            self._required = True  # for as long as this process lives, whatever becomes of the stored keys
            return False
        return True

    async def _known(self, request: Request) -> Caller:
        if presented(request) is None:
            if cookie_name(self.app) not in request.cookies:
                raise unauthorized()
            if request.method not in _SAFE:
                check_same_origin(request)
        caller = await self._found(request)
        if caller is None:
            self.traffic.metrics.credential_refused("key")
            await self._slowdown.failure(address_of(request))
            raise unauthorized()
        self._slowdown.success(address_of(request))
        return caller

    async def _found(self, request: Request) -> Caller | None:
        credential = presented(request)
        if credential is not None:
            return await self._holder(credential)
        secret = request.cookies.get(cookie_name(self.app))
        facts = None if secret is None else await (await self.access()).session(secret)
        return None if facts is None else Caller.of_key(facts)

    async def _holder(self, credential: str) -> Caller | None:
        if credential.startswith(f"{PREFIX}.") or self._tokens is None:
            facts = await (await self.access()).find(credential)
            return None if facts is None else Caller.of_key(facts)
        return await self._tokens.caller(credential)

    async def _meter(self, caller: Caller) -> None:
        rate, burst = (caller.rate, caller.burst) if caller.rate else (self.app.settings.api_rate, 0)
        if rate <= 0:
            return
        wait = await (await self.access()).meter(caller.who, rate, burst)
        if wait > 0:
            raise ApiError(
                _TOO_OFTEN,
                "rate_limited",
                f"more calls than the {rate:g} a second that you may make",
                headers={"Retry-After": str(math.ceil(wait))},
            )

    async def log_in(self, request: Request, response: Response, key: str) -> Caller:
        """Open a session of the page and set its cookie. Raises :class:`ApiError` 401."""
        check_same_origin(request, known_by_cookie=False)
        access = await self.access()
        opened = await access.log_in(key)
        if opened is None:
            self.traffic.metrics.credential_refused("login")
            await self._slowdown.failure(address_of(request))
            raise ApiError(401, "unauthorized", "this is no valid key")
        self._slowdown.success(address_of(request))
        secret, facts = opened
        caller = Caller.of_key(facts)
        response.set_cookie(
            cookie_name(self.app),
            secret,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=_is_https(request),
        )
        await self.note(request, caller, "login", "")
        return caller

    async def log_out(self, request: Request, response: Response) -> None:
        """End the session, if there is one."""
        secret = request.cookies.get(cookie_name(self.app))
        if secret is not None:
            check_same_origin(request)
            await (await self.access()).log_out(secret)
        response.delete_cookie(
            cookie_name(self.app), httponly=True, samesite="strict", secure=_is_https(request)
        )

    async def record(self, request: Request, route: Any, status: int) -> None:
        """Write a call that was let through into the audit log, if it could operate something."""
        caller: Caller | None = getattr(request.state, _ADMITTED, None)
        scope, _ = declared(route)
        # A refused call changed nothing; if it were noted, any caller could push out what others did.
        if caller is None or request.method in _SAFE or scope == OPEN or status in (401, 403, _TOO_OFTEN):
            return
        if scope is not None and not Scope(scope).covers(Scope.OPERATE):
            return
        action = getattr(request.state, "deed", None) or deed_of(route)
        chosen = [*request.path_params.values(), getattr(request.state, "target", "")]
        await self.note(request, caller, action, " ".join(str(word) for word in chosen if word), str(status))

    async def note(
        self, request: Request, caller: Caller, action: str, target: str, status: str = "200"
    ) -> None:
        """Write an entry into the audit log."""
        source = {"from": address_of(request), "via": "api", "status": status}
        most = self.app.settings.audit_entries
        # After an error of the store nobody waits a second time for it.
        patience = 0.0 if status.startswith("5") else None
        try:
            access = await self.access()
        except JobbersError as error:
            log.error("not in the audit log: %s %s %s: %s", clean(caller.who), action, clean(target), error)
            return
        await access.note(caller.who, action, target, most=most, patience=patience, **source)


def unauthorized() -> ApiError:
    """The same for every reason there is, so that nobody learns which keys there are."""
    return ApiError(401, "unauthorized", _UNKNOWN, headers={"WWW-Authenticate": "Bearer"})


def presented(request: Request) -> str | None:
    """The key or token of a request. Other schemes than Bearer belong to whatever stands in front of us."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key")


def check_same_origin(request: Request, *, known_by_cookie: bool = True) -> None:
    """Raises :class:`ApiError` 403 for what another site's page may have made a browser send: the browser adds the cookie,
    but it also says where the call comes from."""
    if is_cross_site(request, unsaid=known_by_cookie):
        raise ApiError(
            403, "cross_site", "a login by cookie counts only on the service's own page: send a key"
        )


def is_cross_site(request: Request, *, unsaid: bool = False) -> bool:
    """Whether another site's page made a browser send this, as the browser says; ``unsaid``: the answer when it says
    nothing, as programs do."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        return site != "same-origin"
    if origin is None:
        return unsaid
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    except ValueError:
        return True


def is_local(request: Request) -> bool:
    """Whether a request comes from this machine, as far as the connection tells."""
    if request.client is None:
        return True  # a Unix socket, or no network at all
    try:
        return ipaddress.ip_address(request.client.host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def address_of(request: Request) -> str:
    """Where a request comes from. That of the proxy behind one: what callers say of themselves is not believed."""
    return request.client.host if request.client is not None else "local"


def cookie_name(app: Jobbers) -> str:
    """One for each namespace: browsers do not tell the ports of a machine apart."""
    return f"jobbers_{digest(app.settings.namespace)[:12]}"


def _is_https(request: Request) -> bool:
    """Whether the browser came by https, maybe to a proxy before us."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
