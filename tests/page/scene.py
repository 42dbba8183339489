"""A service with a day behind it, for the pictures in the documentation: a media library that makes videos ready to watch.

What happened in the last hour is written by a generator with a fixed seed; what happens now really does.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from jobbers import Jobbers, Limit, Retry, current_task
from jobbers.core.status import Status
from tests.page.stage import Stage

log = logging.getLogger("media")

WORKERS: list[dict[str, Any]] = [
    {"name": "encoder-1", "queues": ["video"], "concurrency": 4},
    {"name": "encoder-2", "queues": ["video"], "concurrency": 4},
    {"name": "general-1", "queues": ["default", "images", "mail"], "concurrency": 16},
]
TRAFFIC = {  # queue, type: tasks a minute, share that fails, share that is retried, seconds that one runs
    ("video", "transcode"): (20, 0.04, 0.05, 9.0),
    ("images", "thumbnail"): (160, 0.0, 0.01, 0.09),
    ("mail", "notify"): (38, 0.03, 0.06, 0.35),
    ("default", "publish"): (12, 0.01, 0.0, 0.02),
    ("default", "probe"): (13, 0.0, 0.0, 0.4),
}


TRACES = "https://traces.example/{trace_id}"


def make_media(url: str, namespace: str) -> tuple[Jobbers, asyncio.Event]:
    """The app. What is long goes on until the event is set."""
    app = Jobbers(
        url,
        namespace=namespace,
        poll_interval=0.2,
        keep_logs="all",
        trace_url=TRACES,
    )
    log.setLevel(logging.INFO)
    gate = asyncio.Event()
    _add_encoding(app, gate)
    _add_rest(app)
    transcode, thumbnail = app.find("transcode"), app.find("thumbnail")
    flow = app.dag("publish_video")
    probe = flow.node(app.find("probe"), flow.param("video")).named("probe")
    high = flow.node(transcode, flow.param("video"), "1080p").after(probe).named("1080p")
    low = flow.node(transcode, flow.param("video"), "480p").after(probe).named("480p")
    stills = flow.map(thumbnail, probe).named("stills")
    captions = flow.node(app.find("captions"), flow.param("video")).after(probe).named("captions")
    package = flow.node(app.find("package"), [high, low, captions]).named("package")
    flow.node(app.find("publish"), package, stills).named("publish")
    return app, gate


def _add_encoding(app: Jobbers, gate: asyncio.Event) -> None:
    @app.task(queue="video", retry=Retry(3, delay=0.1), timeout=timedelta(minutes=30))
    async def transcode(video: str, profile: str = "1080p", seconds: float = 0.0) -> dict[str, Any]:
        """Encode a video in one of the profiles."""
        log.info("encoding %s as %s", video, profile)
        current_task().heartbeat("pass 1 of 2", progress=0.34)
        if "damaged" in video:
            log.warning("no key frame in the first 250 packets")
            raise ValueError(f"{video}: moov atom not found")
        if seconds:
            await asyncio.sleep(seconds)
        else:
            await gate.wait()
        return {"file": video.replace(".mov", f".{profile}.mp4"), "frames": 43_158, "kbit_s": 4_810}

    @app.task(queue="video")
    async def captions(video: str) -> str:
        await asyncio.sleep(0.5)
        return video.replace(".mov", ".vtt")


def _add_rest(app: Jobbers) -> None:
    @app.task(queue="images")
    async def thumbnail(frame: int, width: int = 640) -> str:
        """Cut a still out of a video and scale it."""
        await asyncio.sleep(0.04 + frame % 5 * 0.02)
        return f"still-{frame}.webp"

    @app.task
    async def probe(video: str) -> list[int]:
        """Read what is in a file, and where its scenes begin."""
        await asyncio.sleep(0.25)
        return list(range(0, 240, 20))

    @app.task
    async def package(parts: list[Any]) -> str:
        return "manifest.m3u8"

    @app.task
    async def publish(manifest: str = "manifest.m3u8", stills: list[str] | None = None) -> str:
        return "published"

    @app.task(queue="mail", retry=Retry(3, delay=0.1), limits=[Limit(5, key="channel")])
    async def notify(channel: str, video: str) -> None:
        """Tell the subscribers of a channel about a video."""
        await asyncio.sleep(0.2)
        if channel == "archive":
            raise ConnectionError("smtp.example: 421 too many connections")


async def write_history(stage: Stage, minutes: int = 60) -> None:
    """What became of tasks in the last hour: written where scripts count, as there is no other way to have a past."""
    dice = random.Random(7)
    store = (await stage.app.client()).store
    keys = store.statistics._shards[0]
    last = int(time.time()) // 60
    for minute in range(last - minutes, last):
        trouble = 6.0 if last - 24 <= minute <= last - 19 else 1.0
        counts = Counter[str]()
        for names, traffic in TRAFFIC.items():
            for field, count in _minute(dice, minute, trouble, names, traffic):
                counts[field] += count
        key = keys.stats(minute)
        await store.statistics._gateway.commands(
            [
                ("HSET", key, "||ready|n", 1, "video||ready|n", 3 + minute % 5),
                *(("HINCRBY", key, field, count) for field, count in counts.items() if count),
                ("EXPIRE", key, 86_400),
            ]
        )


def _minute(
    dice: random.Random,
    minute: int,
    trouble: float,
    names: tuple[str, str],
    traffic: tuple[int, float, float, float],
) -> Iterator[tuple[str, int]]:
    """The counters of one type in one minute."""
    start, (rate, fails, retried, seconds) = "|".join(names), traffic
    swing = 1.0 + 0.35 * (minute % 23) / 23 + dice.uniform(-0.12, 0.12)
    counts = {
        "succeeded": round(rate * swing),
        "failed": sum(dice.random() < fails * trouble for _ in range(rate)),
        "retried": sum(dice.random() < retried * trouble for _ in range(rate)),
    }
    for outcome, count in counts.items():
        yield f"{start}|{outcome}", count
        for _ in range(count):
            ran = seconds * dice.lognormvariate(0, 0.4) * 1000
            yield f"{start}|ran|{max(1, math.ceil(2 * math.log2(ran)))}", 1
    yield f"{start}|ran|ms", round(sum(counts.values()) * seconds * 1000)


async def play(stage: Stage) -> dict[str, str]:
    """Let it happen. Returns the ids of what there are pictures of: a ``task`` that runs and a ``run``."""
    await write_history(stage)
    for number in range(14):
        await stage.submit("thumbnail", number)
    for channel in ("science", "music", "archive", "history", "archive", "nature"):
        await stage.submit("notify", channel, f"{channel}-0412.mov")
    for number in (3, 8, 21):
        await stage.submit("transcode", f"upload-{number}-damaged.mov")
    for number in range(4):
        await stage.submit("transcode", f"clip-{number}.mov", "480p", seconds=0.3 + number / 10)
        await stage.submit("probe", f"clip-{number}.mov")
    await _done(stage, Status.FAILED, 5)
    run = await stage.app.dags["publish_video"].submit(video="glaciers.mov")
    running = [
        await stage.submit("transcode", f"{name}.mov", profile)
        for name in ("harbour", "orchard", "night-train")
        for profile in ("1080p", "480p")
    ]
    await _done(stage, Status.RUNNING, 8)
    for name in ("lighthouse", "desert", "rainforest", "old-town", "river", "tides"):
        await stage.submit("transcode", f"{name}.mov")
    transcode = stage.app.find("transcode")
    await stage.app.schedules.create("nightly-cleanup", stage.app.find("probe").s("all"), cron="30 3 * * *")
    await transcode.options(delay=timedelta(hours=2)).submit("premiere.mov")
    await asyncio.sleep(2.5)  # until log lines and presence are written
    return {"run": str(run.id), "task": running[0]}


async def _done(stage: Stage, status: Status, wanted: int) -> None:
    """Wait until so many tasks have a status."""
    inspector = await stage.app.inspector()
    async with asyncio.timeout(30):
        while len((await inspector.tasks(status)).tasks) < wanted:  # noqa: ASYNC110 - nothing tells of every move
            await asyncio.sleep(0.1)
