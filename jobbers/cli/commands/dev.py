"""``jobbers dev``: server, worker and API in one command, restarted when code changes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from jobbers.cli.commands.api import DEFAULT_HOST, DEFAULT_PORT, Host, Port
from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import AppPath, Server
from jobbers.cli.output import say
from jobbers.cli.running import guarded
from jobbers.settings import load_settings
from jobbers.store.lifeline import tied

cli = new_cli()

GRACE_SECONDS = 5.0
"""How long a child may take to end before a restart; tasks that still run are put back into their queues."""


class Child:
    """A command that runs beside this one, in a process group of its own: Ctrl-C on the terminal reaches only us.
    On Linux it is told to end when we are killed, too."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            *tied(self._command), stdin=asyncio.subprocess.DEVNULL, process_group=0
        )
        self._watch = asyncio.create_task(self._report(self._process))

    async def _report(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        say(f"dev: the {self.name} has ended by itself ({code}); it is started again when a file changes")

    async def stop(self) -> None:
        """End the process: politely, firmly, and by force."""
        process, watch = self._process, self._watch
        if process is None or watch is None:
            return
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        for number, seconds in (
            (signal.SIGTERM, GRACE_SECONDS),
            (signal.SIGTERM, GRACE_SECONDS),
            (signal.SIGKILL, None),
        ):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
                break
        self._process = None


@cli.command()
@guarded
def dev(
    server: Server,
    app: AppPath = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Of the worker.")] = 100,
) -> int:
    """Run everything that an application needs while you work on it: the server if it is embedded, a worker and the API.

    Worker and API are restarted when a Python file below the current directory changes; the server stays, with its data.
    Ctrl-C ends all of it; on Linux so does whatever else ends this command, even kill -9.
    """
    loaded = server.app(app)  # tells what is wrong with the path or the module before anything is started
    path = app or load_settings(server.given()).app
    options = [f"--{name.replace('_', '-')}={value}" for name, value in server.given().items()]
    common = [sys.executable, "-m", "jobbers"]
    children = [
        Child("worker", [*common, "worker", path, f"--concurrency={concurrency}", *options]),
        Child("api", [*common, "api", path, f"--host={host}", f"--port={port}", *options]),
    ]
    try:
        say(f"dev: server  {loaded.connector().display}")
        home = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"dev: page    {home}/admin/")
        say(f"dev: api     {home}/api/v1")
        return asyncio.run(_run(children, Path.cwd()))
    finally:
        loaded.stop_embedded()
        say("dev: all ended")


async def _run(children: Sequence[Child], folder: Path) -> int:
    """Keep the children running and restart them at each change, until Ctrl-C, SIGTERM or the end of the terminal."""
    from watchfiles import PythonFilter, awatch

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    try:
        for child in children:
            await child.start()
        async for changes in awatch(folder, watch_filter=PythonFilter(), stop_event=stopping):
            names = sorted({Path(path).name for _, path in changes})
            say(f"dev: {', '.join(names[:3])}{' and others' if len(names) > 3 else ''} changed: restarting")
            await asyncio.gather(*(child.stop() for child in children))
            for child in children:
                await child.start()
    finally:
        say("dev: ending")
        for child in reversed(children):  # the API first, then the worker, then (by our caller) the server
            await child.stop()
    return ExitCode.OK
