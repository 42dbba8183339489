"""What tasks log is kept with them where that is asked for: whole, bounded, and as long as their record."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest

from jobbers import Batch, Fail, Jobbers, current_task, new_id
from jobbers.context import CurrentTask, running_task
from jobbers.core.ids import shard_of
from jobbers.core.task import Claimed
from jobbers.errors import TaskFailed
from jobbers.store.logs import LONGEST_LINE, MOST_LINES, LogStore, pack_line, read_line
from jobbers.worker import task_logs
from jobbers.worker.task_logs import TaskLogs, kept_types
from tests.conftest import StartWorker

log = logging.getLogger("shop")


@pytest.fixture
def keeping(app: Jobbers) -> Jobbers:
    """An app that keeps the logs of two types."""
    app.settings = app.settings.model_copy(update={"keep_logs": "talk, shout"})
    return app


async def messages(app: Jobbers, task_id: str) -> list[str]:
    return [line.message for line in await (await app.inspector()).logs(task_id)]


async def test_lines_find_their_task(keeping: Jobbers, worker: StartWorker) -> None:
    @keeping.task
    async def talk(name: str) -> None:
        log.warning("%s on the loop", name)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(log.error, "%s in a thread", name)

    @keeping.task
    def shout() -> None:
        log.warning("from a plain function, attempt %d", current_task().attempt)
        raise Fail("no")

    @keeping.task
    async def mumble() -> None:
        log.warning("nobody keeps this")

    async with worker(keeping):
        handles = [await talk.submit("Ada"), await talk.submit("Bob")]
        loud, quiet = await shout.submit(), await mumble.submit()
        for handle in (*handles, quiet):
            await handle.result(20)
        with pytest.raises(TaskFailed):
            await loud.result(20)
    for handle, name in zip(handles, ("Ada", "Bob"), strict=True):
        assert await messages(keeping, handle.id) == [f"{name} on the loop", f"{name} in a thread"]
    first, *_ = await (await keeping.inspector()).logs(handles[0].id)
    assert (first.level, first.logger, first.attempt) == ("warning", "shop", 1)
    assert abs(first.time.timestamp() - time.time()) < 60
    assert (await messages(keeping, loud.id))[0] == "from a plain function, attempt 1"
    assert await messages(keeping, quiet.id) == []
    store = (await keeping.client()).store
    for task_id, retention in ((handles[0].id, 3_600_000), (loud.id, 14 * 86_400_000)):
        keys = store.shards[shard_of(task_id, len(store.shards))]
        left, of_record = await store.gateway.commands(
            [("PTTL", keys.logs(task_id)), ("PTTL", keys.task(task_id))]
        )
        assert abs(left - of_record) < 30_000, "they go with the record"
        assert abs(left - retention) < 60_000
    assert not [it for it in logging.getLogger().handlers if isinstance(it, TaskLogs)], "taken off at the end"


async def test_lines_come_while_a_task_runs(keeping: Jobbers, worker: StartWorker) -> None:
    go_on = asyncio.Event()

    @keeping.task
    async def talk() -> None:
        log.warning("first")
        await go_on.wait()

    async with worker(keeping):
        handle = await talk.submit()
        for _ in range(200):
            if await messages(keeping, handle.id):
                break
            await asyncio.sleep(0.1)
        assert await messages(keeping, handle.id) == ["first"]
        go_on.set()
        await handle.result(20)


async def test_there_is_a_bound(
    keeping: Jobbers, worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    append = LogStore.append

    async def counted(self, lines, ttl_ms):  # type: ignore[no-untyped-def]
        calls.append(len(lines))
        await append(self, lines, ttl_ms)

    monkeypatch.setattr(LogStore, "append", counted)

    @keeping.task
    async def talk() -> None:
        for number in range(MOST_LINES + 100):
            log.warning("%d %s", number, "x" * LONGEST_LINE)

    async with worker(keeping):
        handle = await talk.submit()
        await handle.result(20)
    kept = await messages(keeping, handle.id)
    assert len(kept) == MOST_LINES
    assert kept[-1].startswith(f"{MOST_LINES + 99} xxx")
    assert max(map(len, kept)) == LONGEST_LINE
    assert len(calls) <= 3, "not a call a line"


async def test_two_workers_in_one_process_keep_a_line_once(keeping: Jobbers, worker: StartWorker) -> None:
    @keeping.task
    async def talk() -> None:
        log.warning("said once")

    async with worker(keeping), worker(keeping):
        handle = await talk.submit()
        await handle.result(20)
        async with asyncio.timeout(20):
            while not await messages(keeping, handle.id):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)
    assert await messages(keeping, handle.id) == ["said once"]


async def test_what_comes_too_fast_is_dropped(
    monkeypatch: pytest.MonkeyPatch, keeping: Jobbers, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_logs, "MOST_WAITING", 3)
    store = (await keeping.client()).store.logs
    handler = TaskLogs(store, "w", lambda _: True, set, 60_000)
    record = logging.LogRecord("shop", logging.INFO, "f", 1, "hello", None, None)
    handler.emit(record)
    assert handler._lines == {}, "outside of tasks nothing is kept"
    claimed = Claimed(new_id(), "w/1", "default", 5, "talk", 1, 0, 0, 0, b"")
    token = running_task.set(CurrentTask(claimed, "w", {}))
    try:
        for _ in range(5):
            handler.emit(record)
    finally:
        running_task.reset(token)
    await handler.flush_lines()
    assert "2 lines of task logs were dropped" in caplog.text
    assert len(await store.read(claimed.id)) == 0, "there is no such task: its logs go at once"


def test_lines_are_read_as_they_were_written() -> None:
    line = read_line(pack_line(1.5, 2, "info", "shop", "Grüße \ud800\n"))
    assert line is not None
    assert (line.attempt, line.level, line.logger, line.time.timestamp()) == (2, "info", "shop", 1.5)
    assert line.message.startswith("Grüße ")
    for garbage in (
        b"",
        b"x",
        b"[]",
        b"[1,2]",
        b'["x",1,"a","b","c"]',
        b"[1e400,1,1,1,1]",
        json.dumps({}).encode(),
    ):
        assert read_line(garbage) is None


def test_which_types_are_kept() -> None:
    assert kept_types("", {}) is None
    assert kept_types(" , ", {"a": None, "b": False}) is None
    some, everything = kept_types("send, resize", {}), kept_types("all", {"no": False, "yes": True})
    assert some is not None
    assert everything is not None
    assert (some("send"), some("resize"), some("x"), everything("x")) == (True, True, False, True)
    assert (everything("yes"), everything("no")) == (True, False)
    chosen = kept_types("send, resize", {"send": False, "resize": None, "more": True})
    assert chosen is not None
    assert [name for name in ("send", "resize", "more", "x") if chosen(name)] == ["resize", "more"]


async def test_a_type_says_for_itself_whether_its_lines_are_kept(
    keeping: Jobbers, worker: StartWorker
) -> None:
    @keeping.task(name="talk", keep_logs=False)
    async def kept_out() -> None:
        log.warning("not this")

    @keeping.task(keep_logs=True)
    async def kept_in() -> None:
        log.warning("this")

    @keeping.task(batch=Batch(size=2, linger=0.05), keep_logs=True)
    async def together(numbers: list[int]) -> None:
        log.warning("these")

    assert together.policy.keep_logs is True
    async with worker(keeping):
        handles = [await kept_out.submit(), await kept_in.submit()]
        await together.submit(1)
        for handle in handles:
            await handle.result(20)
    assert [await messages(keeping, handle.id) for handle in handles] == [[], ["this"]]
