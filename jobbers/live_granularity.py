"""How much telemetry task types make: what operators say while workers run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobbers.core.granularity import Overrides, idle, overridden, parse_overrides, written
from jobbers.errors import InvalidInput, NotFound
from jobbers.store.granularity import GranularityStore
from jobbers.task_type import TaskType

LONGEST = 10_000
"""Characters of all patterns together."""


@dataclass(frozen=True, slots=True)
class GranularityReport:
    """The live patterns as text; what holds for each type that this app knows; and patterns that fit none of these."""

    rules: str
    types: Mapping[str, str]
    idle: Sequence[str]


class LiveGranularity:
    """Says what holds, and changes it; for one event loop."""

    def __init__(self, store: GranularityStore, types: Mapping[str, TaskType[Any, Any]]) -> None:
        self._store = store
        self._types = types

    async def report(self) -> GranularityReport:
        """What holds now."""
        return self._report(await self._store.get())

    async def set(self, text: str) -> GranularityReport:
        """Let these patterns hold from now on, in the place of those that were set live before; workers and clients follow
        within a second. ``text`` is like the setting ``telemetry_types``: ``mail.*=always, import*=0.01``.

        Raises :class:`InvalidInput`.
        """
        if len(text) > LONGEST:
            raise InvalidInput(
                f"the patterns have {len(text):,} characters, and {LONGEST:,} at most are taken: join some with *"
            )
        rules = parse_overrides(text)
        if not rules:
            raise InvalidInput("there is no pattern: give some, like 'mail.*=always', or reset what was set")
        await self._store.put(rules)
        return self._report(rules)

    async def reset(self) -> GranularityReport:
        """Let settings and code say it again. Raises :class:`NotFound` when nothing was set live."""
        if not await self._store.get():
            raise NotFound("no granularity of telemetry was set live: there is nothing to reset")
        await self._store.reset()
        return self._report(())

    def _report(self, rules: Overrides) -> GranularityReport:
        types = {
            name: str(overridden(rules, name) or task_type.policy.telemetry)
            for name, task_type in sorted(self._types.items())
        }
        return GranularityReport(written(rules), types, idle(rules, types) if types else [])
