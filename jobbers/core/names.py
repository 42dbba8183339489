"""The grammar of names that become part of a key: queues, task types, roles, namespaces."""

from __future__ import annotations

import re

from jobbers.errors import InvalidName

MAX_NAME = 100
MAX_UNIQUE_KEY = 256
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


def check_name(value: object, what: str) -> str:
    """Return ``value`` if it is a legal name.

    ``what`` is the kind of name, for the message. Raises :class:`InvalidName`.
    """
    if not isinstance(value, str):
        raise InvalidName(f"{what} must be a string, got {type(value).__name__}")
    if len(value) > MAX_NAME or not _NAME.fullmatch(value):
        raise InvalidName(
            f"{what} {_short(value)!r} is not a legal name: use 1 to {MAX_NAME} letters, digits, '_', '-' and '.', "
            "starting with a letter, digit or '_'"
        )
    return value


def check_unique_key(value: object) -> str:
    """Return ``value`` if it can be a unique key: 1 to 256 printable characters. Raises :class:`InvalidName`."""
    if not isinstance(value, str) or not value or len(value) > MAX_UNIQUE_KEY or not value.isprintable():
        raise InvalidName(
            f"unique key {_short(value)!r} is not usable: it must be a string of 1 to {MAX_UNIQUE_KEY} "
            "printable characters"
        )
    return value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
