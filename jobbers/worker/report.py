"""Error reports: bounded, and safe even for exceptions that misbehave."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from inspect import getattr_static

from jobbers.core.task import AttemptError
from jobbers.store.record import pack_report

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 8_000
_CUT = "… (cut)"


def make_report(error: BaseException, attempt: int, worker: str, ran_seconds: float) -> bytes:
    """The encoded report of an attempt that ended with ``error`` after ``ran_seconds``."""
    ended = datetime.now(UTC)
    report = AttemptError(
        attempt=attempt,
        type=_type_name(error),
        message=bounded(error, MAX_MESSAGE),
        traceback=_bounded_tail(_traceback(error), MAX_TRACEBACK),
        worker=worker,
        started=ended - timedelta(seconds=ran_seconds),
        ended=ended,
    )
    return pack_report(report)


def safe_text(value: object) -> str:
    """``str(value)``, or a stand-in when that raises."""
    try:
        return str(value)
    except Exception as inner:
        return f"<the error's text cannot be had: its __str__ raised {type(inner).__name__}>"


def bounded(value: object, limit: int) -> str:
    """``value`` as text that can be written: cut with a mark, and without the halves of characters that file names may
    hold and UTF-8 may not."""
    text = safe_text(value)
    text = text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT
    return text.encode(errors="replace").decode()


def _type_name(error: BaseException) -> str:
    # Looked up past the error's own code, which may misbehave.
    return str(getattr_static(error, "remote_type", None) or type(error).__qualname__)[:200]


def _traceback(error: BaseException) -> str:
    remote = getattr_static(error, "remote_traceback", None)
    if isinstance(remote, str):
        return remote
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # formatting calls the error's own code
        return "".join(traceback.format_tb(error.__traceback__))


def _bounded_tail(text: str, limit: int) -> str:
    """Keeps the end, where the cause is."""
    return text if len(text) <= limit else _CUT + text[len(_CUT) - limit :]
