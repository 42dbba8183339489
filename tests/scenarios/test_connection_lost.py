"""A connection breaks during a call: for every script, before it was applied and after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

import pytest

from jobbers import Debounce, Jobbers, Status, TaskHandle, Throttle, chain, group
from jobbers.errors import LimitReached, UnknownOutcome
from jobbers.keyring import Access
from jobbers.store import runs, scripts
from tests.scenarios.harness import CANCELLED, FAILED, PATIENCE, SUCCEEDED, Scene, until
from tests.scenarios.proxy import Fate, Proxy, Rule

BOTH = pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNANSWERED], ids=["before", "after"])
Story = Callable[[Scene, Proxy, Fate], Awaitable[None]]


def script(name: str) -> Callable[[Story], Story]:
    """The story tells of the script of this name."""

    def register(story: Story) -> Story:
        STORIES[name] = story
        return story

    return register


STORIES: dict[str, Story] = {}


@BOTH
@pytest.mark.parametrize("name", scripts.NAMES)
async def test_each_script_counts_once_and_its_caller_learns_the_truth(
    scene: Scene, name: str, fate: Fate
) -> None:
    if name not in STORIES:
        pytest.fail(f"no story for the script {name}")
    await STORIES[name](scene, scene.proxy(), fate)


# What workers call.


async def _watched(scene: Scene, proxy: Proxy, *arguments: str) -> None:
    await scene.worker(*arguments, url=proxy.url)
    await asyncio.sleep(0.2)


async def _hit(rule: Rule) -> None:
    await until(lambda: rule.hits, "the rule has struck")


@script("claim")
async def _claim(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("claim", fate)
    tasks = await scene.map("note", range(20))
    assert await scene.final(tasks) == {SUCCEEDED: 20}
    assert rule.hits
    assert scene.effects.count("start") == 20
    assert {(await task.record()).crashes for task in tasks} == {0}
    assert {(await task.record()).attempt for task in tasks} == {1}


@script("succeed")
async def _succeed(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("succeed", fate)
    tasks = await scene.map("note", range(20))
    assert await scene.final(tasks) == {SUCCEEDED: 20}
    assert rule.hits
    assert scene.effects.count("start") == 20


@script("fail")
async def _fail(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("fail", fate)
    task = await scene.submit("say", "fail", "no such customer")
    assert await task.wait(PATIENCE) is FAILED
    assert rule.hits
    assert scene.effects.count("start") == 1
    assert len((await task.record()).errors) == 1


@script("retry")
async def _retry(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("retry", fate)
    task = await scene.submit("flaky", 1)
    assert await task.result(PATIENCE) == "at last"
    assert rule.hits
    assert [effect.attempt for effect in scene.effects.all("start")] == [1, 2]
    assert len((await task.record()).errors) == 1


@script("snooze")
async def _snooze(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("snooze", fate)
    task = await scene.submit("snooze_once")
    assert await task.result(PATIENCE) == "awake"
    assert rule.hits
    assert [effect.attempt for effect in scene.effects.all("start")] == [1, 1]
    assert (await task.record()).snoozes == 1


@script("release")
async def _release(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    worker = await scene.worker(url=proxy.url, grace=0)
    task = await scene.submit("nap", 4.0)
    await scene.started(task)
    rule = proxy.script("release", fate)
    worker.terminate()
    assert await worker.ended() == 0
    assert rule.hits
    other = await scene.worker()
    assert await task.result(PATIENCE) == f"{task.id} 1 {other.pid}"


@script("renew")
async def _renew(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("renew", fate)
    task = await scene.submit("nap", 5.0)  # a lease is renewed when a third of it is over
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert rule.hits
    assert scene.effects.count("start") == 1


@script("beat")
async def _beat(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("beat", fate)
    task = await scene.submit("walk", 50, 0.1)
    await _hit(rule)
    await until(lambda: _has_step(task), "a later beat arrives")
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert scene.effects.count("start") == 1


async def _has_step(task: TaskHandle[object]) -> bool:
    return bool((await task.record()).step)


@script("collapse")
async def _collapse(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    async with _client(scene, proxy) as app:
        note = app.task_types["note"]
        debounced = note.options(debounce=Debounce(1.0, key="value"))
        throttled = note.options(throttle=Throttle(60))
        for submitter in (debounced, throttled):
            rule = proxy.script("collapse", fate)
            first = await submitter.submit("one")
            assert rule.hits
            rule = proxy.script("collapse", fate)
            second = await submitter.submit("one")
            assert rule.hits
            assert (first, first.attached, second.attached) == (second, False, True)
            scene.note(first)
        rule = proxy.script("collapse", fate)
        scene.note(*set(await debounced.starmap([(number % 5,) for number in range(600)])))
        assert rule.hits
    await scene.worker()
    await scene.final([scene.app.handle(task_id) for task_id in scene.ids])
    assert scene.effects.count("start") == 7


@script("fire")
async def _fire(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("fire", fate)
    task: Any = scene.app.task_types["note"]
    await scene.app.schedules.create("often", task.s(), every=0.2, overlap="allow", missed="all")
    await until(lambda: scene.effects.count("start") >= 5, "slots are started")
    assert rule.hits
    await scene.app.schedules.pause("often")
    await until(scene.quiet, "all has ended")
    started = [effect.task for effect in scene.effects.all("start")]
    assert len(started) == len(set(started)) == (await scene.app.schedules.get("often")).started
    scene.note(*[scene.app.handle(task_id) for task_id in started])


@script("schedule")
async def _schedule(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    app = scene.app_by(proxy.url)
    task: Any = app.task_types["note"]
    for verb in ("create", "pause", "resume", "delete"):
        rule = proxy.script("schedule", fate)
        if verb == "create":
            await app.schedules.create("yearly", task.s(), cron="@yearly")
        else:
            await getattr(app.schedules, verb)("yearly")
        assert rule.hits, verb
        found = {one.name: one.paused for one in await scene.app.schedules.list()}
        assert found == ({} if verb == "delete" else {"yearly": verb == "pause"})
    await app.close()


@script("promote")
async def _promote(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("promote", fate, times=3)
    tasks = await scene.map("note", range(5), delay=0.5)
    assert await scene.final(tasks) == {SUCCEEDED: 5}
    assert rule.hits
    assert scene.effects.count("start") == 5


@script("reclaim")
async def _reclaim(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    victim = await scene.worker(lease=2.0)
    task = await scene.submit("nap", 4.0)
    await scene.started(task)
    victim.stop()
    rule = proxy.script("reclaim", fate, times=8)
    await scene.worker(url=proxy.url)
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert rule.hits
    assert scene.effects.count("start") == 2
    assert (await task.record()).crashes == 1


# What clients call.


def _client(scene: Scene, proxy: Proxy) -> Jobbers:
    return scene.app_by(proxy.url)


@script("submit")
async def _submit(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    async with _client(scene, proxy) as app:
        rule = proxy.script("submit", fate)
        scene.note(await app.task_types["note"].submit(1))
        assert rule.hits
        proxy.script("submit", fate)
        scene.note(*await app.task_types["note"].starmap([(number,) for number in range(600)]))
        proxy.script("submit", fate)
        unique = app.task_types["note"].options(unique="only")
        first, second = await unique.submit(1), await unique.submit(2)
        assert first == second
        scene.note(first)
    await scene.worker()
    await scene.final([scene.app.handle(task_id) for task_id in scene.ids])
    assert scene.effects.count("start") == 602


@script("submit_gated")
async def _submit_gated(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    """What is over a limit is refused; what was taken, and its caller did not hear of it, is not."""
    async with _client(scene, proxy) as app:
        lone = app.task_types["lone"]
        rule = proxy.script("submit_gated", fate)
        scene.note(await lone.submit("a"))
        assert rule.hits
        with pytest.raises(LimitReached):
            await lone.submit("a")
        scene.note(await lone.submit("b"))
    await scene.worker()
    assert await scene.final([scene.app.handle(task_id) for task_id in scene.ids]) == {SUCCEEDED: 2}
    assert scene.effects.count("start") == 2


@script("limit")
async def _limit(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    rule = proxy.script("limit", fate)
    await scene.worker(url=proxy.url)
    assert rule.hits
    app = scene.app_by(proxy.url)
    for verb, amount in (("set", 7), ("reset", 4)):
        rule = proxy.script("limit", fate)
        await (app.limits.set("narrow", 7) if verb == "set" else app.limits.reset("narrow"))
        assert rule.hits, verb
        assert (await scene.app.limits.get("narrow")).amount == amount
    await app.close()


@script("breaker")
async def _breaker(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    rule = proxy.script("breaker", fate)
    await scene.worker(url=proxy.url)
    assert rule.hits
    app = scene.app_by(proxy.url)
    for verb, state in (("trip", "open"), ("reset", "closed")):
        rule = proxy.script("breaker", fate)
        await (app.breakers.trip("guarded") if verb == "trip" else app.breakers.reset("guarded"))
        assert rule.hits, verb
        assert (await scene.app.breakers.get("guarded")).state == state
    await app.close()


@script("permits")
async def _permits(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    """A permit that belongs to nobody comes back, and the line goes on."""
    await _watched(scene, proxy)
    store = (await scene.app.client()).store
    permits = [word for number in range(4) for word in ("inf", f"1 {number}")]
    await store.gateway.command("ZADD", store.shards[0].permits("narrow"), *permits)
    rule = proxy.script("permits", fate)
    tasks = await scene.map("narrow", [0.01] * 6)
    assert await scene.final(tasks) == {SUCCEEDED: 6}
    assert rule.hits
    assert scene.effects.count("start") == 6


@script("launch")
async def _launch(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    async with _client(scene, proxy) as app:
        rule = proxy.script("launch", fate)
        note = app.task_types["note"]
        run = await group(note.s(1), note.s(2)).then(note.s()).submit()
        assert rule.hits
    scene.note(run)
    await scene.worker()
    assert await scene.final([scene.app.run(run.id)]) == {SUCCEEDED: 1}
    assert scene.effects.count("start") == 3


@script("prepare")
async def _prepare(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    """A run of more tasks than one call makes."""
    with mock.patch.object(runs, "PART", 2):
        async with _client(scene, proxy) as app:
            rule = proxy.script("prepare", fate)
            note = app.task_types["note"]
            run = await group(*(note.s(number) for number in range(4))).then(note.s()).submit()
            assert rule.hits
    scene.note(run)
    await scene.worker()
    assert await scene.final([scene.app.run(run.id)]) == {SUCCEEDED: 1}
    assert scene.effects.count("start") == 5


@script("revive")
async def _revive(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    note = scene.app.task_types["note"]
    run = await chain(note.s(1), note.s()).submit()
    await run.cancel()
    scene.note(run)
    async with _client(scene, proxy) as app:
        rule = proxy.script("revive", fate)
        assert await app.run(run.id).retry() == ["note", "note-2"]
        assert rule.hits
    await scene.worker()
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert scene.effects.count("start") == 2
    scene.lives[run.id] += 1


@script("follow")
async def _follow(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("follow", fate)
    note = scene.app.task_types["note"]
    dag = scene.app.dag("follow")
    dag.node(note, dag.node(note, 1)).inline().named("second")
    run = await dag.submit()
    scene.note(run)
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert rule.hits
    assert [effect.attempt for effect in scene.effects.all("start")] == [1, 1]


@script("skip")
async def _skip(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _watched(scene, proxy)
    rule = proxy.script("skip", fate)
    note = scene.app.task_types["note"]
    dag = scene.app.dag("skip")
    dag.node(note, 2).only_if(dag.node(note, 1), equals="nothing").named("second")
    run = await dag.submit()
    scene.note(run)
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert rule.hits
    assert {str(node.status) for node in await run.nodes()} == {SUCCEEDED, "skipped"}
    assert scene.effects.count("start") == 1


async def _mapped(scene: Scene, proxy: Proxy, fate: Fate, name: str) -> None:
    """Thirty items, ten at a time: each becomes one task, whatever was said twice."""
    await _watched(scene, proxy)
    rule = proxy.script(name, fate, times=2)
    dag = scene.app.dag("map")
    dag.map(scene.app.task_types["note"], list(range(30))).at_a_time(10)
    run = await dag.submit()
    scene.note(run)
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert rule.hits == 2
    assert sorted(effect.note for effect in scene.effects.all("start")) == list(range(30))
    assert len(await run.result()) == 30


@script("expand")
async def _expand(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _mapped(scene, proxy, fate, "expand")


@script("suspend")
async def _suspend(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await _mapped(scene, proxy, fate, "suspend")


@script("hold")
async def _hold(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    note = scene.app.task_types["note"]
    run = await chain(note.s(1), note.s()).submit()
    scene.note(run)
    async with _client(scene, proxy) as app:
        rule = proxy.script("hold", fate)
        await app.run(run.id).pause()
        assert rule.hits
        assert [str(node.status) for node in await run.nodes()] == ["blocked", "blocked"]
        rule = proxy.script("hold", fate)
        await app.run(run.id).resume()
        assert rule.hits
    await scene.worker()
    assert await scene.final([run]) == {SUCCEEDED: 1}
    assert scene.effects.count("start") == 2


@script("cancel")
async def _cancel(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    task = await scene.submit("note")
    async with _client(scene, proxy) as app:
        rule = proxy.script("cancel", fate)
        assert await app.handle(task.id).cancel() is True
        assert rule.hits
        assert await app.handle(task.id).cancel() is False
    assert await task.status() is CANCELLED


@script("requeue")
async def _requeue(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    task = await scene.submit("note")
    await task.cancel()
    async with _client(scene, proxy) as app:
        inspector = await app.inspector()
        rule = proxy.script("requeue", fate)
        await inspector.requeue(task.id)
        assert rule.hits
        scene.note(task)
    assert await task.status() is Status.QUEUED
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED
    assert scene.effects.count("start") == 1


@script("purge")
async def _purge(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    await scene.map("note", range(5), queue="heavy")
    await scene.map("note", range(5), queue="heavy", delay=60)
    async with _client(scene, proxy) as app:
        rule = proxy.script("purge", fate)
        assert await (await app.inspector()).purge("heavy") == 10
        assert rule.hits


@script("make_room")
async def _make_room(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    tasks = await scene.map("note", range(5), queue="heavy")
    async with _client(scene, proxy) as app:
        rule = proxy.script("make_room", fate)
        await (await app.inspector()).limit("heavy", 2, "drop_oldest")
        assert rule.hits
    assert [await task.status() for task in tasks] == [FAILED] * 3 + [Status.QUEUED] * 2
    await scene.worker()
    assert await scene.final(tasks[3:]) == {SUCCEEDED: 2}


@script("essential")
async def _essential(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    """With it workers enter the roll, hold the guard of the duties, and open lanes."""
    rule = proxy.script("essential", fate, times=3)
    await scene.worker(url=proxy.url)
    tasks = await scene.map("note", range(5), queue="heavy")
    assert await scene.final(tasks) == {SUCCEEDED: 5}
    await until(lambda: rule.hits == 3, "the rule has struck")
    await scene.roll(1)


@script("drop")
async def _drop(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    worker = await scene.worker()
    tasks = [await scene.app.task_types["say"].submit("fail", "gone") for _ in range(3)]
    await scene.final(tasks)
    worker.terminate()
    async with _client(scene, proxy) as app:
        inspector = await app.inspector()
        rule = proxy.script("drop", fate)
        assert await inspector.drop_dead() in (0, 3)  # how many is all that a lost answer leaves unsaid
        assert rule.hits
        assert (await inspector.counts())["dead"] == 0


@script("watch")
async def _watch(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    task = await scene.submit("note")
    async with _client(scene, proxy) as app:
        rule = proxy.script("watch", fate)
        waiting = asyncio.create_task(app.handle(task.id).wait(PATIENCE))
        await _hit(rule)
        await scene.worker()
        assert await waiting is SUCCEEDED


@script("repair")
async def _repair(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    task = await scene.submit("note")
    with scene.server.client() as client:
        client.delete(f"{scene.prefix}:lane:default:5")
    async with _client(scene, proxy) as app:
        inspector = await app.inspector()
        rule = proxy.script("repair", fate)
        await inspector.check(mend=True)
        assert rule.hits
        assert await inspector.check() == []
    await scene.worker()
    assert await task.wait(PATIENCE) is SUCCEEDED


@script("meter")
async def _meter(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    async with _client(scene, proxy) as app:
        access = Access((await app.client()).store)
        rule = proxy.script("meter", fate)
        assert await access.meter("caller", 0.01, 2) == 0
        assert rule.hits
        # counted once if the first call never arrived, twice if only its answer was lost: never not at all
        assert (await access.meter("caller", 0.01, 2) == 0) == (fate is Fate.LOST)
        assert 0 < await access.meter("caller", 0.01, 2) <= 100


@script("once")
async def _once(scene: Scene, proxy: Proxy, fate: Fate) -> None:
    async with _client(scene, proxy) as app:
        once = (await app.client()).store.once
        rule = proxy.script("once", fate)
        first = await once.begin("place", "one", "call", seed="1", lease_ms=60_000, kept_ms=60_000)
        assert rule.hits
        assert (first.state, first.seed) == ("run", "1")
        other = await once.begin("place", "two", "call", seed="2", lease_ms=60_000, kept_ms=60_000)
        assert other.state == "busy"
        rule = proxy.script("once", fate)
        assert await once.finish("place", "one", b"answer", 60_000)
        assert rule.hits
        again = await once.begin("place", "two", "call", seed="2", lease_ms=60_000, kept_ms=60_000)
        assert (again.state, again.answer) == ("done", b"answer")


# What cannot be known is not claimed.


async def test_an_outcome_that_stays_unknown_is_reported_as_unknown(scene: Scene) -> None:
    proxy = scene.proxy()
    app = scene.app_by(proxy.url, patience=0.5)
    await app.client()
    proxy.script("submit", Fate.UNANSWERED)
    proxy.command("CLIENT", fate=Fate.LOST, times=99)
    with pytest.raises(UnknownOutcome):
        await app.task_types["note"].submit(1)
    await app.close()
    assert (await (await scene.inspector()).counts())["queued"] == 1


@pytest.mark.scene(lease=2.0)
async def test_a_network_that_is_gone_and_comes_back(scene: Scene) -> None:
    """Half-open connections: nothing comes, and nothing ends. Nobody may wait for ever."""
    proxy = scene.proxy()
    cut_off = await scene.worker(url=proxy.url)
    task = await scene.submit("nap", 120.0)
    await scene.started(task)
    proxy.cut()
    await until(lambda: scene.effects.count("cancelled"), "it has fenced itself")
    other = await scene.worker()
    await scene.started(task, times=2)
    assert scene.effects.all("start")[1].pid == other.pid
    await task.cancel()
    await until(lambda: scene.effects.count("cancelled") == 2, "the owner has heard of it")
    other.terminate()
    proxy.mend()
    last = await scene.submit("note")
    assert await last.result(PATIENCE) == f"{last.id} 1 {cut_off.pid}"


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.scene(lease=1.0, crash_budget=1000)
async def test_connections_reset_again_and_again_under_load(scene: Scene) -> None:
    proxy = scene.proxy()
    for _ in range(2):
        await scene.worker("--concurrency", "20", url=proxy.url)
    app = scene.app_by(proxy.url)
    resetting = True

    async def reset() -> None:
        while resetting:
            await asyncio.to_thread(proxy.reset)
            await asyncio.sleep(0.25)

    resetter = asyncio.create_task(reset())
    try:
        for number in range(150):
            scene.note(await app.task_types["flaky"].submit(number % 3))
            scene.note(await app.task_types["nap"].submit(0.01))
            await asyncio.sleep(0.01)
    finally:
        resetting = False
        await resetter
        await app.close()
    assert await scene.final([scene.app.handle(task_id) for task_id in scene.ids], 40) == {SUCCEEDED: 300}
