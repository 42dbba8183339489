"""Which errors are the same one: the type, the message without what differs from case to case, and where it was raised."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

LONGEST_MESSAGE = 200
LONGEST_READ = 4_000
"""Longer messages are cut before they are looked at."""
LONGEST_TRACEBACK = 20_000
"""Of longer ones the end is looked at."""

_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
_ADDRESS = re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_ID = re.compile(r"\b(?=[0-9a-z]*\d)(?=[0-9a-z]*[a-z])[0-9a-z]{12,}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_SPACE = re.compile(r"\s+")
_FRAME = re.compile(r'^\s*File "([^"\n]*)", line \d+, in (\S[^\n]*)$', re.MULTILINE)


class Fingerprint(NamedTuple):
    """What errors have in common. ``key`` is 16 hex digits; ``where`` is ``file.py: function``, or empty."""

    key: str
    type: str
    message: str
    where: str


def fingerprint(error_type: str, message: str, traceback: str = "") -> Fingerprint:
    """The fingerprint of an error.

    Line numbers and folders do not count, so that a deployment leaves an error in its group.
    """
    common = normalised(message)
    where = top_frame(traceback)
    digest = hashlib.sha256("\0".join((error_type, common, where)).encode(errors="replace"))
    return Fingerprint(digest.hexdigest()[:16], error_type, common, where)


def normalised(message: str) -> str:
    """A message with ids, numbers and quoted text left open: ``no user … in '…'``."""
    text = message[:LONGEST_READ]
    for pattern, stand_in in ((_QUOTED, "'…'"), (_UUID, "…"), (_ADDRESS, "…"), (_ID, "…"), (_NUMBER, "…")):
        text = pattern.sub(stand_in, text)
    return _SPACE.sub(" ", text).strip()[:LONGEST_MESSAGE]


def top_frame(traceback: str) -> str:
    """Where an error was raised: the last frame of its traceback."""
    frames = _FRAME.findall(traceback[-LONGEST_TRACEBACK:])
    if not frames:
        return ""
    path, function = frames[-1]
    file = path.replace("\\", "/").rpartition("/")[2]
    return f"{file}: {function}"[:LONGEST_MESSAGE]
