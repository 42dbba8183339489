"""Reads a record as the server has it into a :class:`TaskRecord`; and writes and reads error reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import msgpack

from jobbers.core.lanes import Lane, parse_lane
from jobbers.core.liveness import liveness
from jobbers.core.payload import Envelope, Undecodable, unpack_envelope
from jobbers.core.status import Status
from jobbers.core.task import AttemptError, TaskRecord

_STATUSES = {status.value.encode(): status for status in Status}


def read_record(
    task_id: str,
    now: int,
    pairs: Sequence[bytes] | None,
    long_envelope: bytes | None,
    reports: Sequence[bytes] | None,
    lease_end: bytes | None,
) -> TaskRecord | None:
    """The record of a task, or ``None`` if there is none. Parts that cannot be read are left out, never fatal."""
    if not pairs:
        return None
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    status = _STATUSES.get(fields.get(b"status", b""))
    lane = read_lane(fields.get(b"lane", b""))
    if status is None or lane is None:
        return None
    envelope = _envelope(long_envelope or fields.get(b"env", b""))
    owner, unique = fields.get(b"owner"), fields.get(b"unique")
    return TaskRecord(
        id=task_id,
        type=_text(fields.get(b"type")) or "",
        status=status,
        queue=lane.queue,
        priority=lane.priority,
        created=_time(fields.get(b"created")) or datetime.fromtimestamp(0, UTC),
        attempt=_whole(fields.get(b"attempt")) or 0,
        crashes=_whole(fields.get(b"crashes")) or 0,
        snoozes=_whole(fields.get(b"snoozes")) or 0,
        reason=_text(fields.get(b"reason")),
        due=_time(fields.get(b"due")) if status is Status.SCHEDULED else None,
        deadline=_time(fields.get(b"deadline")),
        started=_time(fields.get(b"started")),
        finished=_time(fields.get(b"finished")),
        worker=None if owner is None else owner.decode(errors="replace").rpartition("/")[0],
        step=_text(fields.get(b"step")) or None,
        progress=_fraction(fields.get(b"progress")),
        heartbeat=_time(fields.get(b"beat")),
        liveness=liveness(
            now,
            lease_end=_score(lease_end),
            beat_due=_whole(fields.get(b"beat_due")),
            slow_at=_whole(fields.get(b"slow_at")),
        )
        if status is Status.RUNNING
        else None,
        unique_key=None if unique is None else unique.decode(errors="replace")[2:],
        run=_text(fields.get(b"run")) or None,
        node=_text(fields.get(b"node")) or None,
        held=bool(fields.get(b"held")),
        arguments=envelope.args,
        keywords=envelope.kwargs,
        headers=envelope.headers,
        errors=[report for report in map(_report, reports or ()) if report],
    )


def read_lane(name: bytes) -> Lane | None:
    """The lane of that name; ``None`` if there can be none."""
    try:
        return parse_lane(name.decode())
    except ValueError:
        return None


def read_status(word: bytes | None) -> Status | None:
    """The status that a record's field says; ``None`` if it says none."""
    return _STATUSES.get(word or b"")


def pack_report(error: AttemptError) -> bytes:
    """An error report as it is kept."""
    packed = msgpack.packb(
        {
            "attempt": error.attempt,
            "type": error.type,
            "message": error.message,
            "traceback": error.traceback,
            "worker": error.worker,
            "started": error.started.timestamp(),
            "ended": error.ended.timestamp(),
        },
        unicode_errors="replace",
    )
    return bytes(packed or b"")


def _report(data: bytes) -> AttemptError | None:
    try:
        fields = msgpack.unpackb(data)
        return AttemptError(
            attempt=int(fields["attempt"]),
            type=str(fields["type"]),
            message=str(fields["message"]),
            traceback=str(fields["traceback"]),
            worker=str(fields["worker"]),
            started=datetime.fromtimestamp(fields["started"], UTC),
            ended=datetime.fromtimestamp(fields["ended"], UTC),
        )
    except Exception:  # whatever lies there, the record must stay readable
        return None


def _envelope(data: bytes) -> Envelope:
    try:
        return unpack_envelope(data)
    except Undecodable:
        return Envelope([], {}, {})


def _text(word: bytes | None) -> str | None:
    return None if word is None else word.decode(errors="replace")


def _whole(text: bytes | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _score(text: bytes | None) -> int | None:
    """What a sorted set says, in ms; garbage may be infinite."""
    number = float(text) if text else 0.0
    return int(number) if text and math.isfinite(number) else None


def _fraction(text: bytes | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _time(text: bytes | None) -> datetime | None:
    number = _whole(text)
    try:
        return None if number is None else datetime.fromtimestamp(number / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
