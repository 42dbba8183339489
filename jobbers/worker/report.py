"""Error reports: bounded, and safe even for exceptions that misbehave."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta

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
        message=_bounded(safe_text(error), MAX_MESSAGE),
        traceback=_bounded_tail(_traceback(error), MAX_TRACEBACK),
        worker=worker,
        started=ended - timedelta(seconds=ran_seconds),
        ended=ended,
    )
    return pack_report(report)


def safe_text(error: BaseException) -> str:
    """``str(error)``, or a stand-in when that raises."""
    try:
        return str(error)
    except Exception as inner:
        return f"<the error's text cannot be had: its __str__ raised {type(inner).__name__}>"


def _type_name(error: BaseException) -> str:
    kind = type(error)
    name = getattr(error, "remote_type", None) or kind.__qualname__
    return str(name)[:200]


def _traceback(error: BaseException) -> str:
    remote = getattr(error, "remote_traceback", None)
    if isinstance(remote, str):
        return remote
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # formatting calls the error's own code
        return "".join(traceback.format_tb(error.__traceback__))


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _bounded_tail(text: str, limit: int) -> str:
    """Keeps the end, where the cause is."""
    return text if len(text) <= limit else _CUT + text[len(_CUT) - limit :]
