"""A service of the API as a process of its own, and raw sockets to misuse it with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
START_SECONDS = 30.0
READ_SECONDS = 30.0
_SERVING = re.compile(r"serving (https?)://([\d.]+):(\d+)")


@dataclass
class Service:
    """A running process, and all that it has written so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    scheme: str = "http"
    port: int = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has written, on both of its streams."""
        return "".join(self.said)

    def client(self, **options: object) -> httpx2.Client:
        """A client of the API."""
        return httpx2.Client(base_url=f"{self.url}/api/v1", timeout=READ_SECONDS, trust_env=False, **options)  # type: ignore[arg-type]

    def memory(self) -> int:
        """Bytes of the process that are in memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) * 1024

    def connections(self) -> int:
        """Sockets that the process has open."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        names = []
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):
                names.append(str(entry.readlink()))
        return sum(name.startswith("socket:") for name in names)


@contextlib.contextmanager
def running(
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    app: str = "tests.security.served:app",
) -> Iterator[Service]:
    """Run ``jobbers api`` on a free port until the block ends."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JOBBERS_", "OTEL_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "jobbers", "api", app, "--port=0", *arguments],
        env={**clean, "PYTHONUNBUFFERED": "1", **(environment or {})},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    service = Service(process)
    up = threading.Event()
    reader = threading.Thread(target=_read, args=(service, up), name="output of the service")
    reader.start()
    try:
        assert up.wait(START_SECONDS), f"it does not serve: {service.output}"
        assert service.port, f"it ended: {service.output}"
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def _read(service: Service, up: threading.Event) -> None:
    assert service.process.stdout is not None
    for line in service.process.stdout:
        service.said.append(line)
        found = _SERVING.search(line)
        if found is not None:
            service.scheme, service.port = found[1], int(found[3])
            up.set()
    up.set()


def connect(service: Service, *, receive_buffer: int | None = None) -> socket.socket:
    """A raw connection; with a small ``receive_buffer``, one whose other end notices soon that nothing is read."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(READ_SECONDS)
    raw.connect(("127.0.0.1", service.port))
    return raw


def answer(raw: socket.socket) -> bytes:
    """All that comes until the other end closes, or is reset."""
    chunks = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := raw.recv(65_536):
            chunks += chunk
    return bytes(chunks)


def exchange(service: Service, request: bytes) -> bytes:
    """What is answered to these bytes, when the connection is not to be kept."""
    with connect(service) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(request)
        return answer(raw)


def sound(response: httpx2.Response) -> int:
    """The status of a response that is no 5xx and, if it refuses, has the one shape."""
    assert response.status_code < 500, (
        f"{response.request.method} {response.request.url}: {response.text[:500]}"
    )
    if response.status_code >= 400 and response.content:
        error = json.loads(response.content)["error"]
        assert error.keys() == {"code", "message", "parameter"}
    return response.status_code
