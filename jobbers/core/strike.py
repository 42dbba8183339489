"""A strike: which tasks must not run, by their type and by values of their arguments, and what becomes of them."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal, get_args

from jobbers.core.names import check_name
from jobbers.core.payload import pack, unpack
from jobbers.core.signature import Signature
from jobbers.errors import InvalidInput

Action = Literal["cancel", "hold"]
ACTIONS: tuple[str, ...] = get_args(Action)
MAX_STRIKES = 1_000
"""Most strikes at a time: workers compare each task of a struck type with all of its type."""
MAX_TEXT = 500
MAX_BYTES = 8_192
_FIRST_HOLD_MS = 2_000
_LONGEST_HOLD_MS = 60_000


@dataclass(frozen=True)
class Strike:
    """Tasks of ``type`` whose arguments have the values in ``where`` (none: all of the type) are not to run.

    ``action``: ``cancel`` ends them when a worker takes them, and refuses new ones; ``hold`` puts them back until the
    strike is lifted. With ``running``, those that run when it is added are cancelled, too. ``by`` is who added it, ``at``
    when, in ms of the server's clock.
    """

    id: str
    type: str
    where: Mapping[str, Any] = field(default_factory=dict)
    action: Action = "cancel"
    reason: str = ""
    running: bool = False
    by: str = ""
    at: int = 0

    @cached_property
    def _wanted(self) -> list[tuple[str, Any]]:
        return [(name, _normal(value)) for name, value in self.where.items()]

    def matches(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a task of the type with these arguments, by parameter and as :func:`comparable`, is struck."""
        return all(name in arguments and arguments[name] == wanted for name, wanted in self._wanted)

    @property
    def why(self) -> str:
        """What is told of what it strikes."""
        return f"strike {self.id}: {self.reason}" if self.reason else f"strike {self.id}"

    def dump(self) -> str:
        """The strike as text. Raises :class:`InvalidInput` for more than 8 KiB."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
            raise InvalidInput(f"a strike takes up to {MAX_BYTES:,} bytes, with its values and reason")
        return text


def check_parameters(strike: Strike, signature: Signature) -> Strike:
    """Return a strike that goes by parameters that there are. Raises :class:`InvalidInput`."""
    for name in strike.where:
        if not signature.accepts(name):
            known = ", ".join(parameter.name for parameter in signature.parameters) or "none"
            raise InvalidInput(
                f"task {strike.type!r} has no parameter {name!r} (it has: {known}): the strike would meet nothing",
                "where",
            )
    return strike


def load(text: bytes) -> Strike | None:
    """What :meth:`Strike.dump` wrote; ``None`` for anything else."""
    try:
        found = Strike(**json.loads(text))
        check(found)
    except (TypeError, ValueError, RecursionError):
        return None
    return found


def check(strike: Strike) -> Strike:
    """Return a strike that makes sense. Raises :class:`InvalidInput`."""
    check_name(strike.type, "the task type")
    if strike.action not in ACTIONS:
        raise InvalidInput(f"a strike's action is one of {', '.join(ACTIONS)}, got {strike.action!r}")
    if not isinstance(strike.where, Mapping) or not all(isinstance(name, str) for name in strike.where):
        raise InvalidInput("what a strike goes by is a map from names of parameters to values")
    if not strike.reason.isprintable() if isinstance(strike.reason, str) else False:
        raise InvalidInput("a strike's reason is one line of printable text", "reason")
    for what, text in (("reason", strike.reason), ("name of who adds it", strike.by)):
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            raise InvalidInput(f"a strike's {what} is text of up to {MAX_TEXT} characters")
    if strike.running and strike.action != "cancel":
        raise InvalidInput(
            "what runs can be cancelled and not held: leave 'running' out, or the action", "running"
        )
    for name, value in strike.where.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise InvalidInput(f"the value of {name!r} must be JSON", "where") from None
    return strike


def hold_ms(snoozes: int) -> int:
    """How long a held task is put back, when it was put back ``snoozes`` times before."""
    return min(_FIRST_HOLD_MS << min(snoozes, 10), _LONGEST_HOLD_MS)


def comparable(arguments: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The arguments of these names, by parameter, in terms of JSON. What cannot travel equals nothing and is left out."""
    found = {}
    for name in names:
        if name in arguments:
            with contextlib.suppress(TypeError, ValueError):
                found[name] = _normal(unpack(pack(arguments[name])))
    return found


def _normal(value: Any) -> Any:
    """A value in terms of JSON, so that what JSON takes for equal is equal, and nothing else: 1 is 1.0 and not true."""
    if value is None or isinstance(value, bool):
        return ("constant", value)
    if isinstance(value, int | float):
        return value if isinstance(value, int) or math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return _normal({"$base64": base64.b64encode(value).decode()})
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(name): _normal(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    return str(value)  # also of UUID and Decimal
