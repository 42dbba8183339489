"""The commands that go on running: ``jobbers worker``, ``api`` and ``dev``; and ``bench`` and ``demo``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobbers import Jobbers

Start = Callable[..., "Running"]


class Running:
    """A command in a process of its own that is still running."""

    def __init__(self, words: tuple[object, ...], log: Path) -> None:
        command = [sys.executable, "-m", "jobbers", *map(str, words)]
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)

    def read_until(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """Wait until a pattern is in what it has printed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.log.read_text()
            if match := re.search(pattern, text):
                return match
            assert self.process.poll() is None, text
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} in:\n{self.log.read_text()}")

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*words: object) -> Running:
        started.append(Running(words, tmp_path_factory.mktemp("log") / "log"))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            try:
                running.process.wait(30)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()


def get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_burst_executes_what_is_there(process, jobbers, desk, shop: Path) -> None:
    good, bad = desk.submit("add", 1), desk.submit("fall", 3)
    mail = desk.submit("send", "Ada", queue="mail")
    answer = process("worker", "shop:app", "--burst", "--threads=2", "--cpu-processes=1", "--name=brisk")
    assert answer.code == 0
    assert answer.out == ""
    assert "worker brisk-" in answer.err
    assert jobbers("result", good).out == "3\n"
    assert jobbers("result", mail).out == "Ada \n"
    assert "fell 3 metres" in jobbers("result", bad, code=1).err


def test_queues_and_roles_of_a_worker(process, desk, shop: Path) -> None:
    first, second = desk.submit("add", 1), desk.submit("send", "Ada", queue="mail")
    assert process("worker", "--burst", "--role=post", "--log-level=error").err == ""
    assert [desk.status(task_id) for task_id in (first, second)] == ["queued", "succeeded"]
    assert process("worker", "--burst", "--queues=default,other").code == 0
    assert desk.status(first) == "succeeded"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--role=no body"], "the role 'no body' is not a legal name"),
        (["--role=post", "--queues=a"], "give queues or a role, not both"),
        (["--queues=a b"], "is not a legal name"),
        (["--concurrency=0"], "--concurrency"),
        (["--concurrency=many"], "--concurrency"),
        (["--log-level=loud"], "--log-level"),
    ],
)
def test_options_of_a_worker_that_make_no_sense(words: list[str], sentence: str, process, shop: Path) -> None:
    answer = process("worker", *words)
    assert answer.code == 2
    assert sentence in answer.err
    assert "Traceback" not in answer.err


def test_a_worker_ends_when_told(run: Start, jobbers, shop: Path) -> None:
    worker = run("worker")
    worker.read_until("serves default, mail")
    task_id = jobbers("submit", "add", "--arg", "a=40", "--wait", "--timeout=20s", "--json").data["id"]
    assert jobbers("result", task_id).out == "42\n"
    assert worker.end(signal.SIGTERM) == 0
    assert jobbers("workers", "--json").data == []


def test_several_workers(run: Start, jobbers, shop: Path) -> None:
    workers = run("worker", "--processes=2", "--name=many")
    deadline = time.monotonic() + 30
    while len(jobbers("workers", "--json").data) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {worker["facts"]["name"] for worker in jobbers("workers", "--json").data} <= {"many", "many-2"}
    assert workers.end(signal.SIGTERM) == 0
    assert jobbers("workers", "--json").data == []


