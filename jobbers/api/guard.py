"""What a whole application adds around the routes, as plain ASGI middleware."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobbers.api.direct import Direct
from jobbers.api.errors import HEADERS, place, respond, shape
from jobbers.api.route import MAX_BODY_KEY


class Guard:
    """Sets the limit of bodies and the headers of all responses, answers what nobody foresaw, and refuses foreign host
    names.

    ``hosts`` are the names (without ports) under which the server may be called; ``None`` allows any. A server that
    listens on loopback needs this: a page in a browser there can make its own host name point to loopback, and would
    then speak to us as if it were ours. What ``direct`` answers goes no further.
    """

    def __init__(self, app: ASGIApp, max_body: int, hosts: Collection[str] | None, direct: Direct) -> None:
        self._app = app
        self._direct = direct
        self._max_body = max_body
        self._hosts = None if hosts is None else {_bare(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        direct = self._direct.find(scope)
        traffic = self._direct.gate.traffic
        call = traffic.begin(scope, headers, direct.template if direct is not None else "")
        scope[MAX_BODY_KEY] = self._max_body

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.head(message["status"])
                added = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    added.setdefault(name, value)
            await send(message)

        try:
            answer: ASGIApp = self._refusal(headers) or direct or self._app
            await answer(scope, receive, protected)
        except Exception as error:
            if call.status:
                raise
            await respond(error, place(scope))(scope, receive, protected)
        finally:
            call.leave()

    def _refusal(self, headers: Headers) -> Response | None:
        """The answer to a request that is not for this server."""
        hosts = headers.getlist("host")
        if (
            len(hosts) > 1
        ):  # not every parser of uvicorn's refuses this, and a proxy may have read another one
            return shape(400, "bad_request", "a request has one Host header")
        if self._hosts is not None and host_name(hosts[0] if hosts else "") not in self._hosts:
            return shape(421, "wrong_host", "this server is not to be called by that host name")
        return None


def host_name(header: str) -> str:
    """The name in a ``Host`` header, without its port and, of an IPv6 address, without its brackets."""
    if header.startswith("["):
        return _bare(header.partition("]")[0])
    return _bare(header.partition(":")[0])


def _bare(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
