"""Queues are drained, purged, limited and emptied into others while tasks are submitted and done."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from jobbers import Jobbers, Retry, Status, TaskHandle
from jobbers.errors import QueueDraining, QueueFull
from tests.scenarios.harness import CANCELLED, FAILED, PATIENCE, SUCCEEDED, Scene, until


async def keep_submitting(
    scene: Scene, stop: asyncio.Event, refused: type[Exception], at_once: int
) -> tuple[list[TaskHandle[str]], int]:
    """Submit calls of some tasks until told to stop; returns what was taken, and how many calls were refused."""
    taken: list[TaskHandle[str]] = []
    refusals = 0
    while not stop.is_set():
        try:
            taken += await scene.map("note", range(at_once), queue="mail")
        except refused:
            refusals += 1
            await asyncio.sleep(0.005)
        await asyncio.sleep(0)
    return taken, refusals


async def test_a_queue_is_drained_under_load(scene: Scene) -> None:
    await scene.worker("--queues", "mail,default", "--concurrency", "20")
    inspector = await scene.inspector()
    stop = asyncio.Event()
    submitters = [
        asyncio.create_task(keep_submitting(scene, stop, QueueDraining, size)) for size in (1, 3, 20)
    ]
    retried = [await scene.submit("flaky", 2, queue="mail") for _ in range(5)]
    await until(lambda: scene.effects.count("start") > 100, "it is under load")
    late = await scene.submit("note", queue="mail", delay=1.0)
    await inspector.drain("mail")
    with pytest.raises(QueueDraining, match="queue mail is drained"):
        await scene.submit("note", queue="mail")
    await asyncio.sleep(0.5)
    stop.set()
    results = await asyncio.gather(*submitters)
    assert all(refusals for _, refusals in results)
    tasks = [task for taken, _ in results for task in taken]
    assert await scene.final([*tasks, *retried, late]) == {SUCCEEDED: len(tasks) + 6}
    (queue,) = [queue for queue in await inspector.queues() if queue.name == "mail"]
    assert (queue.depth, queue.draining) == (0, True)
    assert scene.effects.count("start") == len(tasks) + 5 * 3 + 1

    await inspector.resume("mail")
    assert await scene.final([await scene.submit("note", queue="mail")]) == {SUCCEEDED: 1}


async def test_a_call_over_several_queues_is_refused_whole(scene: Scene) -> None:
    await (await scene.inspector()).drain("heavy")
    app = scene.app
    client = await app.client()
    specs = [
        app.task_types[name].options(queue=queue).spec([0], {})
        for name, queue in (("note", "default"), ("note", "heavy"), ("nap", "default"))
    ]
    with pytest.raises(QueueDraining):
        await client.submit(specs)
    counts = await (await scene.inspector()).counts()
    assert counts["queued"] == 0
    await (await scene.inspector()).resume("heavy")
    await (await scene.inspector()).limit("default", 1000)
    many = app.task_types["note"].starmap([(number,) for number in range(1500)])
    with pytest.raises(QueueFull):  # it takes three calls to the server
        await many
    assert (await (await scene.inspector()).counts())["queued"] == 0


async def test_a_queue_is_purged_under_load(scene: Scene) -> None:
    await scene.worker("--queues", "mail", "--concurrency", "4")
    inspector = await scene.inspector()
    slow = await scene.map("nap", [4.0] * 4, queue="mail")
    await scene.started(*slow)
    ready = await scene.map("nap", [0.01] * 3000, queue="mail")
    due = await scene.map("note", range(300), queue="mail", delay=3600)
    other = await scene.submit("note", queue="other", delay=3600)
    stop = asyncio.Event()
    load = asyncio.create_task(keep_submitting(scene, stop, RuntimeError, 5))
    await asyncio.sleep(0.3)
    purged = await inspector.purge("mail")
    stop.set()
    more, _ = await load
    ended = await scene.final([*slow, *ready, *due, *more], 40)
    assert ended[CANCELLED] == purged >= 3300 - 50
    assert ended[CANCELLED] + ended[SUCCEEDED] == 3304 + len(more)
    assert await scene.final(slow) == {SUCCEEDED: 4}  # what ran went on
    assert {str(await task.status()) for task in due} == {"cancelled"}
    assert await scene.stands(other, "scheduled")
    await other.cancel()


async def test_a_queue_is_never_longer_than_it_may_be(scene: Scene) -> None:
    inspector = await scene.inspector()
    await inspector.limit("mail", 50)
    await scene.worker("--queues", "mail", "--concurrency", "10")
    stop = asyncio.Event()
    submitters = [asyncio.create_task(keep_submitting(scene, stop, QueueFull, size)) for size in (1, 7, 30)]
    store, longest = inspector.store, 0
    for _ in range(150):
        longest = max(longest, await store.queues.depth("mail"))
        await asyncio.sleep(0.005)
    stop.set()
    results = await asyncio.gather(*submitters)
    assert longest <= 50
    assert sum(refusals for _, refusals in results)
    tasks = [task for taken, _ in results for task in taken]
    assert await scene.final(tasks) == {SUCCEEDED: len(tasks)}


async def test_the_oldest_make_room(scene: Scene) -> None:
    inspector = await scene.inspector()
    await inspector.limit("mail", 40, "drop_oldest")
    await inspector.pause("mail")
    tasks: list[TaskHandle[str]] = []
    for size in (1, 39, 25, 60):
        tasks += await scene.map("note", range(size), queue="mail")
        await asyncio.sleep(0.005)
        assert await inspector.store.queues.depth("mail") == min(40, len(tasks))
    await scene.worker("--queues", "mail")
    await inspector.resume("mail")
    assert await scene.final(tasks) == Counter({SUCCEEDED: 40, FAILED: 85})
    assert [await task.status() for task in tasks] == [FAILED] * 85 + [SUCCEEDED] * 40
    assert (await tasks[0].record()).reason == "dropped: queue mail was full"
    for task in tasks[:5]:
        await inspector.requeue(task.id)
    scene.note(*tasks[:5])
    await until(scene.quiet, "those are done, too")


async def test_limits_in_code(scene: Scene) -> None:
    app = scene.app_by(scene.server.url)
    app.queue("mail", max_length=3)
    async with app:
        tasks = await app.task_types["note"].options(queue="mail").starmap([(1,), (2,), (3,)])
        scene.note(*tasks)
        with pytest.raises(QueueFull):  # also for clients that know nothing of it
            await scene.submit("note", queue="mail")
        await (await app.inspector()).limit("mail", None)
        tasks.append(await scene.submit("note", queue="mail"))
        async with scene.app_by(scene.server.url) as other:
            (queue,) = await (await other.inspector()).queues()
            assert (queue.name, queue.max_length) == ("mail", None)
        await scene.worker("--queues", "mail")
        assert await scene.final(tasks) == {SUCCEEDED: 4}


async def test_types_are_sent_elsewhere(scene: Scene) -> None:
    await scene.worker("--queues", "letters")
    inspector = await scene.inspector()
    one, other = scene.app_by(scene.server.url), scene.app_by(scene.server.url)
    async with one, other:
        for app in (one, other):  # both have looked, and go by that for a second at most
            task = await app.task_types["note"].submit(0)
            assert (await task.record()).queue == "default"
            scene.note(task)
        await inspector.route("note", "letters")
        await asyncio.sleep(1.1)
        alone = await one.task_types["note"].options(priority=7).submit(1)
        together = await other.task_types["note"].starmap([(number,) for number in range(5)])
        apart = await other.task_types["nap"].submit(0)
        tasks = [alone, *together]
        scene.note(*tasks, apart)
        assert await scene.final(tasks) == {SUCCEEDED: 6}
        assert ((await alone.record()).queue, (await alone.record()).priority) == ("letters", 7)
        assert (await apart.record()).queue == "default"
        await inspector.unroute("note")
        await asyncio.sleep(1.1)
        back = await one.task_types["note"].submit(1)
        scene.note(back)
        assert (await back.record()).queue == "default"
        await scene.worker()
        assert await scene.final([apart, back]) == {SUCCEEDED: 2}
        await until(scene.quiet, "all are done")


async def test_runs_go_on_in_a_drained_queue(scene: Scene) -> None:
    app = Jobbers(
        scene.server.url, namespace=scene.settings["namespace"], blob_dir=scene.settings["blob_dir"]
    )

    @app.task(name="note", queue="mail", retry=Retry(2))
    async def note(value: object = None) -> str: ...

    dag = app.dag("two")
    dag.node(note, dag.node(note).named("first")).named("second")
    async with app:
        await (await app.inspector()).drain("mail")
        run = await dag.submit()
        await scene.worker("--queues", "mail")
        assert await run.wait(PATIENCE) is Status.SUCCEEDED
