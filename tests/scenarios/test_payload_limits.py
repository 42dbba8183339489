"""Arguments, results and texts that are too large, too deep or cannot be written: refused or cut, never poison."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgpack
import pytest

from jobbers import FolderBlobStore
from jobbers.client import new_id
from jobbers.core.task import Placement, TaskSpec
from jobbers.errors import InvalidArgument, PayloadTooLarge
from tests.scenarios.harness import FAILED, PATIENCE, SUCCEEDED, Scene, until

HALF_A_CHARACTER = "file \udce9.txt"
"""What a file name that is not UTF-8 looks like in Python."""


@pytest.mark.scene(max_payload=10_000)
async def test_arguments_are_refused_before_anything_is_written(scene: Scene) -> None:
    note = scene.app.task_types["note"]
    deep: Any = "bottom"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(PayloadTooLarge):
        await note.submit("x" * 10_001)
    with pytest.raises(PayloadTooLarge):
        await note.submit(deep)
    with pytest.raises(PayloadTooLarge):
        await note.map(["fits", "x" * 10_001])
    with pytest.raises(InvalidArgument):
        await note.submit(HALF_A_CHARACTER)
    with pytest.raises(InvalidArgument):
        await note.submit(2**70)
    inspector = await scene.inspector()
    assert (await inspector.counts())["queued"] == 0


@pytest.mark.scene(max_result=200_000, offload_above=50_000)
async def test_results_are_offloaded_refused_or_stored(scene: Scene) -> None:
    worker = await scene.worker()
    for size in (256, 49_920, 51_200, 199_680):
        task = await scene.submit("big", size)
        assert len(await task.result(PATIENCE)) == size
    too_large = await scene.submit("big", 256_000)
    too_deep = await scene.submit("nested", 100)
    no_way = await scene.submit("unencodable")
    assert await scene.final([too_large, too_deep, no_way]) == {FAILED: 3}
    assert "the limit is 200,000" in str((await too_large.record()).reason)
    assert "nested deeper" in str((await too_deep.record()).reason)
    assert "cannot be stored" in str((await no_way.record()).reason)
    assert worker.code is None
    assert scene.effects.count("start") == 7


@pytest.mark.scene(lease=1.0, offload_above=1024)
async def test_an_offload_may_take_longer_than_the_lease(scene: Scene) -> None:
    worker = await scene.worker(env={"SCENE_SLOW_BLOBS": "3"})
    task = await scene.submit("big", 4096)
    assert len(await task.result(PATIENCE)) == 4096
    assert scene.effects.count("start") == 1
    assert worker.code is None


@pytest.mark.scene(offload_above=1024)
async def test_an_offload_that_fails_is_a_failure_with_a_reason(scene: Scene) -> None:
    blocked = scene.folder / "no-folder"
    blocked.write_text("")
    worker = await scene.worker(blob_dir=str(blocked))
    task = await scene.submit("big", 4096)
    assert await task.wait(PATIENCE) is FAILED
    assert "could not be offloaded" in str((await task.record()).reason)
    last = await scene.submit("note")
    assert await last.wait(PATIENCE) is SUCCEEDED
    assert worker.code is None


async def test_whatever_a_task_says_can_be_written(scene: Scene) -> None:
    worker = await scene.worker()
    for kind in ("fail", "error", "retry", "snooze", "step", "wrong"):
        texts = ["x" * 1_000_000, "\x00\x1b[31m", ""]
        tasks = [await scene.submit("say", kind, text) for text in texts]
        # Half a character cannot travel, so the task makes it itself.
        tasks.append(await scene.submit("say", f"{kind} half", ""))
        expected = SUCCEEDED if kind in ("snooze", "step") else FAILED
        assert await scene.final(tasks) == {expected: 4}
        for task in tasks:
            record = await task.record()
            assert len(record.reason or "") <= 500
            assert all(len(error.message) <= 2_000 for error in record.errors)
            assert all(len(error.traceback) <= 8_000 for error in record.errors)
            assert len(record.step or "") <= 200
            assert scene.effects.count("start", task) <= 2
    assert worker.code is None


async def test_an_error_that_cannot_be_shown(scene: Scene) -> None:
    worker = await scene.worker()
    task = await scene.submit("mute_error")
    assert await task.wait(PATIENCE) is FAILED
    (error,) = (await task.record()).errors
    assert "its __str__ raised RuntimeError" in error.message
    assert worker.code is None


UNREADABLE = {
    "empty": b"",
    "garbage": b"\xff\xfe garbage",
    "cut": msgpack.packb([1, [], {}, {}])[:-1],
    "text": msgpack.packb("not an envelope"),
    "too many": msgpack.packb([1, [1, 2, 3, 4, 5, 6], {}]),
    "unknown": msgpack.packb([1, [], {"no such parameter": 1}]),
    "deep": b"\x93\x01" + b"\x91" * 5_000 + b"\xc0\x80",
    "bomb": b"\xdd\xff\xff\xff\xff",
}


async def test_arguments_that_cannot_be_read_make_dead_letters(scene: Scene) -> None:
    """As another program, or an older one, may have written them. The bytes are kept."""
    worker = await scene.worker()
    store = (await scene.inspector()).store
    tasks = {}
    for name, envelope in UNREADABLE.items():
        task_id = new_id()
        await store.tasks.submit([TaskSpec(task_id, Placement("nap", "default", 5), envelope)])
        tasks[name] = scene.app.handle(task_id)
    scene.note(*tasks.values())
    neighbours = await scene.map("note", range(5))
    assert await scene.final(neighbours) == {SUCCEEDED: 5}
    assert Counter([await task.wait(PATIENCE) for task in tasks.values()]) == {FAILED: len(UNREADABLE)}
    with scene.server.client() as client:
        for name, task in tasks.items():
            assert "its arguments cannot be read" in str((await task.record()).reason), name
            short = client.hget(f"{scene.prefix}:task:{task.id}", "env")
            assert (short or client.get(f"{scene.prefix}:args:{task.id}") or b"") == UNREADABLE[name], name
    assert worker.code is None


async def test_results_that_lie_elsewhere_come_back(scene: Scene) -> None:
    """Above the limit a result goes to the blob store, and ``result()`` brings it back, also to another program."""
    await scene.worker()
    size = 10 * 1024 * 1024
    task = await scene.submit("big", size)
    assert len(await task.result(PATIENCE)) == size
    async with scene.app_by(scene.server.url) as other:
        assert len(await other.handle(task.id).result(PATIENCE)) == size
    with scene.server.client() as client:
        name = client.hget(f"{scene.prefix}:task:{task.id}", "blob")
        assert client.memory_usage(f"{scene.prefix}:task:{task.id}") < 2_000
    assert name is not None
    assert len(await FolderBlobStore(scene.folder / "blobs").get(name.decode())) > size
    await until(scene.quiet, "nothing is left")
