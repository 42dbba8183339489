"""``jobbers worker``: claim tasks and execute them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.inputs import names
from jobbers.cli.lazy import new_cli
from jobbers.cli.logs import Level, LogLevel, set_up_logging
from jobbers.cli.options import AppPath, Server
from jobbers.cli.running import guarded
from jobbers.core.adaptive import parse_concurrency
from jobbers.store.url import is_embedded

if TYPE_CHECKING:
    from jobbers.app import Jobbers
    from jobbers.worker import Worker

cli = new_cli()


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works."""

    role: Annotated[
        str | None, typer.Option("--role", help="Serve the queues of this role of the application.")
    ] = None
    queues: Annotated[
        str | None,
        typer.Option("--queues", metavar="A,B", help="Serve these queues; by default, those of its tasks."),
    ] = None
    concurrency: Annotated[
        str,
        typer.Option(
            "--concurrency",
            metavar="N|auto",
            help="Tasks at a time, in each process; auto, or auto:4-1000 with bounds, finds it by itself.",
        ),
    ] = "100"
    name: Annotated[str | None, typer.Option("--name", help="The worker's name; made up by default.")] = None
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads for plain functions.")] = (
        None
    )
    cpu_processes: Annotated[
        int | None, typer.Option("--cpu-processes", min=1, help="Processes for functions with process=True.")
    ] = None
    burst: Annotated[bool, typer.Option("--burst", help="End when nothing is left to do.")] = False


@cli.command()
@guarded
def worker(
    options: WorkerOptions,
    server: Server,
    app: AppPath = None,
    processes: Annotated[int, typer.Option("--processes", min=1, help="How many such workers to run.")] = 1,
    log_level: LogLevel = Level.INFO,
) -> int:
    """Run a worker: it claims tasks of its queues and executes them until it is told to end.

    SIGTERM or Ctrl-C ends it: it claims nothing more and gives what runs the grace time. A second one ends it at once;
    what ran is done again elsewhere.
    """
    from jobbers.worker import Worker
    from jobbers.worker.loop import run
    from jobbers.worker.supervisor import supervise

    set_up_logging(log_level)
    loaded = server.app(app)
    try:
        if processes > 1:
            if is_embedded(loaded.settings.redis_url):
                loaded.connector()  # owned by this process, the server outlives each worker
            return supervise(_child(app, options, server, log_level), processes)
        one = Worker(
            loaded,
            queues=names(options.queues),
            role=options.role,
            concurrency=parse_concurrency(options.concurrency, "--concurrency"),
            name=options.name,
            threads=options.threads,
            cpu_processes=options.cpu_processes,
            burst=options.burst,
        )
        run(_work(loaded, one))
        return ExitCode.OK
    finally:
        loaded.stop_embedded()


async def _work(app: Jobbers, worker: Worker) -> None:
    """Run the worker; then close what its tasks may have opened through the app."""
    try:
        await worker.run(signals=True)
    finally:
        await app.close()


def _child(app: str | None, options: WorkerOptions, server: Server, log_level: Level) -> list[str]:
    """The command line of one of several workers."""
    values = {
        "role": options.role,
        "queues": options.queues,
        "concurrency": options.concurrency,
        "name": options.name,
        "threads": options.threads,
        "cpu-processes": options.cpu_processes,
        "redis-url": server.redis_url,
        "namespace": server.namespace,
        "shards": server.shards,
        "log-level": log_level.value,
    }
    given = [f"--{name}={value}" for name, value in values.items() if value is not None]
    burst = ["--burst"] if options.burst else []
    return [sys.executable, "-m", "jobbers", "worker", *([app] if app else []), *given, *burst]
