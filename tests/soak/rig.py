"""The processes of the soak: a server behind a door, workers that are started again, and the watcher."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobbers.testing.history import Event, History
from tests.scenarios.harness import ROOT, Server, WorkerProcess
from tests.soak.app import FOLDER_VARIABLE


@dataclass
class Fleet:
    """One server and some workers. The first worker is spared all faults, so that its use of the machine means
    something."""

    folder: Path
    settings: Mapping[str, Any]
    concurrency: int
    history: History = field(default_factory=lambda: History(time.time))
    workers: list[WorkerProcess] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = Server(self.folder)
        self.door = self.folder / "door"
        self.url = f"unix://{quote(str(self.door))}?db=0"
        self._watchers: list[subprocess.Popen[str]] = []
        self._started = 0
        self._open()

    def _open(self) -> None:
        """Let clients and workers in, once somebody watches."""
        command = [
            sys.executable,
            "-m",
            "tests.soak.watch",
            self.server.socket,
            str(self.folder / "moves.jsonl"),
        ]
        watcher = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._watchers.append(watcher)
        assert watcher.stdout is not None
        with watcher.stdout:
            if watcher.stdout.readline() != "ready\n":
                raise RuntimeError("the watcher did not begin")
        self.door.symlink_to(self.server.socket)

    async def restart_server(self, away: float) -> None:
        """Kill the server; it is back after some seconds, with its data."""
        self.history.add("server_down")
        self.server.kill()
        self.door.unlink()
        await asyncio.to_thread(self._watchers[-1].wait, 60)
        await asyncio.sleep(away)
        await asyncio.to_thread(self.server.start, scripts_loaded=False)
        self.history.add("server_loaded")
        await asyncio.to_thread(self._open)
        self.history.add("server_up")

    def start_worker(self) -> WorkerProcess:
        """Another worker, under a name that no other ever had."""
        self._started += 1
        name = f"w{self._started}"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("JOBBERS_")},
            **{f"JOBBERS_{key.upper()}": str(value) for key, value in self.settings.items()},
            "JOBBERS_REDIS_URL": self.url,
            FOLDER_VARIABLE: str(self.folder),
        }
        words = ("--name", name, "--concurrency", str(self.concurrency), "--log-level", "warning")
        command = [sys.executable, "-m", "jobbers", "worker", "tests.soak.app:app", *words]
        worker = WorkerProcess(command, environment, self.folder / "workers.log")
        self.workers.append(worker)
        self.names[worker.pid] = name
        return worker

    def kill(self, worker: WorkerProcess) -> None:
        """SIGKILL."""
        worker.kill()
        self.workers.remove(worker)
        self.history.add("killed", process=str(worker.pid), worker=self.names[worker.pid])

    def crashed(self) -> None:
        """Note workers that ended by themselves."""
        for worker in [worker for worker in self.workers if worker.code is not None]:
            self.workers.remove(worker)
            self.history.add("crashed", process=str(worker.pid), error=f"exit code {worker.code}")

    def close_watch(self) -> list[Path]:
        """Stop watching; returns the files with what was seen."""
        self._watchers[-1].terminate()
        for watcher in self._watchers:
            watcher.wait(600)
        return [self.folder / "moves.jsonl", *self.folder.glob("executions-*.jsonl")]

    def end(self) -> None:
        """End everything."""
        for worker in self.workers:
            worker.end()
        for watcher in self._watchers:
            watcher.kill()
        self.server.stop()


def usage(pid: int) -> Event:
    """Memory in MiB, open descriptors and threads of a process."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return {
        "memory": int(status["VmRSS"].split()[0]) / 1024,
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
    }
