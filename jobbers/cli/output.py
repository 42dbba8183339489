"""Printing: data on stdout, sentences for people on stderr. Rich is imported only where something is painted."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDE = 10_000  # columns of an output that is no terminal: a table in a file must not be cut off
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def say(sentence: str) -> None:
    """A message for people."""
    print(clean(sentence), file=sys.stderr, flush=True)


def show(text: str) -> None:
    """A line of data for people and pipes."""
    print(clean(text), flush=True)


def show_json(data: Any) -> None:
    """A document of data for programs."""
    print(_dump(data, indent=2), flush=True)


def show_json_line(data: Any) -> None:
    """A document of a stream of them: one line each."""
    print(_dump(data), flush=True)


def _dump(data: Any, indent: int | None = None) -> str:
    text = json.dumps(plain(data), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.translate({code: f"\\u{code:04x}" for code in range(127, 160)})


def clean(text: str) -> str:
    """``text`` with control characters made visible: what a task says must not steer the terminal."""
    return text.translate(_CONTROLS)


def plain(value: Any) -> Any:
    """``value`` in terms of JSON: times as ISO 8601, durations in seconds, bytes as base 64, what is odd as text."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | Set):
        return [plain(item) for item in value]
    return str(value)


def console() -> Console:
    """Where tables go."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of text; a column whose name begins with ``>`` is for numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        name = column.removeprefix(">")
        made.add_column(Text(name), justify="left" if name == column else "right", no_wrap=number == 0)
    for row in rows:
        made.add_row(*(Text(clean(str(cell))) for cell in row))
    return made


def when(moment: datetime | None) -> str:
    """A time as people here read it."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 48 else f"{hours // 24}d{hours % 24:02}h"


def pace(rate: float) -> str:
    """Tasks a second for people: three digits where it is small, and never an exponent."""
    if 0 < rate < 0.001:
        return "<0.001"
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
