"""A server, a worker process, a submitting process, and the receiver that both send to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.scenarios.harness import ROOT, Server, WorkerProcess

PROGRAM = "tests.telemetry.program"


class Rig:
    """Processes that are told by their environment where to send."""

    def __init__(self, telemetry: Mapping[str, str], program: str = PROGRAM) -> None:
        self._program = program
        self.folder = Path(tempfile.mkdtemp(prefix="otel-"))
        self.server = Server(self.folder)
        self._workers: list[WorkerProcess] = []
        kept = {name: it for name, it in os.environ.items() if not name.startswith(("JOBBERS_", "OTEL_"))}
        self.environment = {
            **kept,
            "JOBBERS_REDIS_URL": self.server.url,
            "JOBBERS_BLOB_DIR": str(self.folder / "blobs"),
            **telemetry,
        }

    async def worker(self, *arguments: str, **more: str) -> WorkerProcess:
        """A worker that serves."""
        command = [sys.executable, "-m", "jobbers", "worker", f"{self._program}:app", *arguments]
        log = self.folder / f"worker-{len(self._workers)}.log"
        worker = WorkerProcess(command, {**self.environment, **more}, log)
        self._workers.append(worker)
        return await worker.ready()

    def run(self, *code: str, **more: str) -> str:
        """Run a program to its end; returns what it printed."""
        command = [sys.executable, *code]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def submit_everything(self) -> dict[str, Any]:
        """Run the submitting program; returns the ids that it printed."""
        printed: dict[str, Any] = json.loads(self.run("-m", PROGRAM, OTEL_SERVICE_NAME="submitter"))
        return printed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
            if error is not None:
                print(worker.said())  # noqa: T201 - what pytest shows of a test that failed
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
