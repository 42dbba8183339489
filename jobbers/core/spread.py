"""Over which queues the tasks of one type are spread, and which of them one task goes to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

from jobbers.core.names import check_name
from jobbers.core.payload import Ref, pack
from jobbers.errors import InvalidInput


@runtime_checkable
class Spread(Protocol):
    """Chooses one of its ``queues``. One of your own needs no more than this."""

    queues: Sequence[str]

    def choose(self, arguments: Mapping[str, Any], turn: int, chance: float) -> str:
        """The queue of a task with these arguments, by parameter. ``turn`` counts the submissions of its type in this
        process, ``chance`` is a random number from 0 to 1."""
        ...


class RoundRobin:
    """Each queue in its turn: ``RoundRobin(["a", "b"])``."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = _checked(queues)

    def choose(self, arguments: Mapping[str, Any], turn: int, chance: float) -> str:  # noqa: ARG002
        """See :class:`Spread`."""
        return self.queues[turn % len(self.queues)]


class Random:
    """By chance: ``Random(["a", "b"], weights=[3, 1])`` gives ``a`` three of four."""

    def __init__(self, queues: Sequence[str], weights: Sequence[float] | None = None) -> None:
        self.queues = _checked(queues)
        given = [1.0] * len(self.queues) if weights is None else list(weights)
        if len(given) != len(self.queues) or any(not 0 < weight < float("inf") for weight in given):
            raise InvalidInput(
                f"Random needs a weight above 0 for each of its {len(self.queues)} queues, got {weights!r}"
            )
        self._bounds = [bound / sum(given) for bound in accumulate(given)]

    def choose(self, arguments: Mapping[str, Any], turn: int, chance: float) -> str:  # noqa: ARG002
        """See :class:`Spread`."""
        place = next((number for number, bound in enumerate(self._bounds) if chance < bound), -1)
        return self.queues[place]


class HashBy:
    """The same value always to the same queue: ``HashBy("user_id", ["a", "b"])``, or a function of all arguments by name.

    By rendezvous hashing (D. Thaler and C. Ravishankar, *Using Name-Based Mappings to Increase Hit Rates*, 1998): of n
    values, a queue that is added takes about n divided by the number of queues, and no other value moves.
    """

    def __init__(self, key: str | Callable[[Mapping[str, Any]], Any], queues: Sequence[str]) -> None:
        self.key = key
        self.queues = _checked(queues)

    def choose(self, arguments: Mapping[str, Any], turn: int, chance: float) -> str:  # noqa: ARG002
        """See :class:`Spread`. Raises :class:`InvalidInput` when there is no such parameter, or its value cannot travel."""
        if isinstance(self.key, str):
            if self.key not in arguments:
                raise InvalidInput(
                    f"HashBy({self.key!r}): there is no such argument (there are: {', '.join(arguments)})"
                )
            value = arguments[self.key]
            if isinstance(value, Ref):
                raise InvalidInput(
                    f"HashBy({self.key!r}): argument {self.key!r} is the result of another task, which nobody knows when "
                    "the queue is chosen: spread by another one, or send the node to a queue with on(…)"
                )
        else:
            value = self.key(arguments)
        data = pack(value)
        return max(
            self.queues, key=lambda queue: hashlib.blake2b(data, key=_hash_key(queue), digest_size=8).digest()
        )


def _hash_key(queue: str) -> bytes:
    return hashlib.blake2b(queue.encode(), digest_size=16).digest()


def _checked(queues: Sequence[str]) -> list[str]:
    if isinstance(queues, str) or not queues:
        raise InvalidInput(f"a list of one queue or more is needed, got {queues!r}")
    checked = [check_name(queue, "the queue") for queue in queues]
    if len(set(checked)) != len(checked):
        raise InvalidInput(f"each queue may stand there once, got {queues!r}")
    return checked
