"""What callers send and get to see of keys, logins and the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from jobbers.api.callers import Caller
from jobbers.api.schemas import HUNDRED_YEARS, Sent
from jobbers.api.task_views import View
from jobbers.api.windows import Next
from jobbers.core.access import MOST_QUEUES, KeyFacts
from jobbers.store.access import AuditEntry

_Scope = Literal["read", "submit", "operate", "admin"]


class KeyRequest(Sent):
    """A key to make."""

    name: str = Field(max_length=200, examples=["mailer"])
    scope: _Scope = Field(description="Each scope includes those before it.")
    queues: Annotated[list[str], Field(min_length=1, max_length=MOST_QUEUES)] | None = Field(
        None, description="Restrict it to these queues."
    )
    expires: Annotated[float, Field(gt=0, le=HUNDRED_YEARS, allow_inf_nan=False)] | None = Field(
        None, description="In how many seconds it ends."
    )
    rate: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = Field(
        0, description="How many calls a second it may make; 0 is the default of the service."
    )
    burst: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        0, description="How many calls it may make at once; 0 is as many as in a second."
    )


class KeyView(View):
    """A key, without what makes it one."""

    name: str
    scope: _Scope
    queues: list[str] | None = Field(description="`null`: all.")
    created: datetime
    expires: datetime | None
    expired: bool
    rate: float
    burst: int

    @classmethod
    def of(cls, facts: KeyFacts, now: int) -> Self:
        """Show a key, at ``now`` ms of the server's clock."""
        return cls(
            name=facts.name,
            scope=facts.scope.value,
            queues=None if facts.queues is None else list(facts.queues),
            created=_time(facts.created),
            expires=None if facts.expires is None else _time(facts.expires),
            expired=facts.ended(now),
            rate=facts.rate,
            burst=facts.burst,
        )


class KeyMade(KeyView):
    """A key that was just made."""

    key: str = Field(description="The key itself. It is shown this once.")


class KeyList(View):
    """The keys, by name."""

    keys: list[KeyView]
    cursor: Next = None


class KeyRevoked(View):
    """A key that opens nothing any more."""

    name: str


class Login(Sent):
    """What the page logs in with."""

    key: str = Field(max_length=500, repr=False)


class CallerView(View):
    """Who calls, and what they may do."""

    name: str
    kind: str = Field(description="`key`, `token`, or `open` where nobody is asked.")
    scope: _Scope | None
    queues: list[str] | None = Field(description="`null`: all.")

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Show a caller."""
        return cls(
            name=caller.name,
            kind=caller.kind,
            scope=None if caller.scope is None else caller.scope.value,
            queues=None if caller.queues is None else sorted(caller.queues),
        )


class LoggedOut(View):
    """The session has ended."""

    done: bool = True


class AuditEntryView(View):
    """What somebody did."""

    id: str
    at: datetime
    who: str = Field(examples=["key:mailer"])
    action: str = Field(examples=["queues.pause"])
    target: str
    via: str = Field(description="`api` or `cli`.")
    source: str = Field(description="From where: an address, or a machine's name.")
    status: str = Field(description="How it was answered; empty for the command line.")

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Show an entry."""
        words = {name: entry.fields.get(name, "") for name in ("who", "action", "target", "via", "status")}
        return cls(id=entry.id, at=_time(entry.at_ms), source=entry.fields.get("from", ""), **words)


class AuditView(View):
    """A page of the audit log, the newest first."""

    entries: list[AuditEntryView]
    cursor: str | None = Field(description="Leads to the next page; `null` when that was all.")


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
