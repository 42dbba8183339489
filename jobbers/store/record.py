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
    fields = {
        name.decode(errors="replace"): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)
    }
    words = {
        name: value.decode(errors="replace")
        for name, value in fields.items()
        if name not in ("env", "result")
    }
    try:
        status = Status(words.get("status", ""))
        lane = parse_lane(words.get("lane", ""))
    except ValueError:
        return None
    envelope = _envelope(long_envelope or fields.get("env", b""))
    running = status is Status.RUNNING
    return TaskRecord(
        id=task_id,
        type=words.get("type", ""),
        status=status,
        queue=lane.queue,
        priority=lane.priority,
        created=_time(words.get("created")) or datetime.fromtimestamp(0, UTC),
        attempt=_whole(words.get("attempt")) or 0,
        crashes=_whole(words.get("crashes")) or 0,
        snoozes=_whole(words.get("snoozes")) or 0,
        reason=words.get("reason"),
        due=_time(words.get("due")) if status is Status.SCHEDULED else None,
        deadline=_time(words.get("deadline")),
        started=_time(words.get("started")),
        finished=_time(words.get("finished")),
        worker=words["owner"].rpartition("/")[0] if "owner" in words else None,
        step=words.get("step") or None,
        progress=_fraction(words.get("progress")),
        heartbeat=_time(words.get("beat")),
        liveness=liveness(
            now,
            lease_end=_score(lease_end),
            beat_due=_whole(words.get("beat_due")),
            slow_at=_whole(words.get("slow_at")),
        )
        if running
        else None,
        unique_key=words["unique"][2:] if "unique" in words else None,
        run=words.get("run") or None,
        node=words.get("node") or None,
        held=bool(words.get("held")),
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
    try:
        return Status(word.decode()) if word else None
    except ValueError:
        return None


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


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _score(text: bytes | None) -> int | None:
    """What a sorted set says, in ms; garbage may be infinite."""
    number = float(text) if text else 0.0
    return int(number) if text and math.isfinite(number) else None


def _fraction(text: str | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _time(text: str | None) -> datetime | None:
    number = _whole(text)
    try:
        return None if number is None else datetime.fromtimestamp(number / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
