"""The doctor: what it finds, and what it puts right."""

from __future__ import annotations

from typing import Self
from weakref import WeakSet

from pydantic import Field

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import ApiError, documented
from jobbers.api.route import Part
from jobbers.api.task_views import View
from jobbers.app import Jobbers
from jobbers.core.access import Scope
from jobbers.doctor import Check, Level, examine, is_well

LONGEST_SECONDS = 20.0
"""How long records are looked at for one call: less than clients and proxies wait for an answer."""

router = Part(prefix="/doctor", tags=["system"])
_at_work: WeakSet[Jobbers] = WeakSet()


class CheckView(View):
    """What was looked at and found."""

    level: Level = Field(description="How bad it is.")
    name: str = Field(examples=["records"])
    found: str
    remedy: str = Field(description="The way out; empty where none is needed.")


class Examined(View):
    """All that was looked at."""

    ok: bool = Field(description="Nothing FAILs.")
    checks: list[CheckView]

    @classmethod
    def of(cls, checks: list[Check]) -> Self:
        """The view of what was found."""
        return cls(ok=is_well(checks), checks=[CheckView.model_validate(it) for it in checks])


@router.get("", response_model=Examined, responses=documented(409), openapi_extra=needs(Scope.ADMIN))
async def look(app: deps.TheApp) -> Examined:
    """Look at the server and the stored data, and say what to do about what is wrong, as `jobbers doctor` does.

    Looks at every record, in steps, for 20 seconds at most; what was not looked at is then said under `records`. One call
    at a time: 409 until it is done.
    """
    return await _examined(app, repair=False)


@router.post(
    "/repair",
    response_model=Examined,
    responses=documented(409, 415, 422),
    openapi_extra=needs(Scope.ADMIN, deed="doctor.repair"),
)
async def repair(app: deps.TheApp) -> Examined:
    """Put stored data right where it is wrong, and say what that was; otherwise as `GET /doctor`. Where 20 seconds are not
    enough, what was put right stays so."""
    return await _examined(app, repair=True)


async def _examined(app: Jobbers, *, repair: bool) -> Examined:
    if app in _at_work:
        raise ApiError(409, "conflict", "the doctor is at work for another call: ask again when that is done")
    _at_work.add(app)
    try:
        inspector = await app.inspector()
        checks = await examine(inspector, app.settings.durability, repair=repair, seconds=LONGEST_SECONDS)
    finally:
        _at_work.discard(app)
    return Examined.of(checks)
