"""What was submitted while a harness listened, in order."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from jobbers.app import Jobbers
from jobbers.core.lanes import parse_lane
from jobbers.core.payload import Envelope, pack_envelope, unpack_envelope
from jobbers.store.wire import Argument
from jobbers.task_type import TaskType

_HEAD = 8  # arguments of submit.lua before the pairs of id and envelope
_COLLAPSE_HEAD = 7  # arguments of collapse.lua before the triples of id, key and envelope


@dataclass(frozen=True, slots=True)
class Submitted:
    """One accepted submission. ``delay`` is in seconds; ``unique`` is the unique key, or empty."""

    id: str
    type: str
    queue: str
    priority: int
    delay: float
    unique: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        given = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"{self.type}({', '.join(given)})"


class Submissions:
    """Collects submissions as the scripts get them."""

    def __init__(self, app: Jobbers) -> None:
        self._app = app
        self._all: dict[str, Submitted] = {}
        self._joined: set[str] = set()

    def heard(self, script: str, arguments: Sequence[Argument], reply: Any) -> None:
        """A script ran: note what it created. A repeated call, or a task whose unique key another holds, is none."""
        if script == "collapse":
            self._collapsed(arguments, reply)
        if script != "submit":
            return
        refused = {bytes(item).decode() for item in reply[::2]}
        lane, kind, delay_ms, _, _, unique = map(str, arguments[:6])
        queue, priority = parse_lane(lane)
        for task_id, envelope in zip(arguments[_HEAD::2], arguments[_HEAD + 1 :: 2], strict=True):
            if task_id in refused or task_id in self._all:
                continue
            args, kwargs, headers, _ = self._loaded(kind, unpack_envelope(bytes(cast(bytes, envelope))))
            self._all[str(task_id)] = Submitted(
                str(task_id), kind, queue, priority, int(delay_ms) / 1000, unique, args, kwargs, headers
            )

    def _collapsed(self, arguments: Sequence[Argument], reply: Any) -> None:
        """Debounced or throttled: one that joined another is none, and gives that its arguments where the last one wins."""
        names = [bytes(item).decode() for item in reply]
        stands_for = dict(zip(names[::2], names[1::2], strict=True))
        lane, kind, _, how, wait_ms = map(str, arguments[:5])
        queue, priority = parse_lane(lane)
        for place in range(_COLLAPSE_HEAD, len(arguments), 3):
            own, envelope = str(arguments[place]), bytes(cast(bytes, arguments[place + 2]))
            task_id = stands_for.get(own, own)
            if own in self._joined or own in self._all or (task_id != own and how == "t"):
                continue
            self._joined.add(own)
            first = self._all.get(task_id)
            delay = first.delay if first else int(wait_ms) / 1000 if how == "d" else 0.0
            args, kwargs, headers, _ = self._loaded(kind, unpack_envelope(envelope))
            self._all[task_id] = Submitted(task_id, kind, queue, priority, delay, "", args, kwargs, headers)

    def of(self, kind: str | None) -> list[Submitted]:
        """Submissions of one type, or all, the first one first."""
        return [submitted for submitted in self._all.values() if kind in (None, submitted.type)]

    def _loaded(self, kind: str, envelope: Envelope) -> Envelope:
        """The arguments as the function will get them; as they travel when this app has no such function."""
        task_type = self._app.task_types.get(kind)
        if task_type is None:
            return envelope
        args, kwargs = task_type.signature.load(envelope.args, envelope.kwargs)
        return Envelope(args, kwargs, envelope.headers)


def called_alike(task_type: TaskType[Any, Any], submitted: Submitted, args: Any, kwargs: Any) -> bool:
    """Whether a submission's call means the same as ``args`` and ``kwargs`` do, however both are written."""
    travelled = unpack_envelope(pack_envelope(list(args), dict(kwargs), None))
    wanted = task_type.signature.load(travelled.args, travelled.kwargs)
    return _bound(task_type, *wanted) == _bound(task_type, submitted.args, submitted.kwargs)


def _bound(task_type: TaskType[Any, Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(task_type.function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments
