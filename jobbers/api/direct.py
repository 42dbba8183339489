"""The calls that come by the thousand a second, answered without FastAPI's routing, dependencies and response models, which
take more time than all the rest of a submission.

Only a whole application has this (:func:`create_app`); it calls the same endpoints behind the same gate, and answers the
same, also what is wrong. The routes stay where they are: for the description, and for those who include the router.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from jobbers.api import once
from jobbers.api.deps import enter
from jobbers.api.gate import Gate
from jobbers.api.route import ApiRoute
from jobbers.api.routes import tasks
from jobbers.api.schemas import Batch, Submission

Endpoint = Callable[..., Coroutine[Any, Any, BaseModel]]


class Direct:
    """The submissions under ``prefix``, by method and path."""

    def __init__(self, gate: Gate, prefix: str) -> None:
        self.gate = gate
        self._calls = {
            (method, prefix + route.path): _Submit(gate, route, model, prefix)
            for endpoint, model in ((tasks.submit, Submission), (tasks.submit_batch, Batch))
            for route in _routes_of(endpoint)
            for method in route.methods or ()
        }

    def find(self, scope: Scope) -> _Submit | None:
        """What answers this request, if something here does."""
        if scope.get("root_path"):
            return None  # below another application; its paths are for the router
        return self._calls.get((scope["method"], scope["path"]))


class _Submit:
    """One endpoint that takes a body of this model, as ASGI."""

    def __init__(self, gate: Gate, route: ApiRoute, model: type[BaseModel], prefix: str) -> None:
        self._gate = gate
        self._route = route
        self.template = prefix + route.path
        self._endpoint: Endpoint = route.endpoint
        self._model = model
        self._status = route.status_code or 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        scope["route"] = self._route
        scope["endpoint"] = self._endpoint
        response = await self._route.answer(Request(scope, receive), self._handle, self._gate)
        await response(scope, receive, send)

    async def _handle(self, request: Request) -> Response:
        # JSON, then whether it may be, then what it says: the order in which FastAPI does it
        there = bool(await request.body())
        value = await request.json() if there else None
        caller = await enter(self._gate, request)
        sent = self._read(value, there=there)
        answer = Response(status_code=self._status, media_type="application/json")
        app, call = self._gate.app, once.call_of(request)
        made = await self._endpoint(app, await app.client(), caller, sent, answer, call)
        body = made.__pydantic_serializer__.to_json(made)
        return Response(body, answer.status_code, media_type="application/json")

    def _read(self, value: Any, *, there: bool) -> BaseModel:
        """The body, if there is one. Raises :class:`RequestValidationError` as FastAPI does."""
        if not there:
            raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
        try:
            return self._model.model_validate(value, from_attributes=True)
        except ValidationError as error:
            raise RequestValidationError(
                [_within_body(it) for it in error.errors(include_url=False)]
            ) from None


def _within_body(error: Any) -> dict[str, Any]:
    return {**error, "loc": ("body", *error["loc"])}


def _routes_of(endpoint: object) -> Sequence[ApiRoute]:
    return [it for it in tasks.router.routes if isinstance(it, ApiRoute) and it.endpoint is endpoint]
