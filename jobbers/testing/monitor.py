"""Reads what a real server did to tasks from its ``MONITOR``: the same events that the simulated server notes.

A server prints each command before it runs it, and the commands that a script calls after the call of the script, in
the order in which they are applied. So what a script did to a record is known without asking it, and outside the server
whose faults are being looked for.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from jobbers.store import scripts
from jobbers.store.keys import SHARD_KEYS
from jobbers.testing.history import FINISHING, Event, Standing, callers, moved

_HEAD = re.compile(rb"^\+?(\d+\.\d+) \[\d+ (lua|[^\]]*)\] ")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
_TASK = SHARD_KEYS["task"].encode()
_FIRST = SHARD_KEYS["first"].encode()
_LEASES = SHARD_KEYS["leases"].encode()
_NOWHERE = Standing("", "", 0)


class Moves:
    """Turns lines of ``MONITOR`` into ``moved`` events."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, str]] = {}
        self._known: dict[str, Standing] = {}
        self._lease_ends: dict[str, float] = {}
        self._touched: dict[str, None] = {}
        self._leased: dict[str, float] = {}
        self._first: set[str] = set()
        self._command: bytes = b""
        self._at = 0.0

    def found(self, at: float, task: str, record: dict[str, str]) -> Event:
        """Take a record as it is: what was done to it before is not known."""
        self._fields[task] = record
        self._known[task] = now = _standing(record)
        return {"at": at, "kind": "moved", **moved(task, _NOWHERE, now, "found")}

    def feed(self, line: bytes) -> Iterable[Event]:
        """Take the next line; returns what the command before it turned out to have done."""
        head = _HEAD.match(line)
        if head is None:
            return []
        rest = line[head.end() :]
        if head[2] == b"lua":
            self._called(rest)
            return []
        events = list(self.flush())
        self._command, self._at = rest, float(head[1])
        if not rest.startswith(b'"EVALSHA"'):
            self._called(rest)
        return events

    def flush(self) -> Iterator[Event]:
        """What the last command did."""
        if self._touched:
            words = _words(self._command, 2)
            by = scripts.names_by_sha().get(words[1], "") if words[0] == b"EVALSHA" else ""
            for task in self._touched:
                yield from self._note(task, by or words[0].decode(errors="replace"), words)
            self._touched.clear()
        self._first.clear()
        self._lease_ends.update(self._leased)
        self._leased.clear()

    def _called(self, rest: bytes) -> None:
        if rest.startswith((b'"HSET"', b'"DEL"')) and _TASK in rest:
            command, key, *values = _words(rest, 2)
            task = key.partition(_TASK)[2].decode(errors="replace")
            self._touched.pop(task, None)  # what was written last stands last
            self._touched[task] = None
            if command == b"DEL":
                self._fields.pop(task, None)
            else:
                fields = self._fields.setdefault(task, {})
                for name, value in zip(values[::2], values[1::2], strict=False):
                    if name in (b"status", b"owner", b"attempt", b"lane", b"entry"):
                        fields[name.decode()] = value.decode(errors="replace")
        elif rest.startswith(b'"RPUSH"') and _FIRST in rest[:200]:
            self._first.update(word.decode(errors="replace") for word in _words(rest)[2:])
        elif rest.startswith(b'"ZADD"') and _LEASES in rest[:200]:
            pairs = _words(rest)[2:]
            for end, member in zip(pairs[-2::-2], pairs[-1::-2], strict=False):
                self._leased[member.decode(errors="replace")] = _number(end)

    def _note(self, task: str, by: str, words: list[bytes]) -> Iterator[Event]:
        record = self._fields.get(task, {})
        was, now = self._known.get(task, _NOWHERE), _standing(record)
        if now == was:
            return
        self._known[task] = now
        details: dict[str, Any] = {}
        if by in FINISHING:
            named = callers(words[4:], task)
            details["caller"] = now.owner if now.owner in named else named[0]
        if by == "claim" and now.status == "running":
            details["lane"], details["entry"] = record.get("lane", ""), record.get("entry", "")
        if now.status == "queued" and task in self._first:
            details["first"] = True
        if was.status == "running" and task in self._lease_ends:
            details["lease_left"] = round(self._lease_ends[task] - self._at * 1000)
        if now.status not in ("", "queued", "scheduled", "running"):
            self._fields.pop(task, None)
            self._fields[task] = {"status": now.status, "owner": now.owner, "attempt": str(now.attempt)}
            self._lease_ends.pop(task, None)
        yield {"at": self._at, "kind": "moved", **moved(task, was, now, by, **details)}


def lines(connection: socket.socket) -> Iterator[bytes]:
    """The lines of a connection that has sent ``MONITOR``, until it ends."""
    buffer = b""
    while True:
        try:
            data = connection.recv(1 << 20)
        except ConnectionError:
            return
        if not data:
            return
        *whole, buffer = (buffer + data).split(b"\r\n")
        yield from whole


def _standing(record: dict[str, str]) -> Standing:
    attempt = int(_number(record.get("attempt", "0").encode()))
    return Standing(record.get("status", ""), record.get("owner", ""), attempt)


def _number(text: bytes) -> float:
    """What a number is; garbage counts as 0."""
    return float(text) if re.fullmatch(rb"[0-9]{1,15}(\.[0-9]+)?", text) else 0.0


def _words(rest: bytes, at_least: int = 0) -> list[bytes]:
    words = [_ESCAPE.sub(_escaped, word) if b"\\" in word else word for word in _WORD.findall(rest)]
    return words + [b""] * (at_least - len(words))


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code[1:], 16)])
    return _PLAIN.get(code, code)
