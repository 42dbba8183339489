"""A role: which queues a worker serves, how often it visits each, and whether their order is strict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from jobbers.core.names import check_name
from jobbers.errors import InvalidInput, InvalidName

MAX_QUEUES = 100
MAX_WEIGHT = 100


@dataclass(frozen=True)
class Role:
    """Queues with their weights: of the claims, a queue gets the first choice in proportion to its weight. With
    ``strict`` a queue is visited only when those before it gave nothing; weights have no meaning then."""

    queues: Mapping[str, int]
    strict: bool = False

    def stored(self) -> str:
        """As :func:`read_role` reads it. The order of the queues matters, and stays."""
        return json.dumps({"queues": list(self.queues.items()), "strict": self.strict})

    def of(self, queues: Sequence[str]) -> Role:
        """The same with only these of its queues."""
        return Role({queue: self.queues[queue] for queue in queues}, self.strict)

    def same(self, other: Role | None) -> bool:
        """Whether both mean the same; the order of the queues counts."""
        return other is not None and self.stored() == other.stored()

    def __str__(self) -> str:
        if self.strict:
            return " > ".join(self.queues)
        weighted = len(set(self.queues.values())) > 1
        return ", ".join(f"{name}={weight}" if weighted else name for name, weight in self.queues.items())


RoleLike: TypeAlias = Role | Mapping[str, int] | Sequence[str]
"""How roles are written in code: a list of queues, queues with weights, or a :class:`Role`."""


def make_role(queues: RoleLike, *, strict: bool = False) -> Role:
    """A role that makes sense. Raises :class:`InvalidName`, :class:`InvalidInput`."""
    if isinstance(queues, Role):
        return make_role(queues.queues, strict=queues.strict or strict)
    if isinstance(queues, str):
        raise InvalidInput(f"the queues of a role are a list, not one text: write [{queues!r}]")
    if not isinstance(queues, Mapping) and len(set(queues)) < len(queues):
        raise InvalidInput(f"a role names a queue once: got {', '.join(queues)}")
    weights = dict(queues) if isinstance(queues, Mapping) else dict.fromkeys(queues, 1)
    if not 1 <= len(weights) <= MAX_QUEUES:
        raise InvalidInput(f"a role has 1 to {MAX_QUEUES} queues, got {len(weights)}")
    for queue, weight in weights.items():
        check_name(queue, "the queue")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= MAX_WEIGHT:
            raise InvalidInput(
                f"the weight of queue {queue} must be a whole number from 1 to {MAX_WEIGHT}, got {str(weight)[:30]!r}"
            )
    return Role(weights, strict)


def read_role(text: bytes) -> Role | None:
    """What :meth:`Role.stored` wrote; ``None`` for what makes no sense."""
    try:
        found: Any = json.loads(text)
        return make_role(dict(found["queues"]), strict=bool(found["strict"]))
    except (ValueError, KeyError, TypeError, RecursionError, InvalidName):
        return None
