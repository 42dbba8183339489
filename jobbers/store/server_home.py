"""The folder of an embedded server: its socket, lock, log and data."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from jobbers.errors import ServerUnavailable
from jobbers.store.binaries import Binary

_LOG_LINES: Final = 8  # how much of the log an error quotes
_LOG_BYTES: Final = 1_000_000  # a log longer than this is emptied before a start
# What the kernel takes in sun_path, without the ending NUL.
_LONGEST_SOCKET_PATH: Final = 107 if sys.platform == "linux" else 103


@dataclass(frozen=True, slots=True)
class ServerHome:
    """The folder of one embedded server, and the names in it."""

    folder: Path

    @classmethod
    def prepare(cls, directory: Path) -> Self:
        """Make what is missing. Only the server's own folder is made private: ``directory`` has other uses.

        Raises:
            OSError: it cannot be made, or is not this user's.
        """
        directory = directory.expanduser().resolve()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = directory / ".gitignore"
        # Not in a folder that has something else in it: there it would hide a whole project from git.
        if not ignore.exists() and (directory.name == ".jobbers" or not any(directory.iterdir())):
            ignore.write_text("*\n")
        home = cls(directory / "redis")
        for folder in (home.folder, home.data):
            folder.mkdir(mode=0o700, exist_ok=True)
        home.folder.chmod(0o700)
        return home

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def lock_file(self) -> Path:
        return self.folder / "server.lock"

    @property
    def _socket_record(self) -> Path:
        return self.folder / "server.sock.path"

    @contextmanager
    def lock(self) -> Iterator[int | None]:
        """A file descriptor that holds the lock, or None when somebody else does.

        A child that inherits it goes on holding the lock after this block, until that child ends. So the lock
        tells exactly whether a server may be writing here, with no process id that could be stale or reused.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = None
            else:
                held = descriptor
            yield held
        finally:
            os.close(descriptor)

    def socket(self) -> Path | None:
        """Where the server that holds the lock listens; None while it has not chosen yet."""
        near = self.folder / "server.sock"
        if _fits(near):
            return near
        try:
            # Not worked out again: this process may have another temporary folder than the owner.
            far = Path(self._socket_record.read_text())
        except FileNotFoundError:
            return None
        return far if _is_private(far.parent) else None

    def choose_socket(self) -> Path:
        """Where a new server shall listen; to be called with the lock held.

        Raises:
            ServerUnavailable: the temporary folder for a socket exists, and is open to others or is theirs.
        """
        near = self.folder / "server.sock"
        if _fits(near):
            return near
        far = self._temporary_folder() / "server.sock"
        far.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(far.parent):
            raise ServerUnavailable(
                f"{far.parent} is not a private folder of this user, so no socket is made in it: "
                "remove it, or use embedded:///a/shorter/folder."
            )
        fresh = self._socket_record.with_suffix(".new")
        fresh.write_text(str(far))
        fresh.replace(self._socket_record)
        return far

    def _temporary_folder(self) -> Path:
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        tops = (tempfile.gettempdir(), "/tmp")  # noqa: S108 - choose_socket() checks whose folder it is
        folders = [Path(top, f"jobbers-{os.geteuid()}-{name}") for top in tops]
        return next((folder for folder in folders if _fits(folder / "server.sock")), folders[-1])

    def refuse_older(self, binary: Binary) -> None:
        """Refuse a server before 7.0 for data of a newer one: it would not see it, and start empty.

        Other mismatches need no such care, since the server itself refuses them and says so in its log.
        """
        if binary.version < (7, 0, 0) and (self.data / "appendonlydir").exists():
            raise ServerUnavailable(
                f"the data in {self.data} was written by a newer server than {binary}: install that again "
                "(pip install 'jobbers[embedded]'), or move the folder away to start empty."
            )

    def trim_log(self) -> None:
        """Empty a long log; to be called with the lock held."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            os.truncate(self.log, 0)

    def log_tail(self) -> str:
        """The last lines of the server's log, to end an error message with."""
        try:
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return "".join([f" The end of {self.log}:", *(f"\n    {line}" for line in lines[-_LOG_LINES:])])


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH


def _is_private(folder: Path) -> bool:
    """Whether it is this user's and closed to others: anybody can make a folder in ``/tmp`` to listen in."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return is_ours and stat.S_IMODE(found.st_mode) & 0o077 == 0
