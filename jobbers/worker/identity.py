"""Who a worker is, and which workers of this machine it knows to be dead."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobbers.store.control import WorkerInfo

MAX_WORKER_NAME = 40


@dataclass(frozen=True, slots=True)
class Identity:
    """A worker's name for people, and its id, which ends in a nonce: no two lives of a worker share an id.

    ``machine`` names the boot and process namespace in which ``pid`` and ``born`` mean something; empty where the system
    does not tell.
    """

    name: str
    id: str
    host: str
    pid: int
    machine: str
    born: str

    def facts(self) -> dict[str, str]:
        """What is entered into the roll."""
        return {
            "name": self.name,
            "host": self.host,
            "pid": str(self.pid),
            "machine": self.machine,
            "born": self.born,
        }


def identify(name: str | None = None) -> Identity:
    """The identity of a new worker in this process."""
    host = socket.gethostname()
    pid = os.getpid()
    chosen = re.sub(r"[^A-Za-z0-9_.\-]", "-", name or f"{host}-{pid}")[:MAX_WORKER_NAME]
    return Identity(chosen, f"{chosen}-{secrets.token_hex(3)}", host, pid, _machine(), _born(pid))


def used() -> dict[str, str]:
    """What this process has used: processor time in seconds, and its memory in bytes where the system tells."""
    facts = {"cpu_seconds": f"{time.process_time():.2f}"}
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return facts
    return facts | {"memory_bytes": str(pages * os.sysconf("SC_PAGE_SIZE"))}


def known_dead(info: WorkerInfo, machine: str) -> bool:
    """Whether a worker of the roll certainly lives no more: it ran in this boot and process namespace, and its process is
    gone or another one has its pid."""
    facts: Mapping[str, str] = info.facts
    if not machine or facts.get("machine") != machine or not facts.get("born"):
        return False
    try:
        pid = int(facts.get("pid", ""))
    except ValueError:
        return False
    return _born(pid) != facts["born"]


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty if there is none (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
