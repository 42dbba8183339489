"""The application of the scenarios. Each task notes what it does, so that a test can tell how often it was done."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from jobbers import (
    AttemptOver,
    Batch,
    Breaker,
    Fail,
    FolderBlobStore,
    Jobbers,
    Limit,
    Rate,
    Retry,
    Snooze,
    current_task,
)
from jobbers.settings import Settings

SOON = Retry(attempts=3, delay=0.05, jitter=False, backoff="fixed")


def effect(kind: str, note: Any = None) -> None:
    """Do something that the world can see: add a line to a file."""
    path = os.environ.get("SCENE_EFFECTS")
    if path is None:
        return
    task = current_task()
    line = {
        "kind": kind,
        "task": task.id,
        "attempt": task.attempt,
        "pid": os.getpid(),
        "at": time.monotonic(),
        "note": note,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
    finally:
        os.close(descriptor)


async def note(value: Any = None) -> str:
    """Quick work. Returns which execution it was."""
    effect("start", value)
    task = current_task()
    return f"{task.id} {task.attempt} {os.getpid()}"


async def call(service: str) -> None:
    """Ask a service, which is up when there is a file of this name, and hangs when there is one with ``.slow`` behind."""
    effect("start")
    if Path(f"{service}.slow").exists():  # noqa: ASYNC240 - a local file
        await asyncio.sleep(60)
    if not Path(service).exists():  # noqa: ASYNC240 - a local file
        raise ConnectionError(f"{service} is down")


async def nap(seconds: float) -> str:
    """Work that takes a while and can be cancelled."""
    task = current_task()
    effect("start", seconds)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        effect("cancelled")
        raise
    effect("end")
    return f"{task.id} {task.attempt} {os.getpid()}"


async def stubborn(seconds: float) -> str:
    """Work that will not be cancelled."""
    effect("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            effect("cancelled")
    effect("end")
    return "done"


async def bad_loser() -> None:
    """Answers its cancellation with an error of its own."""
    effect("start")
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        raise RuntimeError("the connection pool is closed") from None


async def block(seconds: float) -> str:
    """What an async function must not do: at its first attempt it blocks the event loop."""
    effect("start")
    if current_task().attempt == 1:
        time.sleep(seconds)  # noqa: ASYNC251 - just that is wanted
    effect("end")
    return "unblocked"


def thread_nap(seconds: float) -> str:
    """Plain work in a thread; ends itself when its attempt is over."""
    effect("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
        try:
            current_task().heartbeat("napping")
        except AttemptOver:
            effect("cancelled")
            raise
    effect("end")
    return "rested"


def thread_hang(seconds: float) -> str:
    """Plain work in a thread that nothing can end."""
    effect("start")
    time.sleep(seconds)
    effect("end")
    return "back"


def busy(seconds: float) -> str:
    """Work for a process of its own, which nothing but a kill ends."""
    effect("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    effect("end")
    return f"{os.getpid()}"


def busy_walk(seconds: float) -> str:
    """Says from its process where it is."""
    effect("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        current_task().heartbeat("busy")
        time.sleep(0.02)
    return "arrived"


def crash() -> None:
    """Ends the process that runs it, at its first attempt."""
    effect("start")
    if current_task().attempt == 1:
        os._exit(7)


def leave() -> None:
    """Means to end only itself."""
    effect("start")
    sys.exit(3)


async def leave_async() -> None:
    """Means to end only itself."""
    effect("start")
    sys.exit(3)


async def poison(_value: int = 0) -> None:
    """Takes its worker along, each time."""
    effect("start")
    os.kill(os.getpid(), signal.SIGKILL)


async def weigh(values: list[int]) -> list[int]:
    """A batch. One item takes the worker along, each time."""
    if -1 in values:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(0.05)
    return values


async def flaky(failures: int) -> str:
    """Fails so many times."""
    effect("start")
    if current_task().attempt <= failures:
        raise RuntimeError(f"attempt {current_task().attempt}")
    return "at last"


async def snooze_once() -> str:
    """Puts itself back once."""
    effect("start")
    if current_task().claimed.snoozes == 0:
        raise Snooze(0.1)
    return "awake"


async def walk(steps: int, pace: float) -> str:
    """Says where it is."""
    effect("start")
    for step in range(steps):
        await current_task().heartbeat(f"step {step}", progress=step / steps)
        await asyncio.sleep(pace)
    effect("end")
    return "arrived"


async def walk_long(seconds: float) -> str:
    """Says that it is well, ten times a second."""
    effect("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await current_task().heartbeat("walking")
        await asyncio.sleep(0.1)
    return "arrived"


async def silent(seconds: float) -> None:
    """Promises heartbeats and never beats."""
    effect("start")
    await asyncio.sleep(seconds)


async def silent_first() -> str:
    """Promises heartbeats; keeps it from the second attempt on."""
    effect("start")
    if current_task().attempt == 1:
        await asyncio.sleep(600)
    for _ in range(15):
        await asyncio.sleep(0.1)
        await current_task().heartbeat("alive")
    effect("end")
    return "heard"


async def big(size: int) -> bytes:
    """A result of a certain size."""
    effect("start")
    return bytes(range(256)) * (size // 256)


async def nested(depth: int) -> Any:
    """A result of a certain depth."""
    effect("start")
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


async def unencodable() -> Any:
    """A result that cannot travel."""
    effect("start")
    return object()


HALF_A_CHARACTER = "file \udce9.txt"
"""What a file name that is not UTF-8 looks like in Python."""


async def say(kind: str, text: str) -> None:
    """Ends with a text of the caller's choice, in one of several ways."""
    effect("start")
    kind, _, half = kind.partition(" ")
    text = HALF_A_CHARACTER if half else text
    match kind:
        case "fail":
            raise Fail(text)
        case "error":
            raise ValueError(text)
        case "retry":
            raise Retry(after=0.05) from ValueError(text)
        case "snooze" if current_task().claimed.snoozes == 0:
            raise Snooze(0.05, text)
        case "step":
            await current_task().heartbeat(text)
            await asyncio.sleep(1.1)
        case "wrong":
            raise Fail(ValueError(text))  # type: ignore[arg-type]


