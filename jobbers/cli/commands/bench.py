"""``jobbers bench``: how fast this machine and this server submit and execute tasks that do nothing."""

from __future__ import annotations

import secrets
import time
from typing import Annotated

import typer

from jobbers.app import Jobbers
from jobbers.cli.exit_codes import ExitCode
from jobbers.cli.lazy import new_cli
from jobbers.cli.options import Json, Target
from jobbers.cli.output import say, show, show_json
from jobbers.cli.running import guarded
from jobbers.settings import load_settings
from jobbers.store.keys import namespace_pattern

cli = new_cli()

CHUNK = 5_000
SCANNED = 1_000


@cli.command()
@guarded
def bench(
    target: Target,
    tasks: Annotated[int, typer.Option("--tasks", "-n", min=1, help="How many tasks.")] = 20_000,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Of the worker.")] = 100,
    json: Json = False,
) -> int:
    """Measure: submit tasks that do nothing, then execute them with one worker in this process.

    The tasks live in a namespace of their own, which is deleted afterwards.
    """
    from jobbers.worker.loop import run

    given = target.find().settings.model_dump()
    settings = load_settings({**given, "namespace": f"bench-{secrets.token_hex(4)}", "app": ""})
    app = Jobbers(settings=settings)
    try:
        found = run(_measure(app, tasks, concurrency))
    finally:
        app.stop_embedded()
    if json:
        show_json(found)
        return ExitCode.OK
    for verb in ("submit", "execute"):
        seconds, rate = found[f"{verb}_seconds"], found[f"{verb}_per_second"]
        show(f"{verb:<8} {tasks:,} tasks in {seconds:.2f} s: {rate:,.0f} a second")
    return ExitCode.OK


async def _measure(app: Jobbers, tasks: int, concurrency: int) -> dict[str, float]:
    @app.task(retention=60)
    async def nothing(number: int) -> None:
        """Does nothing."""

    from jobbers.worker import Worker

    await app.client()
    try:
        say(f"submitting {tasks:,} tasks that do nothing")
        begun = time.perf_counter()
        for start in range(0, tasks, CHUNK):
            await nothing.map(range(start, min(start + CHUNK, tasks)))
        submitted = time.perf_counter()
        say("executing them")
        await Worker(app, concurrency=concurrency, burst=True).run()
        ended = time.perf_counter()
    finally:
        await _delete_namespace(app)
        await app.close()
    return {
        "tasks": tasks,
        "concurrency": concurrency,
        "submit_seconds": submitted - begun,
        "submit_per_second": tasks / (submitted - begun),
        "execute_seconds": ended - submitted,
        "execute_per_second": tasks / (ended - submitted),
    }


async def _delete_namespace(app: Jobbers) -> None:
    gateway = (await app.client()).store.gateway
    pattern, cursor = namespace_pattern(app.settings.namespace), 0
    while True:
        reply, keys = await gateway.command("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
        if keys:
            await gateway.command("UNLINK", *keys)
        cursor = int(reply)
        if cursor == 0:
            return
