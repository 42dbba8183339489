"""What submissions with the same key come to: one unique task, one that waits until it is quiet, or one in a period."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import Any

from jobbers.core.payload import pack
from jobbers.core.policy import Debounce, Keyed, Throttle, Unique
from jobbers.core.task import Placement
from jobbers.errors import ConfigError, InvalidInput

LONGEST_READABLE = 100
"""Characters of a key's value that are written as they are; a longer one is hashed."""


def only_one(
    unique: Unique | None, singleton: bool, debounce: Debounce | None, throttle: Throttle | None
) -> Keyed | None:
    """The one that is given, if any. Raises :class:`InvalidInput` for more."""
    given: list[Keyed] = [it for it in (unique, debounce, throttle) if it is not None]
    if singleton:
        given.append(Unique(None))
    if len(given) > 1:
        raise InvalidInput(
            "unique, singleton, debounce and throttle each say what becomes of a second task: give one"
        )
    return given[0] if given else None


def check_key(task_type: str, function: Callable[..., Any], keyed: Keyed | None) -> Keyed | None:
    """Return ``keyed`` if its key is a function or the name of a parameter. Raises :class:`ConfigError`."""
    if keyed is not None and isinstance(keyed.key, str):
        parameters = inspect.signature(function).parameters
        known = list(parameters)
        takes_any = any(it.kind is it.VAR_KEYWORD for it in parameters.values())
        if keyed.key not in known and not takes_any:
            raise ConfigError(
                f"task {task_type!r} has no parameter {keyed.key!r} for the key of its {_name(keyed)} (it has: "
                f"{', '.join(known) or 'none'}): name one, or give a function of all arguments by name"
            )
    return keyed


def placed(placement: Placement, keyed: Keyed | None) -> Placement:
    """``placement`` with what ``keyed`` says of it, but for the key itself."""
    scope, ttl_ms, how, wait_ms, longest_ms = "", 0, "", 0, 0
    if isinstance(keyed, Unique):
        scope, ttl_ms = keyed.scope, keyed.ttl_ms
    elif isinstance(keyed, Debounce):
        how, wait_ms, longest_ms = "d", keyed.wait_ms, keyed.max_wait_ms
    elif isinstance(keyed, Throttle):
        how, wait_ms = "l" if keyed.trailing else "t", keyed.period_ms
    return replace(
        placement,
        unique_scope=scope,
        unique_ttl_ms=ttl_ms,
        collapse=how,
        wait_ms=wait_ms,
        max_wait_ms=longest_ms,
    )


def key_text(task_type: str, keyed: Keyed, arguments: Mapping[str, Any]) -> str:
    """The key of a submission with these arguments, by parameter: the name of the type, and the value behind a colon.

    Raises :class:`InvalidInput` when the key function raises or returns what cannot travel, or there is no such parameter.
    """
    key = keyed.key
    if key is None:
        return task_type
    if isinstance(key, str):
        if key not in arguments:
            raise InvalidInput(
                f"{_name(keyed)} of task {task_type!r}: there is no parameter {key!r} (there are: "
                f"{', '.join(arguments) or 'none'})"
            )
        return f"{task_type}:{_text(arguments[key])}"
    try:
        return f"{task_type}:{_text(key(arguments))}"
    except Exception as error:
        raise InvalidInput(
            f"the key function of the {_name(keyed)} of task {task_type!r} raised {type(error).__name__}: "
            f"{str(error)[:200]}; nothing was submitted"
        ) from error


def _name(keyed: Keyed) -> str:
    return type(keyed).__name__


def _text(value: Any) -> str:
    """A value as printable text: as JSON where that is short, else as a hash of how it is encoded. Values that are equal
    have the same text, in whatever order their sets and dicts are."""
    if value is None or isinstance(value, str | int):
        text = json.dumps(value)
        if len(text) <= LONGEST_READABLE and text.isprintable():
            return text
    return hashlib.blake2b(pack(_ordered(value)), digest_size=16).hexdigest()


def _ordered(value: Any) -> Any:
    """``value`` with its kind of container before what that holds, in an order that does not depend on its history."""
    if isinstance(value, Mapping):
        return ["map", *sorted(([name, _ordered(item)] for name, item in value.items()), key=pack)]
    if isinstance(value, Set):
        return ["set", *sorted((_ordered(item) for item in value), key=pack)]
    if isinstance(value, list | tuple):
        return ["list", *map(_ordered, value)]
    return value
