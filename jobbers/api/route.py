"""How a request is read: bounded, JSON only, and what we refuse leaves in the one shape of errors.

This is done by the route and not by middleware, so that it also holds where people include our router in an
application of their own. What their dependencies raise is theirs to answer.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from jobbers.api import etags, once, strays
from jobbers.api.callers import Caller
from jobbers.api.coalescing import Answer
from jobbers.api.errors import HEADERS, ApiError, place, respond
from jobbers.api.gate import ROUTE_KEY, Gate
from jobbers.api.packing import packed
from jobbers.core.payload import MAX_DEPTH, check_shape
from jobbers.errors import JobbersError, PayloadTooLarge

MAX_BODY = 8 * 1024 * 1024
MAX_BODY_KEY = "jobbers.max_body"
"""Where the middleware of a whole application leaves another limit in the scope of a request."""
HEAD_KEY = "jobbers.head"
"""Where the scope of a request says that only the head of the answer is wanted."""
LONGEST_SUMMARY = 90
BODY_SECONDS = 30.0
"""A body that has not come by then will not be waited for."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITES = frozenset({"POST", "PUT", "PATCH"})
_MAY_OVERFLOW = re.compile(rb"[eE]\+?\d\d|\d{299}")
"""What every number has that is too large for a float: most bodies have none, and are not walked for it."""


class Part(APIRouter):
    """Some routes of this API. A request whose path has none of their first words is not compared with each of them: of a
    hundred routes that takes longer than most answers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=ApiRoute, **options)
        self._words: tuple[int, frozenset[str]] = (0, frozenset())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See FastAPI, which asks this since it keeps routers that are included; before that it does without."""
        if scope["type"] == "http" and self._first_words().isdisjoint(scope["path"].split("/")):
            return Match.NONE, {}
        return super().matches(scope)

    def _first_words(self) -> frozenset[str]:
        count, words = self._words
        if count != len(self.routes):
            paths = [getattr(route, "path", "") for route in self.routes]
            words = frozenset(path.split("/")[1] for path in paths)
            self._words = len(self.routes), words
        return words


