"""What was accepted, after a failover and after a power failure."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobbers import Jobbers, JobbersError, new_id
from jobbers.errors import UnknownOutcome
from tests.scenarios.harness import PATIENCE, Scene, until
from tests.scenarios.replica import Pair


@pytest.fixture
async def pair(scene: Scene) -> Pair:
    pair = Pair(scene)
    scene.ended.append(pair.close)
    await pair.synced()
    return pair


class Submitters:
    """Submit without a pause and never again what was not accepted; they write down what they were told."""

    def __init__(self, app: Jobbers, number: int = 8) -> None:
        self.accepted: list[str] = []
        self.unknown: list[str] = []
        self._app = app
        self._tasks = [asyncio.create_task(self._run()) for _ in range(number)]

    async def _run(self) -> None:
        while True:
            task_id = new_id()
            try:
                await self._app.task_types["nap"].options(id=task_id).submit(0.01)
                self.accepted.append(task_id)
            except UnknownOutcome:
                self.unknown.append(task_id)
            except JobbersError:
                pass
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _fail_over_under_load(scene: Scene, pair: Pair) -> Submitters:
    """The link is cut for a second before the primary dies."""
    worker = await scene.worker(url=pair.url)
    async with scene.app_by(pair.url, patience=3.0) as app:
        load = Submitters(app)
        await until(lambda: len(load.accepted) > 100, "tasks are accepted")
        before = len(load.accepted)
        pair.cut_link()
        await asyncio.sleep(1.0)
        before = len(load.accepted)
        pair.fail_over()
        await until(lambda: load.unknown or len(load.accepted) > before + 100, "clients are answered again")
        await load.end()
    await scene.app.close()
    scene.app = scene.app_by(scene.server.url)
    await until(scene.quiet, "the worker has done what is left")
    assert worker.code is None
    return load


async def _missing(scene: Scene, ids: list[str]) -> list[str]:
    records = await (await scene.inspector()).store.inspect.records(ids)
    return [task_id for task_id, record in zip(ids, records, strict=True) if record is None]


@pytest.mark.scene(durability="replicated")
async def test_a_failover_loses_nothing_that_a_replica_has_confirmed(scene: Scene, pair: Pair) -> None:
    load = await _fail_over_under_load(scene, pair)
    assert len(load.accepted) > 100
    assert load.unknown  # nobody was told that these are safe
    assert await _missing(scene, load.accepted) == []
    for task_id in load.accepted:
        assert (await scene.app.handle(task_id).wait(PATIENCE)).value == "succeeded"


async def test_without_confirmation_a_failover_loses_what_the_replica_lacked(
    scene: Scene, pair: Pair
) -> None:
    """What the documentation says of ``everysec``; and the test above can fail."""
    load = await _fail_over_under_load(scene, pair)
    assert await _missing(scene, load.accepted) != []


@pytest.mark.scene(durability="replicated", patience=1.5)
async def test_without_a_replica_nothing_is_called_accepted(scene: Scene) -> None:
    task_id = new_id()
    with pytest.raises(UnknownOutcome, match="no replica confirmed"):
        await scene.submit("note", id=task_id)
    worker = await scene.worker()  # it is there all the same, and runs
    assert "with durability=replicated nothing can be accepted" in worker.said()
    handle = scene.app.handle(task_id)
    scene.note(handle)
    assert (await handle.wait(PATIENCE)).value == "succeeded"


@pytest.fixture
def appended(scene: Scene) -> Path:
    (path,) = scene.folder.glob("redis/data/appendonlydir/*.incr.aof")
    return path


def _size(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.scene(server=["--appendfsync", "always"])
async def test_a_power_failure_takes_seconds_back_and_leaves_no_task_in_two_places(
    scene: Scene, appended: Path
) -> None:
    """The append-only file is cut to what it was two seconds before, in the middle of a command. Lost is what came
    after, and nothing else; what is left obeys every rule and is done."""
    fleet = [await scene.worker("--concurrency", "20") for _ in range(2)]
    load = Submitters(scene.app)
    await until(lambda: len(load.accepted) > 100, "tasks are accepted")
    safe, size = list(load.accepted), await asyncio.to_thread(_size, appended)
    await asyncio.sleep(2.0)
    scene.server.kill()
    with appended.open("r+b") as file:
        file.truncate(size + 37)
    scene.server.start()
    await asyncio.sleep(1.5)
    await load.end()
    await until(scene.quiet, "all that is left is done")
    assert [worker.code for worker in fleet] == [None, None]
    gone = set(await _missing(scene, load.accepted))
    assert gone, "nothing was taken back"
    assert gone.isdisjoint(safe)
    left = [task_id for task_id in load.accepted if task_id not in gone]
    records = await (await scene.inspector()).store.inspect.records(left)
    assert {record.status.value for record in records if record} == {"succeeded"}
