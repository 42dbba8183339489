"""Commands in this process and in others, on a real server, in a namespace of its own for each test."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from jobbers import Jobbers
from jobbers.cli.lazy import cli
from jobbers.core.lanes import claim_orders
from jobbers.core.payload import pack
from jobbers.core.task import AttemptError, Claimed
from jobbers.store.embedded import EmbeddedServer, start
from jobbers.store.record import pack_report
from jobbers.store.tasks import Beat, Failure, Success

HOUR_MS = 3_600_000
T = TypeVar("T")

SHOP = """
from jobbers import Jobbers

app = Jobbers(roles={"post": ["mail"]})

@app.task
async def add(a: int, b: int = 2) -> int:
    return a + b

@app.task(queue="mail")
async def send(user: str, code: str = "") -> str:
    return f"{user} {code}"

sums = app.dag("sums")
first = sums.node(add, sums.param("start")).named("first")
sums.node(add, first, 10).named("second")

@app.task
async def fall(depth: int) -> None:
    raise ValueError(f"fell {depth} metres")
"""


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What was printed as JSON."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with start(tmp_path_factory.mktemp("cli"), binary=os.environ.get("JOBBERS_TEST_SERVER")) as started:
        yield started


@pytest.fixture(autouse=True)
def surroundings(server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server, a new namespace and an empty current directory; returns the namespace."""
    for name in [name for name in os.environ if name.startswith("JOBBERS_")]:
        monkeypatch.delenv(name)
    namespace = f"cli-{secrets.token_hex(6)}"
    monkeypatch.setenv("JOBBERS_REDIS_URL", server.url)
    monkeypatch.setenv("JOBBERS_NAMESPACE", namespace)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield namespace
    for name in [name for name in set(sys.modules) - before if lies_in(tmp_path, sys.modules[name])]:
        del sys.modules[name]


def lies_in(folder: Path, module: ModuleType) -> bool:
    """Whether a module, or a package without a file, was imported from below a folder."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(str(place).startswith(str(folder)) for place in places)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application in the current directory, named by JOBBERS_APP."""
    file = tmp_path / "shop.py"
    file.write_text(SHOP)
    monkeypatch.setenv("JOBBERS_APP", "shop")
    return file


@pytest.fixture
def jobbers() -> Command:
    """Run a command in this process and check its exit code."""

    def run(*words: object, code: int = 0, stdin: str | None = None) -> Answer:
        result = CliRunner().invoke(cli, [str(word) for word in words], input=stdin, prog_name="jobbers")
        answer = Answer(result.exit_code, result.stdout, result.stderr)
        assert answer.code == code, answer
        assert "Traceback" not in answer.err, answer.err
        return answer

    return run


@pytest.fixture
def process() -> Command:
    """Run a command in a process of its own."""

    def run(*words: object, env: Mapping[str, str] | None = None) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "jobbers", *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, **(env or {})},
            timeout=50,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@dataclass
class Desk:
    """Does by hand what submitters and workers do."""

    def __call__(self, work: Callable[[Jobbers], Awaitable[T]]) -> T:
        """Do something with a connected app."""

        async def run() -> T:
            async with Jobbers() as app:
                return await work(app)

        return asyncio.run(run())

    def submit(self, kind: str, *args: Any, **options: Any) -> str:
        """Submit a task and return its id."""

        async def work(app: Jobbers) -> str:
            def anything(*args: Any) -> None: ...

            return (await app.task(name=kind)(anything).options(**options).submit(*args)).id

        return self(work)

    def claim(self, queue: str = "default") -> Claimed:
        """Take the one task that is ready."""

        async def work(app: Jobbers) -> Claimed:
            store, lanes = (await app.client()).store, claim_orders([queue])[0]
            (claimed,) = await store.tasks.claim(
                0, f"desk/{secrets.token_hex(4)}", lanes, 1, HOUR_MS, HOUR_MS
            )
            return claimed

        return self(work)

    def succeed(self, value: Any, queue: str = "default") -> str:
        """Claim the one task that is ready, and end it with a result."""
        claimed = self.claim(queue)

        async def work(app: Jobbers) -> list[str]:
            done = Success(claimed.id, claimed.owner, HOUR_MS, "result", pack(value))
            return await (await app.client()).store.tasks.succeed(0, [done])

        assert self(work) == []
        return claimed.id

    def fail(self, message: str = "no such thing", queue: str = "default") -> str:
        """Claim the one task that is ready, and end it as a dead letter."""
        claimed = self.claim(queue)

        async def work(app: Jobbers) -> list[str]:
            store = (await app.client()).store
            now = claimed_at(claimed)
            report = AttemptError(claimed.attempt, "ValueError", message, "Trace of it", "desk", now, now)
            done = Failure(claimed.id, claimed.owner, HOUR_MS, "attempt 1 of 1 failed", pack_report(report))
            return await store.tasks.fail(0, [done])

        assert self(work) == []
        return claimed.id

    def beat(self, claimed: Claimed, step: str, progress: float) -> None:
        """Say where an execution is."""

        async def work(app: Jobbers) -> list[str]:
            beat = Beat(claimed.id, claimed.owner, step, progress, "", "")
            return await (await app.client()).store.tasks.beat([beat])

        assert self(work) == []

    def status(self, task_id: str) -> str:
        """Where a task stands."""

        async def work(app: Jobbers) -> str:
            return await app.handle(task_id).status()

        return self(work)


def claimed_at(claimed: Claimed) -> Any:
    """A time to write into a report."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(claimed.created / 1000, UTC)


@pytest.fixture
def desk() -> Desk:
    return Desk()
