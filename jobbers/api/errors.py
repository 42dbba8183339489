"""One shape for every error: ``{"error": {"code", "message", "parameter"}}``. One table from codes to HTTP statuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from jobbers.errors import InvalidInput, JobbersError
from jobbers.keyring import without_keys

log = logging.getLogger("jobbers.api")

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""What every response carries."""

LONGEST_PARAMETER = 200


class Answer(NamedTuple):
    """How an error leaves. ``message`` stands in for the error's own words where those tell about the inside."""

    status: int
    message: str | None = None
    retry_after: int | None = None


ANSWERS: dict[str, Answer] = {
    "invalid_input": Answer(422),
    "invalid_name": Answer(422),
    "invalid_id": Answer(422),
    "invalid_argument": Answer(422),
    "payload_too_large": Answer(413),
    "unknown_task_type": Answer(422),
    "not_found": Answer(404),
    "conflict": Answer(409),
    "limit_reached": Answer(409),
    "queue_draining": Answer(409),
    "queue_full": Answer(429, retry_after=1),
    "struck": Answer(409),
    "task_failed": Answer(409),
    "task_cancelled": Answer(409),
    "task_skipped": Answer(409),
    "wait_timeout": Answer(504),
    "out_of_memory": Answer(507, "the task server is at its memory limit"),
    "unknown_outcome": Answer(503, "no answer came from the task server: this may or may not have been done"),
    "server_unavailable": Answer(503, "the task server cannot be reached", 1),
    "embedded_unavailable": Answer(503, "the task server cannot be started", 1),
    "store_error": Answer(502, "the task server answered with an error; the log of this service says which"),
    "bad_config": Answer(500, "this service is set up wrongly; its log says how"),
    "jobbers_error": Answer(500, "an internal error; the log of this service has more"),
}

_INTERNAL = Answer(500, "an internal error; the log of this service has more")
_HTTP = {
    400: ("bad_request", "this is not a request that can be read"),
    404: ("not_found", "there is nothing at this path"),
    405: ("method_not_allowed", "this path does not take that method"),
    413: ("body_too_large", "the body is too large"),
}


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable: made for programs.", examples=["invalid_argument"])
    message: str = Field(
        description="Made for people; may change.",
        examples=["argument 'amount' of task 'charge': a str is not a int"],
    )
    parameter: str | None = Field(
        description="What the error is about: a field of the body such as `tasks[3].queue`, a parameter of the query or "
        "path, or, with the code `invalid_argument`, an argument of the task (`args[0]` where only its place is known).",
        examples=["amount"],
    )


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class ApiError(HTTPException):
    """An error that only the API knows."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        parameter: str | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.parameter = parameter


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route that can end with these errors. A body that may be too large may come too slowly."""
    late = (408,) if 413 in statuses else ()
    return {
        status: {"model": ErrorBody, "description": _DESCRIPTIONS[status]} for status in (*statuses, *late)
    }


_DESCRIPTIONS = {
    400: "The body is not JSON: `malformed_json`.",
    401: "No valid key: `unauthorized`.",
    403: "The key may not do this: `forbidden`, `queue_forbidden`, `cross_site`, `local_only`.",
    404: "There is nothing of this name or id: `not_found`.",
    408: "The body came too slowly: `body_too_slow`.",
    409: "What there is does not allow it: `conflict`, `limit_reached`, `struck`, `queue_draining`, "
    "`task_failed`, `task_cancelled`, `task_skipped`; or it is a repeated call: `in_progress`, `answer_not_kept`.",
    410: "The task succeeded, and its result is gone: `result_expired`, `undecodable_result`.",
    413: "Too large: `body_too_large`, `payload_too_large`.",
    415: "The body must be `application/json`: `unsupported_media_type`.",
    422: "Understood and refused: `invalid_input`, `invalid_name`, `invalid_id`, `invalid_argument`, "
    "`unknown_task_type`, `nested_too_deeply`, `idempotency_key_reused`.",
    429: "Too many calls, or tasks: `rate_limited`, `too_many_failures`, `queue_full`; see `Retry-After`.",
    500: "`internal_error`, `bad_config`: the log of the service says more.",
    502: "The task server answered with an error: `store_error`.",
    503: "The task server cannot be reached: `server_unavailable`, `unknown_outcome`, `not_ready`; or this service is "
    "full: `too_many_streams`.",
    507: "The task server is at its memory limit: `out_of_memory`.",
}


def place(scope: Mapping[str, Any]) -> str:
    """Method and path of a request, for the log: a path may hold line ends and what moves a terminal's cursor."""
    return f"{quote(scope['method'][:20])} {without_keys(quote(scope['path'][:300]))}"


def respond(error: Exception, where: str = "") -> JSONResponse:
    """The response that tells of an error. ``where`` (the request's method and path) goes into the log."""
    match error:
        case JobbersError():
            return _of_jobbers(error, where)
        case RequestValidationError():
            return _of_validation(error.errors())
        case ApiError():
            headers = dict(error.headers or {})
            return shape(error.status_code, error.code, error.detail, error.parameter, headers)
        case HTTPException():
            code, message = _HTTP.get(error.status_code, (f"http_{error.status_code}", error.detail))
            return shape(error.status_code, code, message, None, dict(error.headers or {}))
        case _:
            log.error("%s failed: %r", where or "a request", error, exc_info=error)
            return shape(500, "internal_error", str(_INTERNAL.message))


@contextmanager
def about(parameter: str) -> Iterator[None]:
    """What is refused within, and does not say of what, is said of this field."""
    try:
        yield
    except InvalidInput as error:
        if error.parameter is None:
            error.parameter = parameter
        raise


@contextmanager
def within(field: str) -> Iterator[None]:
    """What is refused within of one thing is said of this field's: of ``field.that``."""
    try:
        yield
    except (InvalidInput, ApiError) as error:
        if error.parameter is not None:
            error.parameter = f"{field}.{error.parameter}"
        raise


def shape(
    status: int,
    code: str,
    message: str,
    parameter: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A response of the one shape."""
    body = ErrorBody(error=ErrorDetail(code=code, message=message, parameter=parameter))
    return JSONResponse(body.model_dump(), status, headers={**HEADERS, **(headers or {})})


def _of_jobbers(error: JobbersError, where: str) -> JSONResponse:
    answer = ANSWERS.get(error.code, _INTERNAL)
    if answer.status >= 500:
        log.error("%s: %s: %s", where or "a request", error.code, error)
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    parameter = error.parameter if isinstance(error, InvalidInput) else None
    return shape(answer.status, error.code, answer.message or str(error), parameter, headers)


def _of_validation(errors: Sequence[Any]) -> JSONResponse:
    """The first error of many. One that our own rules raised keeps its code and its words."""
    first = errors[0]
    parameter = path_of(first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, JobbersError):
        inner = cause.parameter if isinstance(cause, InvalidInput) else None
        return shape(422, cause.code, str(cause), ".".join(it for it in (parameter, inner) if it) or None)
    message = str(cause) if isinstance(cause, ValueError) else first["msg"]
    if parameter is None and first["type"] == "missing":
        message = "a body is missing: a JSON object is needed"
    return shape(422, "invalid_input", message if parameter is None else f"{parameter}: {message}", parameter)


def path_of(location: Sequence[str | int]) -> str | None:
    """Where an error lies, as in ``tasks[3].queue``; ``None`` for the body as a whole."""
    path = ""
    for part in location[1:]:  # the first says: body, query or path
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path[:LONGEST_PARAMETER] or None
