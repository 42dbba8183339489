"""Pages of lists that are read as a whole and sorted by a name: queues, workers, limits and the like."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import Field

from jobbers.api.errors import ApiError
from jobbers.inspector import MAX_PAGE

T = TypeVar("T")
Next = Annotated[
    str | None, Field(description="Leads to the next page; `null` when that was all.", examples=["nbWFpbA"])
]
"""The field of a list that has pages."""


class Window:
    """Which part of a list is wanted: so many entries behind the last one of the page before.

    The cursor says by its name which entry that was, and not how many there were before: what comes or goes meanwhile moves
    nothing else from page to page.
    """

    def __init__(self, cursor: str | None = None, limit: int = MAX_PAGE) -> None:
        self.after = None if cursor is None else decoded(cursor)
        self.limit = limit

    def of(self, entries: Iterable[T], name: Callable[[T], str]) -> tuple[list[T], str | None]:
        """This part of the entries by name, and the cursor of the next one."""
        after = self.after
        rest = sorted((it for it in entries if after is None or name(it) > after), key=name)
        part = rest[: self.limit]
        return part, encoded(name(part[-1])) if len(rest) > self.limit else None


async def wanted(
    cursor: Annotated[
        str | None,
        Query(
            pattern=r"^n[A-Za-z0-9_-]{0,2000}$",
            description="The cursor of the page before; opaque.",
            examples=["nbWFpbA"],
        ),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=MAX_PAGE, description="How many entries a page may have.")
    ] = MAX_PAGE,
) -> Window:
    """The window that a request asks for. (Async, as all dependencies are: others FastAPI hands to a thread.)"""
    return Window(cursor, limit)


def encoded(name: str) -> str:
    """The cursor that leads behind this name."""
    raw = base64.urlsafe_b64encode(name.encode(errors="replace"))
    return f"n{raw.decode().rstrip('=')}"


def decoded(cursor: str) -> str:
    """The name in a cursor. Raises :class:`ApiError` 422 for one that no page gave."""
    raw = cursor[1:] + "=" * (-len(cursor[1:]) % 4)
    try:
        return base64.urlsafe_b64decode(raw).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ApiError(422, "invalid_input", "cursor: it is not one of this list", "cursor") from None
