"""A role is given other queues while its workers run: they follow at once, whatever they are about."""

from __future__ import annotations

import asyncio
import time

import pytest

from jobbers.errors import Conflict
from tests.scenarios.harness import CANCELLED, STALL, SUCCEEDED, Scene, WorkerProcess, until

FOLLOWS = 1.0 + STALL
"""A second is promised."""


async def serves(scene: Scene, queues: str) -> None:
    """Wait until the one worker on the roll says that it serves these."""
    inspector = await scene.inspector()

    async def says() -> bool:
        return [worker.facts["queues"] for worker in await inspector.workers()] == [queues]

    await until(says, f"the roll says that {queues} is served", FOLLOWS)


async def at_rest(worker: WorkerProcess) -> None:
    """Let a worker come to the blocking read in which it waits for work."""
    await asyncio.sleep(0.5)
    assert worker.code is None


@pytest.mark.scene(poll_interval=30)
async def test_an_idle_worker_follows_its_role(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail"])
    worker = await scene.worker("--role", "post", "--concurrency", "4")
    assert await scene.final(await scene.map("note", range(4), queue="mail")) == {SUCCEEDED: 4}
    await at_rest(worker)

    letters = await scene.map("note", range(4), queue="letters")
    await roles.set("post", ["letters"], force=True)
    waited = await until(lambda: scene.effects.count("start") >= 8, "the new queue is served")
    assert waited < FOLLOWS
    assert await scene.final(letters) == {SUCCEEDED: 4}
    await serves(scene, "letters")

    await at_rest(worker)
    left = await scene.submit("note", queue="mail")
    assert await scene.final(await scene.map("note", range(4), queue="letters")) == {SUCCEEDED: 4}
    assert await scene.stands(left, "queued")
    await roles.set("post", ["mail", "letters"])
    assert await scene.final([left], FOLLOWS) == {SUCCEEDED: 1}


@pytest.mark.scene(poll_interval=30)
async def test_others_are_woken_for_what_an_idle_worker_gave_up(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail", "letters"])
    follower = await scene.worker("--role", "post")
    await scene.worker("--queues", "mail")
    for _ in range(3):  # both wait for mail now, and the one of the role has waited for longer
        assert await scene.final([await scene.submit("note", queue="mail")]) == {SUCCEEDED: 1}
    await asyncio.sleep(0.5)
    await roles.set("post", ["letters"])
    await until(lambda: "role post has changed" in follower.said(), "it follows")
    await at_rest(follower)
    for number in range(10):
        task = await scene.submit("note", number, queue="mail")
        assert await scene.final([task]) == {SUCCEEDED: 1}
        await asyncio.sleep(0.03)


async def test_a_busy_worker_follows_its_role_and_ends_what_it_runs(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail"])
    await scene.worker("--role", "post", "--concurrency", "4")
    long = await scene.map("nap", [2.5] * 2, queue="mail")
    await scene.started(*long)
    mail = await scene.map("nap", [0.02] * 2000, queue="mail")
    await until(lambda: scene.effects.count("start") > 20, "it is busy")
    letters = await scene.map("nap", [0.02] * 100, queue="letters")
    await roles.set("post", ["letters"], force=True)
    await serves(scene, "letters")
    changed = time.monotonic()
    ids = {task.id for task in mail}
    assert await scene.final(letters) == {SUCCEEDED: 100}
    await asyncio.sleep(max(0.0, changed + 2.0 - time.monotonic()))
    late = [it for it in scene.effects.all("start") if it.task in ids and it.at > changed]
    assert len(late) < 20, "no more than it held already; of those that wait it would have begun hundreds"
    started = {it.task for it in scene.effects.all("start")}
    left = [task for task in mail if task.id not in started]
    assert left, "the mail was done before the change"
    assert await scene.final(long) == {SUCCEEDED: 2}
    assert {it.attempt for it in scene.effects.all("end") if it.task in {task.id for task in long}} == {1}
    assert [(await task.record()).crashes for task in long] == [0, 0]
    await (await scene.app.client()).cancel([task.id for task in left[50:]])
    await roles.set("post", ["mail"])
    ended = await scene.final(mail)
    assert ended == {SUCCEEDED: 2000 - ended[CANCELLED], CANCELLED: len(left[50:])}


async def test_processes_follow_their_role(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail"])
    await scene.worker("--role", "post", "--cpu-processes", "1")
    work = await scene.submit("busy", 0.05)
    assert await scene.stands(work, "queued")
    await roles.set("post", {"mail": 1, "heavy": 3})
    assert await scene.final([work, await scene.submit("note", queue="mail")]) == {SUCCEEDED: 2}


@pytest.mark.scene(poll_interval=30)
async def test_a_change_whose_message_was_lost_is_seen(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail"])
    worker = await scene.worker("--role", "post")
    task = await scene.submit("note", queue="letters")
    await at_rest(worker)
    store = (await scene.app.client()).store
    await store.gateway.command(
        "HSET", store.keys.roles, "post", '{"queues": [["letters", 1]], "strict": false}'
    )
    assert await scene.final([task], FOLLOWS) == {SUCCEEDED: 1}


async def test_a_role_that_nobody_has_defined_is_waited_for(scene: Scene) -> None:
    worker = await scene.worker("--role", "post")
    assert (
        "there is no role 'post' (known: none): this worker claims nothing until it is defined"
        in worker.said()
    )
    task = await scene.submit("note", queue="mail")
    await serves(scene, "")
    assert await scene.stands(task, "queued")
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail", "hevy"])
    assert await scene.final([task], FOLLOWS) == {SUCCEEDED: 1}
    await until(
        lambda: "role post has queue hevy, and there are no tasks for it" in worker.said(), "it warns"
    )
    assert "is heavy meant?" in worker.said()
    assert "role post has queue mail" not in worker.said()

    await roles.reset("post", force=True)
    await until(lambda: worker.said().count("there is no role 'post'") == 2, "it says so again")
    assert worker.code is None
    worker.terminate()
    assert await worker.ended() == 0


async def test_work_is_not_left_unserved_by_mistake(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["mail", "letters"])
    first = await scene.worker("--role", "post")
    second = await scene.worker("--role", "other")
    await scene.roll(2)
    await (await scene.inspector()).pause("mail")
    task = await scene.submit("note", queue="mail")
    with pytest.raises(Conflict, match=r"without role post nobody would serve mail \(1 waiting\)"):
        await roles.set("post", ["letters"])
    await roles.set("post", ["mail"])  # nothing waits in letters, and no type sends there
    await roles.set("other", ["mail"])
    await roles.set("post", ["letters"])  # the other's workers serve it now
    report = await roles.report()
    assert [(role.name, list(role.queues), role.source, len(role.workers)) for role in report.roles] == [
        ("other", ["mail"], "live", 1),
        ("post", ["letters"], "live", 1),
    ]
    assert [(it.queue, it.waiting, it.has_types) for it in report.unserved] == [
        ("default", 0, True),
        ("heavy", 0, True),
    ]
    assert {role.name: list(role.idle) for role in report.roles} == {"other": [], "post": ["letters"]}
    await (await scene.inspector()).resume("mail")
    assert await scene.final([task]) == {SUCCEEDED: 1}
    for worker in (first, second):
        worker.terminate()
        assert await worker.ended() == 0


async def test_strict_roles_take_the_first_queue_first(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", ["urgent", "bulk"], strict=True)
    bulk = await scene.map("note", ["bulk"] * 40, queue="bulk", priority=9)
    urgent = await scene.map("note", ["urgent"] * 40, queue="urgent", priority=0)
    await scene.worker("--role", "post", "--concurrency", "1")
    assert await scene.final([*bulk, *urgent]) == {SUCCEEDED: 80}
    order = [effect.note for effect in scene.effects.all("start")]
    assert order == ["urgent"] * 40 + ["bulk"] * 40


async def test_weights_share_out_a_worker(scene: Scene) -> None:
    roles = await scene.app.live_roles()
    await roles.set("post", {"much": 3, "little": 1})
    tasks = [
        *await scene.map("note", ["little"] * 200, queue="little"),
        *await scene.map("note", ["much"] * 200, queue="much"),
    ]
    await scene.worker("--role", "post", "--concurrency", "1")
    assert await scene.final(tasks) == {SUCCEEDED: 400}
    first = [effect.note for effect in scene.effects.all("start")][:160]
    assert first.count("much") == pytest.approx(120, abs=10)
