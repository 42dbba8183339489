"""The server has reached its memory limit: it takes no new work, and what it has is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobbers import new_id
from jobbers.errors import OutOfMemory
from tests.scenarios.harness import SUCCEEDED, Scene, until

pytestmark = pytest.mark.scene(lease=1.0)


@pytest.fixture(autouse=True)
def server_with_flags(scene: Scene) -> None:
    with scene.server.client() as client:
        if int(client.info("server")["redis_version"].partition(".")[0]) < 7:
            pytest.skip("before Redis 7 a script cannot say that it may go on at the memory limit")


@pytest.fixture
def full(scene: Scene) -> Iterator[None]:
    """No more memory, until the test is over."""
    yield
    with scene.server.client() as client:
        client.config_set("maxmemory", 0)


def fill(scene: Scene) -> None:
    with scene.server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)


@pytest.mark.usefixtures("full")
async def test_nothing_is_taken_and_everything_is_drained(scene: Scene) -> None:
    waiting = await scene.map("nap", [0.05] * 200)
    flaky = await scene.map("flaky", [1] * 20)
    worker = await scene.worker("--concurrency", "20")
    running = await scene.submit("nap", 2.0, priority=9)
    await scene.started(running)
    fill(scene)

    refused = new_id()
    with pytest.raises(OutOfMemory, match="took nothing"):
        await scene.submit("note", id=refused)
    with pytest.raises(OutOfMemory, match="took nothing"):
        await scene.map("note", range(1000))
    assert await scene.final([*waiting, *flaky, running]) == {SUCCEEDED: 221}
    store = (await scene.inspector()).store
    assert await store.inspect.records([refused]) == [None]
    assert worker.code is None

    with scene.server.client() as client:
        client.config_set("maxmemory", 0)
    assert await scene.final([await scene.submit("note", id=refused)]) == {SUCCEEDED: 1}


@pytest.mark.usefixtures("full")
async def test_tasks_of_a_dead_worker_are_taken_back_and_cancelled_ones_end(scene: Scene) -> None:
    first = await scene.worker()
    tasks = await scene.map("nap", [1.0] * 5)
    later = await scene.submit("note", delay=600)
    await scene.started(*tasks)
    fill(scene)
    first.kill()
    assert await later.cancel()
    await until(lambda: scene.stands(later, "cancelled"), "the other one is cancelled")
    await scene.worker()
    assert await scene.final(tasks) == {SUCCEEDED: 5}
