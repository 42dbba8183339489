"""Exceptions as events of spans, by the semantic conventions, and bounded: the SDK's own would send megabytes."""

from __future__ import annotations

import traceback

from jobbers.core.text import cut

LONGEST_MESSAGE = 4_000
LONGEST_STACK = 16_000
"""Characters. What is longer is cut, and says so: a message at its end, a stack at its begin."""

LONGEST_KIND = 200


def kind_of(error: BaseException | type[BaseException]) -> str:
    """The name of its class, for ``error.type``."""
    kind = error if isinstance(error, type) else type(error)
    return cut(kind.__qualname__, LONGEST_KIND)


def told(error: BaseException) -> dict[str, str]:
    """The attributes of the event ``exception``. Never raises, whatever the exception's own methods do."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
        stack = "".join(traceback.format_exception(error))
    except Exception:
        message, stack = "(cannot be shown)", ""
    if len(stack) > LONGEST_STACK:
        stack = f"({len(stack) - LONGEST_STACK:,} characters cut) …{stack[-LONGEST_STACK:]}"
    return {
        "exception.type": cut(name, LONGEST_KIND),
        "exception.message": cut(message, LONGEST_MESSAGE),
        "exception.stacktrace": stack,
    }
