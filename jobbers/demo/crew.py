"""The demo's processes: started here, ended here, each by its own id."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from jobbers.errors import JobbersError

GRACE_SECONDS = 5.0
LOG_LINES = 8


class Member:
    """One process that runs a ``jobbers`` command; what it says goes into a log file."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.expected_to_live = True
        # Whatever it leaves behind in its temporary folder when it is killed goes away with ours.
        command = ["env", f"TMPDIR={folder}", sys.executable, "-m", "jobbers", *arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                process_group=0,  # Ctrl-C is for the demo itself, which ends everything in order
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still exists."""
        return self._process.poll() is None

    def freeze(self) -> None:
        """Stop it in its tracks, whatever it is doing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        """Let it end in its own way."""
        self.expected_to_live = False
        self._process.terminate()

    def kill(self) -> None:
        """End it with SIGKILL: it cannot do anything about it."""
        self.expected_to_live = False
        self._process.kill()
        self._process.wait()

    def wait(self, seconds: float) -> None:
        """Wait for its end, for up to so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def check(self) -> None:
        """Raises :class:`JobbersError` with the end of its log if it ended by itself."""
        if self.expected_to_live and not self.alive:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            said = "".join(f"\n    {line}" for line in lines)
            raise JobbersError(f"{self.name} ended with exit code {self._process.returncode}:{said}")


class Crew:
    """All processes of the demo by name; a context manager that leaves none of them running."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members: dict[str, Member] = {}

    def start(self, name: str, *arguments: str) -> Member:
        """Start ``jobbers`` with these arguments, in place of the process that had this name before."""
        member = self._members[name] = Member(name, list(arguments), self._folder)
        return member

    def check(self) -> None:
        """Raises :class:`JobbersError` if a process ended by itself."""
        for member in self._members.values():
            member.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ask all to end, and make those end that do not; at once if the user interrupts this too."""
        members = [member for member in self._members.values() if member.alive]
        try:
            for member in members:
                member.ask_to_end()
            deadline = time.monotonic() + GRACE_SECONDS
            for member in members:
                member.wait(max(0.0, deadline - time.monotonic()))
        finally:
            for member in members:
                member.kill()
