"""Roles: who serves what, and live changes of that."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator

from jobbers.api import deps
from jobbers.api.callers import needs
from jobbers.api.errors import about, documented
from jobbers.api.role_views import RoleList, RoleView, RoleWanted, RoleWritten, UnservedView
from jobbers.api.route import Part
from jobbers.core.access import Scope
from jobbers.core.names import check_name

router = Part(prefix="/roles", tags=["roles"])


def _name(value: str) -> str:
    return check_name(value, "the role")


RoleName = Annotated[str, AfterValidator(_name), Path(description="Name of a role.", examples=["mail"])]
Force = Annotated[bool, Query(description="Also when that leaves a queue with work unserved.")]


@router.get("", response_model=RoleList, responses=documented(422), openapi_extra=needs(Scope.READ))
async def roles(app: deps.TheApp, window: deps.TheWindow) -> RoleList:
    """All roles with their queues and workers, and, on the first page, the queues that nobody serves although they have
    work."""
    report = await (await app.live_roles()).report()
    found, cursor = window.of(report.roles, lambda role: role.name)
    unserved = report.unserved if window.after is None else ()
    return RoleList(
        roles=[RoleView.model_validate(role) for role in found],
        unserved=[UnservedView.model_validate(queue) for queue in unserved],
        cursor=cursor,
    )


@router.put(
    "/{role}",
    response_model=RoleWritten,
    responses=documented(400, 409, 413, 415, 422),
    openapi_extra=needs(Scope.OPERATE, deed="roles.set"),
)
async def set_role(app: deps.TheApp, role: RoleName, body: RoleWanted) -> RoleWritten:
    """Give a role these queues from now on: its workers follow within a second, and what they run goes on.

    Refused with `conflict` when a queue with work would be left unserved, unless `force` is true.
    """
    with about("queues"):
        made = await (await app.live_roles()).set(role, body.queues, strict=body.strict, force=body.force)
    return RoleWritten(name=role, queues=dict(made.queues), strict=made.strict)


@router.delete(
    "/{role}",
    response_model=RoleWritten,
    responses=documented(404, 409, 422),
    openapi_extra=needs(Scope.OPERATE, deed="roles.reset"),
)
async def reset_role(app: deps.TheApp, role: RoleName, force: Force = False) -> RoleWritten:
    """Let the code say again which queues a role has. Refused like the change itself."""
    made = await (await app.live_roles()).reset(role, force=force)
    return RoleWritten(
        name=role, queues=dict(made.queues) if made else None, strict=made.strict if made else None
    )
