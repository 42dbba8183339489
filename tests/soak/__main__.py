"""``python -m tests.soak --minutes 60``: real processes under load and faults; prints what became of every task."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import redis

from jobbers.store.store import Store
from jobbers.testing.audit import audit_store
from jobbers.testing.history import save
from tests.sim.planted import BUGS
from tests.soak import app as soak_app
from tests.soak import harm, verdict
from tests.soak.load import Load
from tests.soak.plant import VARIABLE
from tests.soak.rig import Fleet, usage

SAMPLE_SECONDS = 5.0
RETENTION = 60.0
HARMS = {
    "kill_every": harm.kill_workers,
    "stop_every": harm.stop_workers,
    "server_every": harm.kill_server,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run; 1 when a promise was broken."""
    given = _parser().parse_args(words)
    if given.bug:
        os.environ[VARIABLE] = given.bug
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    settings = {
        "lease": given.lease,
        "crash_budget": 1000,
        "retention": RETENTION,
        "failed_retention": RETENTION,
    }
    fleet = Fleet(folder, settings, given.concurrency)
    try:
        asyncio.run(_run(given, fleet))
        history = verdict.merge(fleet.history.events, fleet.close_watch())
    finally:
        fleet.end()
    findings = verdict.judge(history)
    print(f"seed {given.seed}, {history[-1]['at'] - history[0]['at']:.0f} s")
    print("\n".join(verdict.summary(history, findings, given.lease)))
    print("\n".join(verdict.shown(findings)) or "every promise kept")
    if given.history or findings:
        path = given.history or Path("history.jsonl")
        save(history, path)
        print(f"the history: {path}; logs: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if findings else 0


async def _run(given: argparse.Namespace, fleet: Fleet) -> None:
    chance = random.Random(given.seed)
    app = soak_app.make_app(redis_url=fleet.url, **fleet.settings)
    fleet.history.add("begun", lease=given.lease, crash_budget=1000)
    for _ in range(given.workers):
        fleet.start_worker()
    load = Load(app, fleet.history, chance, seconds=given.seconds)
    end = time.monotonic() + given.minutes * 60
    harms = [
        asyncio.create_task(
            act(fleet, random.Random(f"{given.seed} {name}"), getattr(given, name), given.lease)
        )
        for name, act in HARMS.items()
        if getattr(given, name)
    ]
    sampler = asyncio.create_task(_sample(fleet))
    try:
        await load.run(given.rate, given.window, end, given.tasks)
    finally:
        for task in harms:
            task.cancel()
        for error in await asyncio.gather(*harms, return_exceptions=True):
            if isinstance(error, Exception):  # what follows may come of it
                print(f"a fault could not be done: {error!r}", file=sys.stderr)
    fleet.history.add("healed")
    left = await load.done(given.patience)
    sampler.cancel()
    fleet.crashed()
    for violation in await _lasting_violations((await app.inspector()).store):
        fleet.history.add("violation", what=violation)
    if left:
        fleet.history.add("violation", what=f"{left} clients wait still")
    fleet.history.add("ended")
    await app.close()


async def _lasting_violations(store: Store) -> set[str]:
    """What two looks find wrong: records expire while one looks."""
    first = set(map(str, await audit_store(store)))
    return first and first & set(map(str, await audit_store(store)))


async def _sample(fleet: Fleet) -> None:
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        fleet.crashed()
        sample = {f"worker_{name}": value for name, value in usage(fleet.workers[0].pid).items()}
        sample["client_descriptors"] = usage(os.getpid())["descriptors"]
        try:
            with fleet.server.client() as client:
                sample["server_memory"] = client.info("memory")["used_memory"] / 2**20
                sample["server_keys"] = client.dbsize()
        except (redis.RedisError, OSError):
            pass
        fleet.history.add("usage", **sample)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long to submit")
    parser.add_argument("--tasks", type=int, help="stop when so many were submitted")
    parser.add_argument("--rate", type=float, default=100.0, help="tasks a second")
    parser.add_argument("--window", type=int, default=500, help="open tasks at most")
    parser.add_argument("--seconds", type=float, default=0.1, help="that a task takes on average")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=20)
    parser.add_argument("--lease", type=float, default=2.0, help="seconds")
    for name in HARMS:
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=float, help="seconds between two such faults; none by default")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to end in after the faults")
    parser.add_argument("--bug", choices=BUGS, help="break the engine on purpose")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--history", type=Path, help="keep the history here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
