"""Follows what a worker's role is: by the channel that tells of changes, and by looking, in case a message was lost."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import logging
from collections.abc import Callable

from jobbers.app import Jobbers
from jobbers.core.roles import Role
from jobbers.errors import StoreError
from jobbers.store.store import Store

log = logging.getLogger("jobbers.worker")

LOOK_SECONDS = 0.75
NOTHING = Role({})
"""A role that nobody has defined: its workers wait until somebody does."""


class RoleWatch:
    """One loop: look what the role is, tell ``apply`` when it has become another, wait."""

    def __init__(self, app: Jobbers, store: Store, name: str) -> None:
        self._app = app
        self._store = store
        self._name = name
        self._rung = asyncio.Event()
        self.role = NOTHING

    def ring(self) -> None:
        """Look at once."""
        self._rung.set()

    async def first(self) -> Role:
        """What the role is at the start. Raises :class:`StoreError`."""
        self.role = await self._look(patience=None)
        await self._remark()
        return self.role

    async def run(self, apply: Callable[[Role], None]) -> None:
        """Follow the role until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._rung.wait()
            self._rung.clear()
            try:
                role = await self._look()
                if not role.same(self.role):
                    before, self.role = self.role, role
                    apply(role)
                    log.info(
                        "role %s has changed: from %s to %s",
                        self._name,
                        str(before) or "nothing",
                        str(role) or "nothing",
                    )
                    await self._remark()
            except StoreError:
                continue  # whoever claims says that the server is away

    async def _look(self, patience: float | None = 0) -> Role:
        changed = await self._store.roles.get(self._name, patience)
        return changed or self._app.roles.get(self._name, NOTHING)

    async def _remark(self) -> None:
        """Warn of what is probably a slip."""
        if not self.role.queues:
            known = sorted({*self._app.roles, *await self._store.roles.all()})
            log.warning(
                "there is no role %r (known: %s): this worker claims nothing until it is defined, in code or with "
                "'jobbers roles set %s QUEUE'",
                self._name,
                ", ".join(known) or "none",
                self._name,
            )
            return
        types = self._app.type_queues()
        unknown = [queue for queue in self.role.queues if queue not in types]
        if unknown:
            used = {lane.queue for lane in await self._store.inspect.lanes()}
            for queue in unknown:
                if queue not in used:
                    near = difflib.get_close_matches(queue, types | used, 1)
                    log.warning(
                        "role %s has queue %s, and there are no tasks for it: no task type of this app sends there, and "
                        "nothing was ever submitted to it%s",
                        self._name,
                        queue,
                        f"; is {near[0]} meant?" if near else "",
                    )
