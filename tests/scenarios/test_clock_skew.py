"""Workers whose clocks are wrong. All times are the server's: nothing changes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from jobbers import FolderBlobStore
from tests.scenarios.harness import RECOVERY_SECONDS, STALL, SUCCEEDED, Scene, WorkerProcess

HOUR = 3600

# Imported by every Python process that finds it on its path, before anything else.
SITECUSTOMIZE = """
import os, time
shift = int(os.environ["CLOCK_SHIFT"])
real, real_ns = time.time, time.time_ns
time.time = lambda: real() + shift
time.time_ns = lambda: real_ns() + shift * 1_000_000_000
"""


async def _shifted(scene: Scene, seconds: int, *arguments: str) -> WorkerProcess:
    folder = scene.folder / "shifted"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return await scene.worker(*arguments, env={"PYTHONPATH": str(folder), "CLOCK_SHIFT": str(seconds)})


@pytest.mark.scene(lease=2.0)
async def test_delays_leases_and_retries_go_by_the_servers_clock(scene: Scene) -> None:
    # Ten long tasks do not fit into one worker of eight: both must run some.
    ahead = await _shifted(scene, HOUR, "--concurrency", "8")
    behind = await _shifted(scene, -HOUR, "--concurrency", "8")
    roll = await scene.roll(2)
    clocks = sorted(round((int(info.facts["started"]) - time.time()) / HOUR) for info in roll)
    assert clocks == [-1, 1]
    submitted = time.monotonic()
    delayed = await scene.map("note", range(10), delay=1.0)
    retried = await scene.map("flaky", [1] * 5)
    held = await scene.map("nap", [scene.settings["lease"] + 1.5] * 10)
    await scene.started(*held)
    assert await scene.final([*delayed, *retried, *held]) == {SUCCEEDED: 25}
    delays = [effect.at - submitted for effect in scene.effects.all("start") if effect.note in range(10)]
    assert len(delays) == 10
    assert min(delays) >= 1.0
    assert max(delays) < 1.5 + STALL
    assert scene.effects.count("start") == 10 + 10 + 10
    assert {effect.pid for effect in scene.effects.all("start")} == {ahead.pid, behind.pid}


@pytest.mark.scene(lease=2.0)
@pytest.mark.parametrize("dies", ["ahead", "behind"])
async def test_recovery_goes_by_the_servers_clock(scene: Scene, dies: str) -> None:
    ahead, behind = await _shifted(scene, HOUR), await _shifted(scene, -HOUR)
    victim, other = (ahead, behind) if dies == "ahead" else (behind, ahead)
    tasks = await scene.map("nap", [2.0] * 8)
    await scene.started(*tasks)
    killed = victim.kill()
    assert await scene.final(tasks) == {SUCCEEDED: 8}
    again = [effect for effect in scene.effects.all("start") if effect.attempt == 2]
    assert {effect.pid for effect in again} <= {other.pid}
    assert all(effect.at - killed < RECOVERY_SECONDS for effect in again)


async def test_a_clock_that_is_ahead_does_not_drop_offloaded_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FolderBlobStore(tmp_path / "blobs")
    name = await blobs.put(b"result")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + HOUR)
    assert await blobs.expire(HOUR / 2) == 0
    assert await blobs.get(name) == b"result"
    await asyncio.sleep(0.05)
    assert await blobs.expire(0.01) == 1


async def test_an_empty_blob_store_has_nothing_to_drop(tmp_path: Path) -> None:
    assert await FolderBlobStore(tmp_path / "blobs").expire(1) == 0
    assert not (tmp_path / "blobs").exists()
