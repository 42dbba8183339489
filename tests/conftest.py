"""What tests share: a server for each test process, apps in namespaces of their own, and a check behind every test.

A test that asks for ``app``, ``store`` or ``jobbers_server`` works on a real server, which is started when the first one
does; all others pay nothing. ``JOBBERS_TEST_SERVER`` chooses the program.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import signal
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest

from jobbers import Jobbers
from jobbers.store.connect import Connector, ServerConnector
from jobbers.store.keys import GlobalKeys
from jobbers.store.store import Store
from jobbers.store.url import parse
from jobbers.testing import audit_store, running_worker
from jobbers.testing.keyspace import erase, fresh_namespace, namespaces_of_this_process
from jobbers.testing.pytest_plugin import given_url
from jobbers.worker import Worker

TAG = re.compile(r"\{([^{}:]+)(?::(\d+))?\}")
LASTING_THREADS = ("jobbers-embedded-server",)
PATIENCE = 20.0
"""How long threads and sockets may take to go, in seconds: on a machine that stands still they take some."""


def pytest_configure(config: pytest.Config) -> None:
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # a shell that runs tests in the background passes that on
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers", "leaves_garbage(reason): breaks what the check behind every test would find broken"
    )


def pytest_xdist_auto_num_workers() -> int:
    """Of ``-n auto``: more than there are processors, for most tests wait for something half of the time."""
    return -(-(os.cpu_count() or 1) * 3 // 2)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The event loop that workers use in production."""
    return "asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None}


@pytest.fixture(params=[1, 4], ids=["1-shard", "4-shards"])
def shards(request: pytest.FixtureRequest) -> int:
    """How many shards ``app`` has: what works on one must work on several."""
    number: int = request.param
    return number


@pytest.fixture
async def app(jobbers_server: str, shards: int, tmp_path: Path) -> AsyncIterator[Jobbers]:
    """An open app without tasks, in a namespace of its own, with short intervals."""
    app = Jobbers(
        jobbers_server,
        namespace=fresh_namespace(),
        shards=shards,
        patience=5.0,
        grace=5.0,
        poll_interval=0.5,
        heartbeat_interval=0.02,
        blob_dir=tmp_path,
    )
    async with app:
        yield app
    left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("jobbers-")]
    assert not left, f"still running on the event loop: {left}"


@pytest.fixture
async def store(app: Jobbers) -> AsyncIterator[Store]:
    """A store of its own in the app's namespace."""
    store = await app.open_store("jobbers-test")
    yield store
    await store.close()


class StartWorker(Protocol):
    def __call__(self, app: Jobbers, **options: Any) -> AbstractAsyncContextManager[Worker]: ...


@pytest.fixture
def worker() -> StartWorker:
    """``async with worker(app, concurrency=1):`` runs a real worker inside the test."""
    return running_worker


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that used the server: audit every namespace in it, then empty it; no thread or socket may be left."""
    if "jobbers_server" not in request.fixturenames:
        yield
        return
    url: str = request.getfixturevalue("jobbers_server")
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    everything = given_url(request.config) is None
    found = asyncio.run(audited_and_erased(ServerConnector(parse(url)), everything=everything))
    if request.node.get_closest_marker("leaves_garbage") is None:
        assert not found, "\n".join(["what the test left behind is wrong:", *found])
    new_threads = set(threading.enumerate()) - threads
    for thread in new_threads:
        if thread.name not in LASTING_THREADS:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} still runs"
    end = time.monotonic() + PATIENCE
    while not open_sockets() <= sockets:
        assert time.monotonic() < end, "a socket is still open"
        time.sleep(0.05)


async def audited_and_erased(connector: Connector, *, everything: bool) -> list[str]:
    """What is wrong on the server, which is empty afterwards; or only in namespaces of this process."""
    found: list[str] = []
    for namespace, shards in namespaces(connector).items():
        if everything or namespace.startswith(namespaces_of_this_process()):
            store = Store(connector, namespace=namespace, shards=shards, patience=5.0)
            try:
                found += map(str, await audit_store(store))
                await erase(store)
            finally:
                await store.close()
    client = connector.sync_client()
    left = [str(key) for key in client.scan_iter(count=1000)] if everything else []
    if left:
        client.flushdb()
    client.close()
    return found + [f"{key} belongs to no namespace" for key in left]


def namespaces(connector: Connector) -> dict[str, int]:
    """All namespaces on a server, each with the number of its shards: as written, or as far as keys tell."""
    shards: dict[str, int] = defaultdict(lambda: 1)
    client = connector.sync_client()
    for key in client.scan_iter(count=1000):
        tag = TAG.match(key.decode(errors="replace"))
        if tag is not None:
            shards[tag[1]] = max(shards[tag[1]], int(tag[2] or 0) + 1)
    for namespace, seen in list(shards.items()):
        written = client.hget(GlobalKeys(namespace).meta, "shards")
        shards[namespace] = max(seen, int(written or 1))
    client.close()
    return dict(shards)


def open_sockets() -> set[str]:
    """The sockets that this process holds; empty where the system does not tell."""
    names = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:"):
            names.add(target)
    return names
