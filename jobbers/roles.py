"""Which role serves which queues: as the code says, as operators have changed it, and what workers make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from jobbers.core.names import check_name
from jobbers.core.roles import Role, RoleLike, make_role, read_role
from jobbers.errors import Conflict, NotFound
from jobbers.store.control import WorkerInfo
from jobbers.store.store import Store

SILENT_SECONDS = 10.0
"""A worker that has said nothing for longer does not count as one that serves."""
BUSY_MINUTES = 60


@dataclass(frozen=True, slots=True)
class RoleInfo:
    """A role as it stands. ``source`` says who defines it: ``live`` (an operator), ``code`` or ``nobody``; ``idle`` are
    queues in which nothing waits and nothing has ended for an hour, and to which no known task type sends."""

    name: str
    queues: Mapping[str, int]
    strict: bool
    source: str
    workers: Sequence[str]
    idle: Sequence[str]


@dataclass(frozen=True, slots=True)
class Unserved:
    """A queue that nobody serves although tasks wait there, or task types send there."""

    queue: str
    waiting: int
    has_types: bool


@dataclass(frozen=True, slots=True)
class RolesReport:
    """Who serves what."""

    roles: Sequence[RoleInfo]
    unserved: Sequence[Unserved]


class LiveRoles:
    """Reads and changes the roles of a namespace. ``defaults`` and ``type_queues`` are what the caller's own code says;
    what the code of workers says comes from the roll."""

    def __init__(self, store: Store, defaults: Mapping[str, Role], type_queues: Collection[str]) -> None:
        self._store = store
        self._defaults = defaults
        self._type_queues = type_queues

    async def report(self) -> RolesReport:
        """Who serves what, which queues nobody serves, and which queues of roles get no work."""
        view = await self._look()
        counted = await self._store.inspect.stats(BUSY_MINUTES)
        busy = {queue for numbers in counted.values() for queue, _, _ in numbers}
        worked = busy | view.needed
        roles = []
        for name in sorted({*view.roles, *(role for _, role in view.workers if role)}):
            role = view.roles.get(name)
            roles.append(
                RoleInfo(
                    name=name,
                    queues=dict(role.queues) if role else {},
                    strict=role.strict if role else False,
                    source="live" if name in view.changed else "code" if role else "nobody",
                    workers=[
                        worker.facts.get("name", worker.id) for worker, of in view.workers if of == name
                    ],
                    idle=[queue for queue in role.queues if queue not in worked] if role else [],
                )
            )
        served = view.served()
        unserved = [
            Unserved(queue, view.waiting.get(queue, 0), queue in view.type_queues)
            for queue in sorted(view.needed - served)
        ]
        return RolesReport(roles, unserved)

    async def set(self, name: str, queues: RoleLike, *, strict: bool = False, force: bool = False) -> Role:
        """Let a role have these queues from now on, whatever the code says: its workers follow within a second. Returns it.

        Raises :class:`Conflict` when a queue with waiting tasks or with task types would be left unserved, unless
        ``force``; then nothing is changed. Raises :class:`InvalidName`, :class:`InvalidInput`.
        """
        check_name(name, "the role")
        role = make_role(queues, strict=strict)
        await self._refuse_to_strand(name, role, force=force)
        await self._store.roles.put(name, role)
        return role

    async def reset(self, name: str, *, force: bool = False) -> Role | None:
        """Let the code say again which queues a role has. Returns what that is, as far as it is known here.

        Raises :class:`NotFound` for a role that was not changed, and like :meth:`set`.
        """
        check_name(name, "the role")
        if name not in await self._store.roles.all():
            raise NotFound(f"role {name} was not changed live: there is nothing to reset")
        view = await self._look()
        role = view.defaults.get(name)
        await self._refuse_to_strand(name, role, force=force, view=view)
        await self._store.roles.reset(name)
        return role

    async def _refuse_to_strand(
        self, name: str, role: Role | None, *, force: bool, view: _View | None = None
    ) -> None:
        if force:
            return
        view = view or await self._look()
        stranded = view.stranded(name, role.queues if role else ())
        if stranded:
            reasons = [
                f"{queue} ({waiting:,} waiting)" if (waiting := view.waiting.get(queue)) else queue
                for queue in stranded
            ]
            raise Conflict(
                f"nothing was changed: without role {name} nobody would serve {', '.join(reasons)}; let another role serve "
                "it first, or insist with --force (API: force=true)"
            )

    async def _look(self) -> _View:
        changed, workers, queues = await asyncio.gather(
            self._store.roles.all(), self._store.control.workers(), self._store.inspect.queues()
        )
        living = [
            (worker, worker.facts.get("role", ""))
            for worker in workers
            if worker.silent_seconds < SILENT_SECONDS and worker.facts.get("stopping") != "1"
        ]
        defaults = _told(living) | dict(self._defaults)
        types = {*self._type_queues, *(queue for it, _ in living for queue in _names(it, "type_queues"))}
        waiting = {queue.name: queue.depth for queue in queues if queue.depth}
        return _View(changed, defaults, living, types, waiting)


@dataclass(frozen=True, slots=True)
class _View:
    changed: Mapping[str, Role]
    defaults: Mapping[str, Role]
    workers: Sequence[tuple[WorkerInfo, str]]
    type_queues: set[str]
    waiting: Mapping[str, int]

    @property
    def roles(self) -> dict[str, Role]:
        return {**self.defaults, **self.changed}

    @property
    def needed(self) -> set[str]:
        """Queues that somebody ought to serve."""
        return {*self.type_queues, *self.waiting}

    def served(self, without: str | None = None) -> set[str]:
        """What the workers serve, or will in a moment: the workers of a role what the role has now. Those that were told to
        pause serve nothing."""
        return {
            queue
            for worker, role in self.workers
            if (role != without or not role) and worker.facts.get("paused") != "1"
            for queue in (self.roles[role].queues if role in self.roles else _names(worker, "queues"))
        }

    def stranded(self, name: str, queues: Collection[str]) -> list[str]:
        """The queues that would be left unserved if a role had only these. Where nobody works in that role, it is roles
        that count, not workers: then a plan is changed."""
        before = self.roles.get(name)
        others = self.served(without=name)
        if all(role != name for _, role in self.workers):
            others |= {queue for other, role in self.roles.items() if other != name for queue in role.queues}
        lost = set(before.queues if before else ()) - set(queues) - others
        return sorted(lost & self.needed)


def _names(worker: WorkerInfo, fact: str) -> list[str]:
    return [name for name in worker.facts.get(fact, "").split(",") if name]


def _told(workers: Sequence[tuple[WorkerInfo, str]]) -> dict[str, Role]:
    """What the code of workers says of their roles."""
    told = {
        name: read_role(worker.facts.get("role_default", "").encode()) for worker, name in workers if name
    }
    return {name: role for name, role in told.items() if role is not None}
