"""Which queues share which slots, so that no claimed task waits inside a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobbers.app import Jobbers
from jobbers.core.policy import Execution
from jobbers.core.roles import Role
from jobbers.worker.slots import Slots


class Intake(NamedTuple):
    """Slots, and the queues that fill them: ``None`` are all that no other intake names."""

    queues: frozenset[str] | None
    slots: Slots

    def part(self, role: Role, others: Sequence[Intake]) -> Role:
        """The queues of a role that fill these slots."""
        if self.queues is not None:
            return role.of([queue for queue in role.queues if queue in self.queues])
        named = frozenset[str]().union(*(other.queues for other in others if other.queues is not None))
        return role.of([queue for queue in role.queues if queue not in named])


def intakes(app: Jobbers, concurrency: int, processes: int, most: int) -> list[Intake]:
    """The first one is for all queues but for those whose tasks run in processes, which are claimed by the number of
    processes, and for the queues of types that are limited per worker, each of which is claimed by that limit. ``most`` is
    what the worker's concurrency may become."""
    heavy: set[str] = set()
    narrow: dict[str, int] = {}
    for task_type in app.task_types.values():
        policy = task_type.policy
        if policy.execution is Execution.PROCESS:
            heavy.update(policy.queues)
        if policy.per_worker is not None:
            narrow |= {queue: min(policy.per_worker, narrow.get(queue, most)) for queue in policy.queues}
    found = [Intake(None, Slots(concurrency))]
    if heavy - narrow.keys():
        found.append(Intake(frozenset(heavy - narrow.keys()), Slots(min(processes, most))))
    for queue, bound in sorted(narrow.items()):
        found.append(Intake(frozenset([queue]), Slots(min(bound, processes) if queue in heavy else bound)))
    return found
