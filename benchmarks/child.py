"""Subprocesses that are always ended, by their own process id, however the harness itself ends."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
TAIL_LINES = 6


class ChildError(RuntimeError):
    """A subprocess failed, was silent for too long, or said something unexpected."""


def _die_with_parent() -> None:
    """On Linux, have the kernel end this process when the harness is gone."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One subprocess with pipes for standard input and output, and ``more`` in its environment; use it as a context
    manager."""

    def __init__(self, argv: list[str], *, name: str, more: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._output = b""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | dict(
            more or {}
        )
        self.process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process at once; its work is thrown away anyway."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._errors):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def wait_for_line(self, expected: str, timeout: float) -> None:
        """Read standard output until a line equals ``expected``."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout
        while expected.encode() not in self._output.splitlines():
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise self.failure(f"did not say {expected!r} in {timeout:.0f} s")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise self.failure(f"ended before it said {expected!r}")
            self._output += chunk

    def send_line(self, line: str) -> None:
        """Write one line to standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def answer(self, timeout: float) -> dict[str, Any]:
        """Wait for the process to end well and parse its last line of output as JSON."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"did not end in {timeout:.0f} s") from None
        if self.process.returncode:
            raise self.failure(f"exit code {self.process.returncode}")
        try:
            parsed: dict[str, Any] = json.loads(output.splitlines()[-1])
        except (IndexError, json.JSONDecodeError):
            raise self.failure(f"printed no JSON: {output[-200:]!r}") from None
        return parsed

    def check_alive(self) -> None:
        """Raise if the process has ended."""
        if self.process.poll() is not None:
            raise self.failure(f"ended with exit code {self.process.returncode}")

    def cpu_seconds(self) -> float | None:
        """User and system time used so far; ``None`` where there is no /proc."""
        try:
            text = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def failure(self, reason: str) -> ChildError:
        """An error that ends with what the process last wrote to standard error."""
        self._errors.seek(0)
        tail = self._errors.read().decode(errors="replace").strip().splitlines()[-TAIL_LINES:]
        return ChildError("\n    ".join([f"{self.name}: {reason}", *tail]))
