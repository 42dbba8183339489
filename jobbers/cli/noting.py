"""Writes into the audit log what commands do, and by whom."""

from __future__ import annotations

import os
import pwd
import socket

from jobbers.app import Jobbers
from jobbers.core.deeds import Deed
from jobbers.keyring import Access


async def note(app: Jobbers, deed: Deed, target: str, *, failed: bool = False) -> None:
    """Write an entry. It is best effort, like all that people say of
    themselves: who reaches the server without these commands leaves no trace here."""
    access = Access((await app.client()).store)
    source = {"from": socket.gethostname(), "via": "cli", "status": "failed" if failed else ""}
    most = app.settings.audit_entries
    await access.note(_user(), deed, target, most=most, patience=0 if failed else None, **source)


def _user() -> str:
    number = os.geteuid()
    try:
        return f"user:{pwd.getpwuid(number).pw_name}"
    except KeyError:  # as in containers
        return f"user:{number}"
