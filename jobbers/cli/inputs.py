"""Reads what is typed on a command line: durations, times, JSON, pairs. Raises :class:`InvalidInput` naming the option."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from jobbers.core.durations import seconds_of
from jobbers.errors import InvalidInput


def duration(text: str, option: str) -> float:
    """Seconds, written as 90, 1.5, 500ms, 10s, 5m, 2h or 1d."""
    return seconds_of(text, option)


def optional_duration(text: str | None, option: str) -> float | None:
    """Like :func:`duration`, and ``None`` stays ``None``."""
    return None if text is None else duration(text, option)


def moment(text: str, option: str) -> datetime:
    """A time with its zone, in ISO 8601."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{option} {text!r} is no time: write it as 2031-05-06T07:08:09Z") from None
    if found.tzinfo is None:
        raise InvalidInput(
            f"{option} {text!r} has no time zone: end it with Z, or with an offset as in +02:00"
        )
    return found


def document(text: str, option: str) -> Any:
    """JSON as it stands, from a file (``@path``) or from standard input (``-``)."""
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        return json.loads(text)
    except OSError as error:
        raise InvalidInput(f"{option}: cannot read {error.filename!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{option}: that is no text in UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{option} is not JSON: {error.msg} ({where})") from None
    except RecursionError:
        raise InvalidInput(f"{option} is nested too deeply") from None
    except ValueError as error:  # such as a path with a zero byte, or a number of 5,000 digits
        raise InvalidInput(f"{option} cannot be read: {error}") from None


def arguments(text: str | None) -> list[Any] | None:
    """The positional arguments in ``--args``."""
    found = None if text is None else document(text, "--args")
    if found is not None and not isinstance(found, list):
        raise InvalidInput(f"--args must be a JSON list, as in '[1, \"two\"]', got {_kind(found)}")
    return found


def keywords(text: str | None) -> dict[str, Any] | None:
    """The keyword arguments in ``--kwargs``."""
    found = None if text is None else document(text, "--kwargs")
    if found is not None and not isinstance(found, dict):
        raise InvalidInput(f"--kwargs must be a JSON object, as in '{{\"user\": 42}}', got {_kind(found)}")
    return found


def pairs(texts: Iterable[str] | None, option: str) -> dict[str, str]:
    """What is written as ``name=value``, each name once."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{option} {text!r} is not name=value")
        if name in found:
            raise InvalidInput(f"{option} gives {name!r} twice")
        found[name] = value
    return found


def names(text: str | None) -> list[str] | None:
    """Names with commas between them."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
