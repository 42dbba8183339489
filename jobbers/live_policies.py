"""The options of task types as operators change them while workers run; as ``app.policies``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobbers.client import Client
from jobbers.core.live_policy import Live, check, written
from jobbers.core.names import check_name
from jobbers.core.policy import Policy
from jobbers.errors import ConfigError, InvalidInput, NotFound
from jobbers.task_type import TaskType

log = logging.getLogger("jobbers.policies")


@dataclass(frozen=True, slots=True)
class TypePolicy:
    """What the code says of a task type (``None``: this app has no such type), and what was set live before that."""

    type: str
    code: Policy | None
    live: Live


class LivePolicies:
    """Says what holds, and changes it. Workers and clients of all processes follow within seconds."""

    def __init__(
        self, client: Callable[[], Awaitable[Client]], types: Mapping[str, TaskType[Any, Any]]
    ) -> None:
        self._client = client
        self._types = types
        self._known: Mapping[str, Live] = {}

    async def list(self) -> Sequence[TypePolicy]:
        """All task types of this app, and those of others about which something was set, by name."""
        known = await (await self._client()).store.policies.look()
        return [self._of(kind, known) for kind in sorted({*self._types, *known})]

    async def get(self, kind: str) -> TypePolicy:
        """One of them. Raises :class:`NotFound`."""
        return self._of(self._check(kind), await (await self._client()).store.policies.look())

    async def set(self, kind: str, /, **options: Any) -> TypePolicy:
        """Let these options of a task type hold from now on, in the place of all that was set live before; those that are
        not named are as the code says.

        They are ``priority``, ``timeout``, ``heartbeat``, ``deadline``, ``slow_after`` (``None``: no limit),
        ``retention``, ``failed_retention``, and of its :class:`Retry` ``attempts``, ``backoff``, ``delay``, ``cap`` and
        ``jitter``, with the meaning that they have in ``@app.task``. Priority and deadline hold for what is submitted from
        then on without one of its own, the timeout for executions that begin, all others also for tasks that run.

        Raises :class:`InvalidInput`, and :class:`NotFound` for a type that an app with task types does not have.
        """
        code = self._of(self._check(kind), {}).code
        if not options:
            raise InvalidInput(f"say what to change about task type {kind!r}, or reset it")
        live = check(options) if code is None else check(options, code)
        store = (await self._client()).store.policies
        await store.put(kind, live)
        return self._of(kind, store.known)

    async def reset(self, kind: str) -> TypePolicy:
        """Let the code say everything again. Raises :class:`NotFound` when nothing was set live."""
        store = (await self._client()).store.policies
        if not await store.drop(check_name(kind, "the task type")):
            raise NotFound(f"nothing was set live about task type {kind!r}: there is nothing to reset")
        return self._of(kind, store.known)

    def follow(self, known: Mapping[str, Live]) -> None:
        """Operators have said this of task types, as one of the stores of this app has just read it."""
        if known == self._known:
            return
        before, self._known = self._known, known
        for kind in sorted({*before, *known}):
            live, task_type = known.get(kind, {}), self._types.get(kind)
            if task_type is not None and live != before.get(kind, {}):
                _apply(task_type, live)

    def entered(self, task_type: TaskType[Any, Any]) -> None:
        """A type was registered after the app had been opened."""
        if task_type.name in self._known:
            _apply(task_type, self._known[task_type.name])

    def _check(self, kind: str) -> str:
        """An app without types, as of a command that was given none, takes the name of any."""
        check_name(kind, "the task type")
        if self._types and kind not in self._types:
            known = ", ".join(sorted(self._types))
            raise NotFound(f"there is no task type {kind!r} in this app (it has: {known})")
        return kind

    def _of(self, kind: str, known: Mapping[str, Live]) -> TypePolicy:
        task_type = self._types.get(kind)
        return TypePolicy(kind, None if task_type is None else task_type.coded, known.get(kind, {}))


def _apply(task_type: TaskType[Any, Any], live: Live) -> None:
    try:
        task_type.follow(live)
    except (InvalidInput, ConfigError) as error:
        log.warning(
            "task type %s goes by its code: what was set live (%s) does not fit it: %s",
            task_type.name,
            written(live),
            error,
        )
        task_type.follow({})
    else:
        log.info("task type %s, as it was set live: %s", task_type.name, written(live) or "nothing")
