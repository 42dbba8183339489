"""A Redis for a project that has none: find a server binary, then start it or join the one already running.

Everything lives in one folder of the project, so that every process started there finds the same server:

    .jobbers/.gitignore          *
    .jobbers/redis/              mode 0700
        server.sock              how to reach it; in a temporary folder where this path would be too long
        server.lock              held by the server itself for as long as it lives
        server.log
        data/                    the append-only file

Who starts it owns it: it ends with the owner, even one killed with ``kill -9`` (on Linux; elsewhere such a
server stays, and the next start joins it). Who joined loses it at that moment. A joiner must therefore be
ready for a server that goes away, and may :func:`start` again: one of them becomes the next owner, over the
same data.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from jobbers.errors import ServerUnavailable
from jobbers.store.binaries import Binary, available_binaries, find_binary
from jobbers.store.lifeline import tied
from jobbers.store.server_home import ServerHome

__all__ = ["Binary", "EmbeddedServer", "available_binaries", "find_binary", "start"]


READY_TIMEOUT: Final = 60.0  # seconds; a large append-only file takes a while to load

_POLL: Final = 0.02  # seconds between two looks at a server that is starting
_ANSWER_TIMEOUT: Final = 5.0  # seconds for one answer

_FLAGS: Final = (
    *("--port", "0", "--unixsocketperm", "700", "--daemonize", "no", "--always-show-logo", "no"),
    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
    *("--maxmemory-policy", "noeviction"),
)


def start(
    directory: Path | None = None,
    *,
    binary: Path | str | None = None,
    extra_args: Sequence[str] = (),
    parent_death: bool = True,
) -> EmbeddedServer:
    """Join the server that lives in ``directory``, or start one there. Blocks until it answers.

    Args:
        directory: The project's folder for it; ``.jobbers`` in the current directory by default.
        binary: What to start, as in :func:`find_binary`; a server that is joined may be another one.
        extra_args: Server options such as ``("--maxmemory", "100mb")``; they win over the defaults.
        parent_death: Whether a server started here ends with this process. If not, only ``stop()`` ends it.

    Raises:
        EmbeddedUnavailable: there is no server binary to start.
        ServerUnavailable: the folder cannot be used, or the server ends or stays silent instead of answering;
            then the message quotes the last lines of its log.
    """
    deadline = time.monotonic() + READY_TIMEOUT
    try:
        home = ServerHome.prepare(directory or Path.cwd() / ".jobbers")
        while time.monotonic() < deadline:
            with home.lock() as lock:
                if lock is not None:
                    return _launch(home, lock, binary, extra_args, parent_death)
            # Somebody holds the lock: a server that is alive, is starting, or is still writing as it ends.
            socket = home.socket()
            if socket is not None and (info := _server_info(socket)) is not None:
                return EmbeddedServer(socket, info)
            time.sleep(_POLL)
    except OSError as error:
        raise ServerUnavailable(
            f"the folder {str(directory or '.jobbers')!r} cannot hold an embedded server: {error}. "
            "Use embedded:///another/folder on a local disk that this user may write to."
        ) from error
    raise ServerUnavailable(
        f"the server that holds {home.lock_file} did not answer within {READY_TIMEOUT:g} s: "
        f"end it, or wait for its end.{home.log_tail()}"
    )


class EmbeddedServer:
    """A running server that this process started or joined; a context manager that stops it at its end.

    One that this process started is stopped at the exit of the interpreter too, unless it was started with
    ``parent_death=False``. A fork of the owner does not own it.

    Attributes:
        url: Where it answers, ``unix:///…sock?db=0``.
        owned: True when this process started it, False when it joined one that was alive.
        version: Its version, as in ``9.1.2``.
        binary: The program that it runs.
        pid: Its process id.
    """

    url: str
    owned: bool
    version: str
    binary: Path
    pid: int

    def __init__(self, socket: Path, info: Mapping[str, Any], keeper: _Keeper | None = None) -> None:
        self.url = f"unix://{quote(str(socket))}?db=0"
        self.owned = keeper is not None
        self.version = str(info.get("valkey_version") or info["redis_version"])
        self.binary = Path(str(info["executable"]))
        self.pid = int(info["process_id"])
        self._keeper = keeper
        self._owner_pid = os.getpid()

    def stop(self, *, timeout: float = 10.0) -> None:
        """End the server if this process owns it, and wait for that; may be called again.

        It writes and fsyncs its append-only file first. After ``timeout`` seconds it is killed instead: that
        loses nothing it has answered to, since it writes before it answers (a machine that crashes might).
        """
        if self._keeper is not None and os.getpid() == self._owner_pid:
            self._keeper.end(signal.SIGTERM, timeout)
            atexit.unregister(self.stop)

    def kill(self) -> None:
        """End the server with SIGKILL and wait for that: how tests play a crash.

        Raises:
            RuntimeError: this process does not own the server.
        """
        if self._keeper is None or os.getpid() != self._owner_pid:
            raise RuntimeError("only the process that started an embedded server may kill it")
        self._keeper.end(signal.SIGKILL, 0)
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        role = "owned" if self.owned else "joined"
        return f"<EmbeddedServer {self.url} version={self.version} pid={self.pid} {role}>"


def _launch(
    home: ServerHome, lock: int, binary: Path | str | None, extra_args: Sequence[str], parent_death: bool
) -> EmbeddedServer:
    """Start a server that inherits ``lock``, a file descriptor, and wait until it answers."""
    found = find_binary(None if binary is None else str(binary))
    home.refuse_older(found)
    home.trim_log()
    socket = home.choose_socket()
    command = [str(found.path), *_FLAGS, "--unixsocket", str(socket), "--dir", str(home.data)]
    command += ["--logfile", str(home.log), *extra_args]
    if parent_death:
        command = tied(command)
    keeper = _Keeper(command, log=home.log, cwd=home.data, lock=lock)
    try:
        keeper.start()
    except OSError as error:
        raise ServerUnavailable(f"{found} could not be run: {error}.") from error
    try:
        server = EmbeddedServer(socket, _wait_until_ready(home, found, socket, keeper), keeper)
    except BaseException:
        keeper.end(signal.SIGKILL, 0)
        raise
    if parent_death:
        atexit.register(server.stop)
    return server


def _wait_until_ready(home: ServerHome, binary: Binary, socket: Path, keeper: _Keeper) -> Mapping[str, Any]:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        if (info := _server_info(socket)) is not None:
            return info
        if keeper.ended.wait(_POLL):
            code = keeper.process.result().returncode
            raise ServerUnavailable(f"{binary} ended with exit code {code} as it started.{home.log_tail()}")
    raise ServerUnavailable(f"{binary} did not answer within {READY_TIMEOUT:g} s.{home.log_tail()}")


def _server_info(socket: Path) -> Mapping[str, Any] | None:
    """What the server on ``socket`` says of itself, or None while it is absent or still loads its data."""
    with redis.Redis(
        unix_socket_path=str(socket),
        socket_timeout=_ANSWER_TIMEOUT,
        socket_connect_timeout=_ANSWER_TIMEOUT,
        retry=Retry(NoBackoff(), 0),  # the callers look again by themselves, and sooner
        protocol=2,
    ) as client:
        try:
            client.ping()  # INFO alone would be answered while it loads
            info: Mapping[str, Any] = client.info("server")
        except (BusyLoadingError, RedisConnectionError, RedisTimeoutError):
            return None
    return info


class _Keeper(threading.Thread):
    """Forks the server and waits for its end, in one thread that lives for as long as both processes.

    The kernel counts a parent as dead when the *thread* that forked ends. Forked by the caller's thread,
    which may be one of an executor, the server would end with that thread while the process goes on.
    """

    def __init__(self, command: list[str], *, log: Path, cwd: Path, lock: int) -> None:
        super().__init__(name="jobbers-embedded-server", daemon=True)
        self.process: Future[subprocess.Popen[bytes]] = Future()
        self.ended = threading.Event()
        self._command, self._log, self._cwd, self._lock = command, log, cwd, lock

    def start(self) -> None:
        """Start the thread and the server.

        Raises:
            OSError: the process could not be made.
        """
        super().start()
        self.process.result()

    def run(self) -> None:
        try:
            process = self._fork()
        except BaseException as error:
            self.process.set_exception(error)
            return
        self.process.set_result(process)
        process.wait()
        self.ended.set()

    def end(self, how: signal.Signals, timeout: float) -> None:
        """Send the signal ``how`` and wait for the end; force it after ``timeout`` seconds."""
        process = self.process.result()
        process.send_signal(how)
        if not self.ended.wait(timeout):
            process.kill()
            self.ended.wait()

    def _fork(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,  # what it says before it opens its log by itself
                stderr=log,
                cwd=self._cwd,
                pass_fds=(self._lock,),
                umask=0o077,
                # Ctrl-C reaches all of the terminal's process group: a worker still has to finish its writes.
                start_new_session=True,
            )