async def mute_error() -> None:
    """Its error cannot be shown."""
    effect("start")

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise Mute


class SlowBlobs(FolderBlobStore):
    """Takes its time, as one behind a network does."""

    async def put(self, data: bytes) -> str:
        await asyncio.sleep(float(os.environ["SCENE_SLOW_BLOBS"]))
        return await super().put(data)


def make_app(**settings: Any) -> Jobbers:
    """The application; tests make one for themselves, workers find the one below."""
    chosen = Settings(**settings)
    app = Jobbers(
        settings=chosen, blobs=SlowBlobs(chosen.blob_dir) if "SCENE_SLOW_BLOBS" in os.environ else None
    )
    for function in (
        note,
        nap,
        stubborn,
        bad_loser,
        block,
        poison,
        leave_async,
        big,
        nested,
        unencodable,
        mute_error,
    ):
        app.task(function)
    app.task(batch=Batch(size=10, linger="50ms"))(weigh)
    app.task(thread_nap)
    app.task(thread_hang)
    app.task(leave)
    app.task(retry=Retry(2, delay=0.05, jitter=False))(say)
    app.task(retry=SOON)(flaky)
    app.task(retry=SOON)(snooze_once)
    app.task(name="nap_retrying", retry=SOON)(nap)
    app.task(name="nap_timed", timeout=0.5)(nap)
    app.task(name="nap_or_fail", on_shutdown="fail")(nap)
    app.task(name="nap_to_the_end", on_shutdown="finish")(nap)
    app.task(name="slow_walk", slow_after=0.8, heartbeat=2.5)(walk)
    app.task(walk)
    app.task(walk_long)
    app.task(name="narrow", limits=[Limit(4)], retry=SOON)(nap)
    breaker = Breaker(failures=0.5, of=4, window=60, open_for=1)
    app.task(name="guarded", breaker=breaker, retry=Retry(attempts=100, delay=0.05, jitter=False))(call)
    app.task(name="paced", rates=[Rate(10, per=0.5)], retry=SOON)(note)
    app.task(name="lone", limits=[Limit(1, key="value", full="refuse")])(note)
    app.task(heartbeat=3, retry=SOON)(silent_first)  # a machine may stand still for two seconds
    app.task(heartbeat=0.6, retry=SOON)(silent)
    app.task(process=True, queue="heavy")(busy_walk)
    app.task(process=True, queue="heavy", retry=SOON)(busy)
    app.task(name="busy_timed", process=True, queue="heavy", timeout=3.0)(busy)
    app.task(process=True, queue="heavy", retry=SOON)(crash)
    app.task(name="leave_process", process=True, queue="heavy")(leave)
    if os.environ.get("SCENE_KNOWS_MORE") or not os.environ.get("SCENE_EFFECTS"):
        app.task(name="newer")(note)
    return app


app = make_app()