class ReadableRoute(APIRoute):
    """A route that answers HEAD where it answers GET: the same without the body. The description says nothing of that, as
    it holds for all."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        return super().matches(self._read(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        methods = self.methods or set()
        if scope["method"] not in {*methods, "HEAD"}:
            allowed = {*methods, "HEAD"} if "GET" in methods else methods
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        await super().handle(self._read(scope), receive, send)

    def _read(self, scope: Scope) -> Scope:
        """The scope of a call that wants only the head of what GET answers, as one of GET. The server keeps its own, and
        knows that no body comes."""
        if scope.get("method") != "HEAD" or "GET" not in (self.methods or ()):
            return scope
        return {**scope, "method": "GET", HEAD_KEY: True}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI: the handler of this route, whose answers to HEAD have no body."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return _sendable(request, await handle(request))

        return answer


class ApiRoute(ReadableRoute):
    """A route of this API."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["summary"] = options.get("summary") or _summary(endpoint)
        methods, extra = options.get("methods"), options.get("openapi_extra")
        options["responses"] = dict(options.get("responses") or {})
        options["openapi_extra"] = dict(extra or {})
        self.tagged = etags.is_tagged(methods, options.get("response_model"))
        self._asked_by_many = self.tagged and "{" not in path  # lists and overviews
        if self.tagged:
            etags.describe(options["responses"], options["openapi_extra"])
        if once.is_repeatable(methods, extra):
            once.describe(options["responses"], options["openapi_extra"])
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI: the handler of this route, in our wrapping."""
        handle = APIRoute.get_route_handler(self)  # tags are made of the body, also for HEAD

        async def shaped(request: Request) -> Response:
            gate = getattr(request.app.state, "jobbers_gate", None)
            # before a stranger's body is read; in other applications after it
            return await self.answer(request, handle, gate if isinstance(gate, Gate) else None)

        return shaped

    async def answer(
        self,
        request: Request,
        handle: Callable[[Request], Coroutine[Any, Any, Response]],
        gate: Gate | None,
    ) -> Response:
        """What ``handle`` makes of a request, for those whom ``gate`` admits; refusals in the one shape of errors."""
        request.scope[ROUTE_KEY] = self
        status: int | None = 500
        known: Response | None = None
        caller: Caller | None = None
        try:
            if gate is not None:
                caller = await gate.admit(request)
                if gate.takes_keys:  # one's own authentication may read more
                    strays.check_query(request, self)
            if request.method in _WRITES:
                _require_json(request)
            incoming = JsonRequest(request.scope, request.receive)
            if self.body_field is None and request.method not in _READS:
                strays.check_no_body(await incoming.body())
            if self._asked_by_many and gate is not None and gate.takes_keys:
                answer = await gate.reads.read(_asked(request, caller), lambda: _answer(handle, incoming))
                response = answer.response()
            else:
                response = await handle(incoming)
            if self.tagged:
                response = etags.conditional(request, response)
            response = await packed(request, response)
            known, status = response, response.status_code
        except once.Repeated as repeated:
            response, status = repeated.response, None  # nothing was done now
        except (ApiError, JobbersError, RequestValidationError) as error:
            response = known = respond(error, place(request.scope))
            status = response.status_code
        finally:
            await once.end(request, known)
            used = getattr(request.state, "jobbers_gate", None)
            if isinstance(used, Gate) and status is not None:
                await used.record(request, self, status)
        return _sendable(request, _finished(response))


def _asked(request: Request, caller: Caller | None) -> Hashable:
    """All that the answer to a read depends on."""
    return request.scope["path"], request.scope["query_string"], caller


async def _answer(handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Answer:
    return Answer.of(await handle(request))


class JsonRequest(Request):
    """A request whose body is bounded in size, time and depth, and is strict JSON: no NaN, no broken text."""

    _bytes: bytes | None = None

    async def body(self) -> bytes:
        """See Starlette. Raises :class:`ApiError`."""
        if self._bytes is None:
            limit = self.scope.get(MAX_BODY_KEY, MAX_BODY)
            declared = self.headers.get("content-length", "")
            if declared.isdecimal() and int(declared[:20]) > limit:
                raise _too_large(limit)
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    self._bytes = await self._read(limit)
            except TimeoutError:
                raise ApiError(
                    408, "body_too_slow", f"the body did not come within {BODY_SECONDS:g} s"
                ) from None
        return self._bytes

    async def _read(self, limit: int) -> bytes:
        chunks = bytearray()
        try:
            async for chunk in self.stream():
                chunks += chunk
                if len(chunks) > limit:
                    raise _too_large(limit)
        except ClientDisconnect:  # nobody reads the answer; it keeps a caller's trouble out of our log
            raise ApiError(400, "bad_request", "the connection ended within the body") from None
        return bytes(chunks)

    async def json(self) -> Any:
        """See Starlette. Raises :class:`ApiError`."""
        try:
            body = await self.body()
            value = from_json(body, allow_inf_nan=False)
            check_shape(value)
            if _MAY_OVERFLOW.search(body) and _overflows(value):
                raise ValueError("a number is too large")
        except PayloadTooLarge:
            raise _too_deep() from None
        except ValueError as error:
            if "recursion limit" in str(error):
                raise _too_deep() from None
            raise ApiError(400, "malformed_json", f"the body is not JSON: {error}") from None
        return value


def _summary(endpoint: Callable[..., Any]) -> str:
    """What the first clause of its documentation says, up to a comma if that is long."""
    said = re.split(r"[.:;](?:\s|$)", inspect.getdoc(endpoint) or "", maxsplit=1)[0].replace("\n", " ")
    return said if len(said) <= LONGEST_SUMMARY else said.partition(",")[0]


def _finished(response: Response) -> Response:
    """The same response with what every one carries."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _sendable(request: Request, response: Response) -> Response:
    """The response; without its body where only the head was asked for, with the length that the body would have."""
    if not request.scope.get(HEAD_KEY):
        return response
    head = Response(status_code=response.status_code)
    head.raw_headers = list(response.raw_headers)
    return head


def _require_json(request: Request) -> None:
    """Refuse what a form on somebody else's page could send without asking the browser's permission first, and what would
    have to be unpacked."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            415,
            "unsupported_media_type",
            "send the header 'Content-Type: application/json', also with an empty body",
        )
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ApiError(
            415, "unsupported_media_type", "send the body as it is: no Content-Encoding is undone here"
        )


def _overflows(value: Any) -> bool:
    """Whether a number of a JSON value has become infinite, as ``1e400`` does. Its depth has been checked."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_overflows, value.values()))
    return isinstance(value, list) and any(map(_overflows, value))


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have up to {limit:,} bytes")


def _too_deep() -> ApiError:
    return ApiError(
        422, "nested_too_deeply", f"the body is nested deeper than {MAX_DEPTH} levels: flatten it"
    )