def test_the_command_line_of_one_of_several(jobbers, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def supervise(command: list[str], processes: int) -> int:
        seen.extend([command, processes])
        return 9

    monkeypatch.setattr("jobbers.worker.supervisor.supervise", supervise)
    words = ["--processes=3", "--role=post", "--concurrency=5", "--threads=2", "--burst", "--log-level=debug"]
    jobbers("worker", "shop:app", *words, "--shards=1", code=9)
    (command, processes) = seen
    assert processes == 3
    assert command == [
        *(sys.executable, "-m", "jobbers", "worker", "shop:app"),
        *("--role=post", "--concurrency=5", "--threads=2", "--shards=1", "--log-level=debug", "--burst"),
    ]


def test_api(run: Start, desk, shop: Path) -> None:
    desk.submit("send", queue="mail")
    api = run("api", "--port=0")
    url = api.read_until(r"serving (http://127\.0\.0\.1:\d+)")[1]
    found = get(f"{url}/api/v1/queues")
    assert isinstance(found, dict)
    assert [queue["name"] for queue in found["queues"]] == ["mail"]
    assert api.end(signal.SIGTERM) == 0


def test_requests_are_logged_where_all_is_asked_for(run: Start, shop: Path) -> None:
    said = []
    for more in (["--log-level=debug"], []):
        api = run("api", "--port=0", *more)
        url = api.read_until(r"serving (http://127\.0\.0\.1:\d+)")[1]
        assert get(f"{url}/api/v1/health")
        assert api.end(signal.SIGTERM) == 0
        said.append(api.log.read_text())
    assert ["/api/v1/health" in text for text in said] == [True, False]


def test_api_beyond_this_machine(process, shop: Path) -> None:
    answer = process("api", "--host=0.0.0.0", "--port=0")
    assert answer.code == 2
    assert answer.err.startswith("error: refused to listen on 0.0.0.0")


@pytest.mark.slow
@pytest.mark.timeout(150)  # it starts some ten processes one after the other
def test_dev_restarts_and_ends_everything(
    run: Start, process, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOBBERS_REDIS_URL")
    dev = run("dev", "--port=0")
    dev.read_until("dev: server  unix://")
    dev.read_until("dev: page    http://127.0.0.1:0/admin/")
    dev.read_until("serving http://127")
    dev.read_until("serves default, mail")
    assert process("submit", "add", "--arg", "a=1", "--wait", "--timeout=30s").out == "3\n"
    shop.write_text(shop.read_text().replace("a + b", "a * 100 + b"))
    dev.read_until(r"dev: shop.py changed: restarting[^$]*serves default, mail")
    assert process("submit", "add", "--arg", "a=1", "--wait", "--timeout=30s").out == "102\n"
    shop.write_text("oops")
    dev.read_until(r"importing module 'shop' failed: NameError")
    dev.read_until(r"dev: the worker has ended by itself \(2\)")
    assert dev.end(signal.SIGINT) == 0
    assert dev.log.read_text().endswith("dev: all ended\n")
    assert processes_in(Path.cwd()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has gone")
@pytest.mark.parametrize("words", [["dev", "--port=0"], ["worker", "--processes=2"]])
def test_who_is_killed_leaves_no_processes(
    words: list[str], run: Start, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOBBERS_REDIS_URL")
    first = run(*words)
    first.read_until(r"serves default, mail")
    assert len(processes_in(Path.cwd())) >= 4  # the command, its two processes, and the server
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    deadline = time.monotonic() + 40
    while (left := processes_in(Path.cwd())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes whose current directory lies in a folder, without this one's."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            if (entry / "cwd").readlink().is_relative_to(folder) and entry.name != str(os.getpid()):
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_bench_leaves_nothing_behind(jobbers, desk) -> None:
    found = jobbers("bench", "--tasks=300", "--concurrency=10", "--json").data
    assert (found["tasks"], found["concurrency"]) == (300, 10)
    assert found["submit_per_second"] > 0
    assert found["execute_per_second"] > 0

    async def keys(app: Jobbers) -> list[bytes]:
        gateway = (await app.client()).store.gateway
        found: list[bytes] = await gateway.command("KEYS", "{bench-*")
        return found

    assert desk(keys) == []
    assert re.search(r"^execute  20 tasks in .* a second$", jobbers("bench", "-n", "20").out, re.MULTILINE)


def test_demo_passes_its_options_on(jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def main(**options: object) -> int:
        seen.update(options)
        return 4

    monkeypatch.setattr("jobbers.demo.main", main)
    jobbers("demo", "--files=5", "--workers=3", "--no-kill", "--no-check", "--port=8123", "--keep", code=4)
    assert seen == {"files": 5, "workers": 3, "kill": False, "check": False, "port": 8123, "keep": True}
