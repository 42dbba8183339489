"""A task's arguments in a line, for lists: to recognise a task by, and to find it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobbers.core.payload import Ref


def glimpse(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """``"INV-7", 12.5, customer="acme"``: values as JSON where that can say them. Never fails, whatever was decoded."""
    words = [*map(_word, args), *(f"{name}={_word(value)}" for name, value in kwargs.items())]
    return ", ".join(words).encode(errors="replace").decode()


def _word(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_stand_in)
    except (TypeError, ValueError, RecursionError):
        return "…"


def _stand_in(value: Any) -> str:
    match value:
        case Ref():
            return f"what {value.id} returns"
        case bytes():
            return f"{len(value):,} bytes"
        case _:
            return str(value)
