"""``Idempotency-Key``: a write that its caller may repeat, on every route that writes.

A caller and the key that they chose stand for one call. Who comes first makes it, and its answer is kept; who comes later
gets that answer, or hears that the call is under way, or that the key was another call's. A process that dies in between
holds the call until its lease ends; the next one then makes it again, from the same ``seed``, so that what has ids of the
seed is made once. (The header follows the IETF's draft "The Idempotency-Key HTTP Header Field".)
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response

from jobbers.api.callers import OPEN, Caller, declared
from jobbers.api.errors import ApiError, documented, log, place, shape
from jobbers.app import Jobbers
from jobbers.client import new_id
from jobbers.errors import InvalidInput, JobbersError
from jobbers.store.once import OnceStore

KEPT_SECONDS = 24 * 3600.0
"""For how long an answer is kept."""
LEASE_SECONDS = 30.0
"""For how long a process is believed to make a call after it last said so; it says so three times as often."""
MOST_KEPT = 256 * 1024
"""Bytes of an answer that is kept."""
LONGEST_KEY = 128
REPLAYED = "Idempotency-Replayed"

_HEADER = "Idempotency-Key"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTHING_DONE = 507
_CALL = "jobbers_once"
_UNKEPT = "jobbers_unkept"
_TOO_LARGE = "this was done, and its answer was too large to be kept"
_PARAMETER = {
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "Of your own, for this call: the same call again within 24 hours gets the answer of the first, with "
    f"`{REPLAYED}: true`, and nothing is done twice. Another call with the same key is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


class Repeated(Exception):
    """Not an error: the answer of an earlier call stands for this one."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


class Call:
    """A call that this process makes for its caller, and holds until it is answered."""

    def __init__(self, store: OnceStore, where: str) -> None:
        self.seed = new_id()
        self.where = where
        """Stands for the caller and the key."""
        self._store = store
        self._owner = secrets.token_hex(8)
        self._extending: asyncio.Task[None] | None = None

    async def begin(self, fingerprint: str) -> None:
        """Take it. Raises :class:`Repeated`, :class:`ApiError` 409 and 422, and what the store raises."""
        begun = await self._store.begin(
            self.where,
            self._owner,
            fingerprint,
            seed=self.seed,
            lease_ms=int(LEASE_SECONDS * 1000),
            kept_ms=int(KEPT_SECONDS * 1000),
        )
        match begun.state:
            case "run":
                self.seed = begun.seed
                self._extending = asyncio.create_task(self._extend())
            case "done":
                raise Repeated(_unpacked(begun.answer))
            case "busy":
                wait = str(
                    min(math.ceil(begun.wait_ms / 1000), 2)
                )  # it is most likely answered long before its lease ends
                raise ApiError(
                    409,
                    "in_progress",
                    "the first call with this Idempotency-Key is under way",
                    headers={"Retry-After": wait},
                )
            case "other":
                raise ApiError(
                    422,
                    "idempotency_key_reused",
                    f"this {_HEADER} was that of another call (route, query or body): choose another",
                    _HEADER,
                )

    async def end(self, response: Response | None, unkept: str | None) -> None:
        """Keep the answer, or let go of the call; ``unkept`` is what a repetition is told instead of the answer. Raises
        nothing: the answer stands, and the lease ends by itself."""
        if self._extending is not None:
            self._extending.cancel()
        status = 500 if response is None else response.status_code
        try:
            if response is not None and status < 300:
                packed = _packed(response, unkept)
                await self._store.finish(self.where, self._owner, packed, int(KEPT_SECONDS * 1000))
            elif status >= 500 and status != _NOTHING_DONE:
                await self._store.leave(self.where, self._owner)
            else:
                await self._store.forget(self.where, self._owner)
        except JobbersError as error:
            log.error("the answer of a call with an %s is not kept: %s", _HEADER, error)

    async def _extend(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                if not await self._store.extend(self.where, self._owner, int(LEASE_SECONDS * 1000)):
                    return
            except JobbersError as error:
                log.warning("a call with an %s cannot be held: %s", _HEADER, error)


def is_repeatable(methods: Any, extra: dict[str, Any] | None) -> bool:
    """Whether a route takes keys: all that write, but the login, which is no use to others."""
    return bool(methods) and not _SAFE.intersection(methods) and (extra or {}).get("x-scope") != OPEN


def describe(responses: dict[int | str, dict[str, Any]], extra: dict[str, Any]) -> None:
    """Add to ``responses=`` and ``openapi_extra=`` of a route what the description says of keys."""
    for status, answer in documented(409, 422).items():
        responses.setdefault(status, answer)
    known = extra.get("parameters", [])
    extra["parameters"] = known if _PARAMETER in known else [*known, _PARAMETER]


async def begin(request: Request, app: Jobbers, caller: Caller, route: Any) -> None:
    """Take the call if it writes and has a key. Raises like :meth:`Call.begin`, and :class:`InvalidInput`."""
    given = request.headers.getlist(_HEADER)
    if not given or request.method in _SAFE or declared(route)[0] == OPEN:
        return
    # Who has the name of another, and may use other queues, is not told what that one did.
    queues = "" if caller.queues is None else "\0" + "\0".join(sorted(caller.queues))
    where = hashlib.sha256(
        f"{caller.who}{queues}\0{_checked(given)}".encode(errors="surrogatepass")
    ).hexdigest()[:40]
    told = f"{place(request.scope)}?{request.scope['query_string'].decode('latin-1')}\0"
    fingerprint = hashlib.sha256(told.encode(errors="surrogatepass") + await request.body()).hexdigest()
    call = Call((await app.client()).store.once, where)
    await call.begin(fingerprint)
    setattr(request.state, _CALL, call)


async def end(request: Request, response: Response | None) -> None:
    """The call has been answered, or failed without an answer."""
    call = call_of(request)
    if call is not None:
        await call.end(response, getattr(request.state, _UNKEPT, None))


def call_of(request: Request) -> Call | None:
    """The call with a key that this request is."""
    return getattr(request.state, _CALL, None)


def do_not_keep(request: Request, told: str) -> None:
    """Keep nothing of the answer that is about to be given; who repeats the call is told this."""
    setattr(request.state, _UNKEPT, told)


def _checked(headers: Sequence[str]) -> str:
    """The key in the header, quoted or not."""
    header, *more = headers
    if more:  # which of them counts, a proxy may see otherwise
        raise InvalidInput(f"a call has one {_HEADER}, got {len(headers)}")
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidInput(f"an {_HEADER} has 1 to {LONGEST_KEY} printable characters")
    return key


def _packed(response: Response, unkept: str | None) -> bytes:
    body = bytes(response.body)
    if unkept is None and len(body) > MOST_KEPT:
        unkept = _TOO_LARGE
    if unkept is not None:
        response = shape(409, "answer_not_kept", unkept)
    return b"%d %s" % (response.status_code, bytes(response.body))


def _unpacked(answer: bytes) -> Response:
    status, _, body = answer.partition(b" ")
    return Response(body, int(status), {REPLAYED: "true"}, "application/json")
