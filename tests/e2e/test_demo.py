"""The demo on real files: a worker is killed in the middle, the totals are right all the same, and nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobbers.demo.index import STDLIB, Totals, index_file, plain_index, stdlib_files
from jobbers.store.embedded import available_binaries

EXAMPLE = Path(__file__).parents[2] / "examples" / "stdlib_index.py"
FILES = 120

needs_server = pytest.mark.skipif(not available_binaries(), reason="no Redis or Valkey server here")
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

Spawn = Callable[..., subprocess.Popen[str]]


class Traces:
    """Where the processes of one demo run can be recognised, and what they write ends up."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.mark = f"DEMO_UNDER_TEST={secrets.token_hex(8)}"

    @property
    def environment(self) -> dict[str, str]:
        name, _, value = self.mark.partition("=")
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("JOBBERS_")}
        return inherited | {name: value, "TMPDIR": str(self.folder), "COLUMNS": "100"}

    def processes(self) -> list[int]:
        """All living processes that the demo started, however indirectly."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and self.mark.encode() in (folder / "environ").read_bytes().split(
                    b"\0"
                ):
                    found.append(int(folder.name))
        return found

    def assert_gone(self) -> None:
        # Processes that ran functions for a worker that was killed end when they notice; that takes a moment.
        deadline = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
        assert list(self.folder.iterdir()) == []


@pytest.fixture
def traces() -> Iterator[Traces]:
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        traces = Traces(folder)
        yield traces
        for pid in traces.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def spawn(traces: Traces) -> Iterator[Spawn]:
    with contextlib.ExitStack() as ends:

        def begin(*command: str | Path, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
            demo = subprocess.Popen(
                [sys.executable, *command],
                env=traces.environment,
                cwd=traces.folder,
                stdout=stdout,
                stderr=subprocess.STDOUT,
                text=True,
            )
            ends.enter_context(demo)
            ends.callback(demo.kill)
            return demo

        yield begin


def assert_shows(output: str, totals: Totals) -> None:
    rows = dict(re.findall(r"│ +([a-z() ]+?) +│ +([\d,]+) │", output))
    assert {name: int(number.replace(",", "")) for name, number in rows.items()} == {
        "files": totals.files,
        "of them skipped (not parsable)": totals.skipped,
        "lines": totals.lines,
        "functions": totals.functions,
        "async functions": totals.async_functions,
        "classes": totals.classes,
        "imports": totals.imports,
    }
    assert totals.longest is not None
    assert f"{totals.longest.name}, {totals.longest.lines:,} lines" in output
    assert f"{totals.longest.file}:{totals.longest.line}" in output


@needs_server
@needs_proc
def test_a_killed_worker_costs_time_and_nothing_else(spawn: Spawn, traces: Traces) -> None:
    demo = spawn("-m", "jobbers", "demo", "--files", str(FILES))
    output, _ = demo.communicate(timeout=55)
    assert demo.returncode == 0, output
    assert "KILLED worker-1" in output
    assert "TAKEN BACK" in output
    assert re.search(r"DONE AGAIN: .* in attempt 2$", output, re.MULTILINE)
    assert "A plain loop in one process came to the same totals" in output
    assert_shows(output, plain_index(stdlib_files(FILES)))
    traces.assert_gone()


@needs_server
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_demo_ends_everything(spawn: Spawn, traces: Traces, number: signal.Signals) -> None:
    demo = spawn(EXAMPLE)
    assert demo.stdout is not None
    assert any(line.startswith("submitted") for line in demo.stdout)
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130, output
    assert output.endswith("Interrupted: everything that was started here has ended.\n")
    assert "Traceback" not in output
    traces.assert_gone()


@needs_server
@needs_proc
def test_one_that_cannot_start_says_why_and_ends_everything(spawn: Spawn, traces: Traces) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        demo = spawn(EXAMPLE, "--files", "3", "--port", str(taken.getsockname()[1]))
        output, _ = demo.communicate(timeout=50)
    assert demo.returncode == 1, output
    assert "error: api ended with exit code" in output
    assert "cannot listen on 127.0.0.1" in output
    traces.assert_gone()


@needs_server
@needs_proc
def test_a_terminal_gets_a_live_view(spawn: Spawn, traces: Traces) -> None:
    ours, theirs = pty.openpty()
    demo = spawn(EXAMPLE, "--files", "40", "--workers", "1", "--no-kill", "--no-check", stdout=theirs)
    os.close(theirs)
    painted = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end was closed
        while chunk := os.read(ours, 65536):
            painted += chunk
    os.close(ours)
    assert demo.wait(40) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", painted.decode())
    assert re.search(r"indexing +━+.* \d+/40 +files", text)
    assert re.search(r"worker-1 +pid \d+ +\d+/\d+", text)
    assert_shows(text, plain_index(stdlib_files(40)))
    traces.assert_gone()


def test_totals_do_not_depend_on_the_order() -> None:
    indexes = [index_file(file) for file in stdlib_files(30)]
    one, other = Totals(), Totals()
    for index in indexes:
        one.add(index)
    random.Random(7).shuffle(indexes)
    for index in indexes:
        other.add(index)
    assert one == other
    assert one.files == 30


def test_what_cannot_be_parsed_is_counted_as_skipped() -> None:
    assert index_file("no/such/file.py").problem == "FileNotFoundError"
    totals = plain_index(["ast.py", "no/such/file.py"])
    assert (totals.files, totals.skipped) == (2, 1)
    assert totals.lines == len((STDLIB / "ast.py").read_text("utf-8").splitlines())


def test_a_sample_is_even_and_holds_no_installed_packages() -> None:
    everything = stdlib_files()
    sample = stdlib_files(10)
    assert len(sample) == 10
    assert set(sample) < set(everything)
    assert "ast.py" in everything
    assert not any("site-packages" in file for file in everything)
