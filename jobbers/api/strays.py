"""What a call has that its route does not take is refused: a filter that is misspelt must not mean everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_origin

from fastapi import Request

from jobbers.api.callers import OPEN, declared
from jobbers.errors import InvalidInput

_NOTHING = frozenset({b"", b"{}", b"null"})


def check_query(request: Request, route: Any) -> None:
    """Raises :class:`InvalidInput` for parameters of the query that the route does not have, and for one that is there
    twice and is no list. Open routes take anything: probes and balancers add what they like."""
    given = request.query_params
    if not given or declared(route)[0] == OPEN:
        return
    known = {field.alias: field for field in _fields(route.dependant)}
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise InvalidInput(f"there is no parameter {name[:50]!r} in this query: {takes}", name)
        if len(given.getlist(name)) > 1 and get_origin(known[name].field_info.annotation) is not list:
            raise InvalidInput(f"{name} may stand in the query once: which one should count?", name)


def check_no_body(body: bytes) -> None:
    """Raises :class:`InvalidInput` for a body that says something, where none is taken."""
    if body.strip() not in _NOTHING:
        raise InvalidInput("this takes no body: what it says would be left undone")


def _fields(dependant: Any) -> Iterator[Any]:
    """The parameters of the query that a route and all that it depends on have."""
    yield from dependant.query_params
    for part in dependant.dependencies:
        yield from _fields(part)
