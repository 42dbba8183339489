"""Watches a server for the soak, as a process of its own: ``python -m tests.soak.watch SOCKET FILE``.

It writes how each task stands when it begins, says ``ready`` on its output, and then writes every move until the server
ends or it is told to.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

import redis

import tests.soak.plant  # noqa: F401 - before scripts are loaded
from jobbers.testing.history import Event
from jobbers.testing.monitor import Moves, lines

FIELDS = ("status", "owner", "attempt", "lane", "entry")
PAGE = 1000


def main(path: str, out: str) -> None:
    """Watch until the connection ends."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    signal.signal(signal.SIGTERM, lambda *_: connection.shutdown(socket.SHUT_RD))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    moves = Moves()
    with Path(out).open("a") as file:
        _standing(path, moves, file)
        connection.sendall(b"MONITOR\r\n")
        stream = lines(connection)
        next(stream)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in stream:
            for event in moves.feed(line):
                _write(file, event)
        for event in moves.flush():
            _write(file, event)


def _standing(path: str, moves: Moves, file: TextIO) -> None:
    with redis.Redis(unix_socket_path=path, protocol=2) as client:
        cursor = 0
        while True:
            cursor, keys = client.scan(cursor, match="*:task:*", count=PAGE)
            with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(key, FIELDS)
                for key, values in zip(keys, pipe.execute(), strict=True):
                    record = {
                        name: value.decode()
                        for name, value in zip(FIELDS, values, strict=True)
                        if value is not None
                    }
                    if record:
                        task = key.rpartition(b":")[2].decode()
                        _write(file, moves.found(time.time(), task, record))
            if cursor == 0:
                return


def _write(file: TextIO, event: Event) -> None:
    file.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
