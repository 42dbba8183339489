"""Who calls, what they may do, and what each route needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobbers.api.errors import ApiError
from jobbers.core.access import KeyFacts, Scope
from jobbers.core.deeds import Deed
from jobbers.store.runs import RUNS_QUEUE

OPEN = "open"
"""What a route declares that anybody may call, also without a key."""
_SCOPE = "x-scope"
_BY_QUEUE = "x-by-queue"
_DEED = "x-deed"
_KNOWN = frozenset({OPEN, *Scope})


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known. ``scope`` ``None`` allows nothing; ``queues`` are all queues if ``None``; ``rate`` is in calls
    a second, and 0 is the default of the service. ``kind`` says how they are known: ``key``, ``token``, or your own word.
    """

    name: str
    scope: Scope | None
    queues: frozenset[str] | None = None
    kind: str = "own"
    rate: float = 0.0
    burst: int = 0

    @classmethod
    def of_key(cls, facts: KeyFacts) -> Caller:
        """The holder of a key."""
        queues = None if facts.queues is None else frozenset(facts.queues)
        return cls(facts.name, facts.scope, queues, "key", facts.rate, facts.burst)

    @property
    def who(self) -> str:
        """How they are called in the audit log."""
        return f"{self.kind}:{self.name}"

    def may_use(self, queues: Iterable[str]) -> bool:
        """Whether all these queues are theirs."""
        return self.queues is None or self.queues.issuperset(queues)

    def check_queues(self, queues: Iterable[str], where: str = "", parameter: str | None = None) -> None:
        """Raises :class:`ApiError` 403 unless all these queues are theirs; ``where`` begins the message."""
        if not self.may_use(queues):
            raise ApiError(403, "queue_forbidden", f"{where}{self._restriction()}", parameter)

    def chosen_queue(self, queue: str | None) -> str | None:
        """The queue to look at when they asked for this one or for all; of one who has a single queue, that one. Raises
        like :meth:`check_queues`."""
        if self.queues is not None and queue is None:
            if len(self.queues) > 1:
                raise ApiError(403, "queue_forbidden", f"say which queue: {self._restriction()}", "queue")
            (queue,) = self.queues
        if queue is not None:
            self.check_queues([queue], parameter="queue")
        if self.queues is not None and queue == RUNS_QUEUE:
            raise ApiError(
                403,
                "queue_forbidden",
                f"all runs are listed under {RUNS_QUEUE!r}, those of other queues, too: name your queue otherwise",
                "queue",
            )
        return queue

    def _restriction(self) -> str:
        return f"you are restricted to the queues {', '.join(sorted(self.queues or ()))}"


ANYONE = Caller("anyone", Scope.ADMIN, kind="open")
"""Who calls where nobody is asked."""


def needs(scope: str, *, by_queue: bool = False, deed: Deed | None = None) -> dict[str, Any]:
    """The ``openapi_extra=`` of a route: the scope that it needs, or ``open``. ``by_queue``: it checks itself that those
    who are restricted to queues touch no others; without it, they may not call it at all. ``deed``: what the audit log
    calls it, for writes that need ``operate`` or ``admin``."""
    if scope not in _KNOWN:
        raise ValueError(f"there is no scope {scope!r}")
    said: dict[str, Any] = {_SCOPE: str(scope), _BY_QUEUE: by_queue}
    return said if deed is None else said | {_DEED: deed}


def declared(route: Any) -> tuple[str | None, bool]:
    """What a route needs, and whether it checks queues; ``None`` if it does not say."""
    extra: Mapping[str, Any] = getattr(route, "openapi_extra", None) or {}
    scope = extra.get(_SCOPE)
    return (scope if scope in _KNOWN else None), extra.get(_BY_QUEUE) is True


def deed_of(route: Any) -> str:
    """What the audit log calls a call of this route."""
    extra: Mapping[str, Any] = getattr(route, "openapi_extra", None) or {}
    return str(extra.get(_DEED, ""))


def check_allowed(caller: Caller, route: Any) -> None:
    """Raises :class:`ApiError` 403 unless the caller may call this route. What a route does not allow is forbidden: one
    that says nothing is for those only who may do everything."""
    scope, by_queue = declared(route)
    needed = Scope.ADMIN if scope is None else Scope(scope)
    if caller.scope is None or not caller.scope.covers(needed):
        raise ApiError(
            403, "forbidden", f"this needs the scope {needed}, and you have {caller.scope or 'none'}"
        )
    if caller.queues is not None and not by_queue:
        # What knows nothing of queues would show or change those of others, too.
        raise ApiError(403, "queue_forbidden", "this is about all queues, and you are restricted to some")
