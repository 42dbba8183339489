"""Receives the heartbeats of task functions that run in processes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgpack

Beat = Callable[[str, str, float | None], None]
PREFIX = "jobbers-beats-"


class BeatSocket:
    """A datagram socket in a temporary folder, which a lock in it shows to be in use."""

    def __init__(self, on_beat: Beat) -> None:
        _remove_abandoned()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.path = self._folder / "beats"
        self._lock = _lock(self._folder)
        self._on_beat = on_beat
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ValueError):
            while True:
                self._on_beat(*msgpack.unpackb(self._socket.recv(4096)))

    def close(self) -> None:
        """Stop listening and remove the folder."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; ``None`` if another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned() -> None:
    """A worker that was killed left its folder behind. Folders of other users cannot be opened and stay."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
