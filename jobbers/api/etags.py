"""Answers that did not change are not sent again: ``ETag`` and ``If-None-Match`` for every GET that answers with JSON.

What is saved is the way to the caller: the answer is made as ever, and its tag is made of its bytes. So a tag cannot be out
of date, and it is the same from every process that serves the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from fastapi import Request, Response

MOST_TAGGED = 1024 * 1024
"""Longer answers, in bytes, are results; they are fetched once, and not hashed."""
_DIGEST_BYTES = 12
_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an answer that you have: if it would be the same, the answer is 304, without a body.",
    "schema": {"type": "string"},
    "example": 'W/"5f1c7ad0b0e84f4c9c1d2e3f"',
}
_HEADER = {
    "description": "Stands for the bytes of this answer.",
    "schema": {"type": "string"},
    "example": _PARAMETER["example"],
}


def is_tagged(methods: Collection[str] | None, response_model: Any) -> bool:
    """Whether the answers of a route get tags: those of GET that are one JSON document, and no stream."""
    return "GET" in (methods or ()) and isinstance(response_model, type)


def describe(responses: dict[int | str, dict[str, Any]], extra: dict[str, Any]) -> None:
    """Add to ``responses=`` and ``openapi_extra=`` of a route what the description says of tags."""
    responses.setdefault(
        304, {"description": "As you have it: see `If-None-Match`.", "headers": {"ETag": _HEADER}}
    )
    responses[200] = {**responses.get(200, {}), "headers": {"ETag": _HEADER}}
    known = extra.get("parameters", [])
    extra["parameters"] = known if _PARAMETER in known else [*known, _PARAMETER]


def conditional(request: Request, response: Response) -> Response:
    """The same response with a tag; or one without a body, if the caller has what it says."""
    body = getattr(response, "body", None)
    if response.status_code != 200 or not isinstance(body, bytes) or len(body) > MOST_TAGGED:
        return response
    tag = f'"{hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()}"'
    # Weak: whoever compresses the answer on its way changes its bytes, and not what it says.
    response.headers["ETag"] = f"W/{tag}"
    if not _matches(request.headers.getlist("if-none-match"), tag):
        return response
    return Response(status_code=304, headers={"ETag": f"W/{tag}"})


def _matches(headers: Collection[str], tag: str) -> bool:
    """Whether a tag is among those of the headers, compared weakly; ours have no commas in them."""
    words = [word.strip() for header in headers for word in header.split(",")]
    return "*" in words or tag in [word.removeprefix("W/") for word in words]
