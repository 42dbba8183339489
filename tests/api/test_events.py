"""The event stream, over real connections: what it tells, what it costs, how it goes on and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi import Request

from jobbers import Jobbers
from jobbers.api import gate as gates
from jobbers.api.live import hub as hubs
from jobbers.api.live import stream as streams
from jobbers.api.live.readers import reader_of
from jobbers.api.live.topics import Topic, read_topics
from jobbers.api.live.updates import Listener, Update
from jobbers.api.traffic import Traffic
from jobbers.core.status import Status
from jobbers.errors import ServerUnavailable
from jobbers.keyring import Access
from tests.api.support import Desk, error_of, make_app
from tests.api.test_server import serving, serving_task

pytestmark = pytest.mark.anyio

PATIENCE = 40


@dataclass
class Event:
    """One event as it came."""

    kind: str = ""
    id: str = ""
    topic: str = ""
    data: dict[str, Any] = field(default_factory=dict)


async def read(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """The events of a stream."""
    event = Event()
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event.kind = value
        elif name == "id":
            event.id = value
        elif name == "data":
            body = json.loads(value)
            event.topic, event.data = body["topic"], body["data"]
        elif not line and event.kind:
            yield event
            event = Event()


@asynccontextmanager
async def listening(
    api: httpx2.AsyncClient, *topics: str, after: str = ""
) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Last-Event-ID": after} if after else {}
    async with api.stream("GET", "/events", params={"topic": list(topics)}, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield read(answer.aiter_lines())


async def until(events: AsyncIterator[Event], wanted: Any) -> Event:
    """The first event that is wanted."""
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if wanted(event):
                return event
    raise AssertionError("the stream ended")


async def submit(api: httpx2.AsyncClient, type: str = "add", **more: Any) -> str:
    answer = await api.post("/tasks", json={"type": type, "args": [1], **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_topics_are_told_whole_and_then_when_they_change(app: Jobbers, desk: Desk) -> None:
    async with (
        serving(app) as api,
        listening(api, "stats", "queues", "tasks:queued?type=add", "workers") as events,
    ):
        seen = {(await until(events, lambda _: True)).topic for _ in range(4)}
        assert seen == {"stats", "queues", "workers", "tasks:queued?type=add"}
        task_id = await submit(api)
        event = await until(events, lambda it: it.kind == "tasks")
        assert [task["id"] for task in event.data["tasks"]] == [task_id]
        await submit(api, "keep")
        event = await until(events, lambda it: it.kind == "stats" and it.data["counts"]["queued"] == 2)
        await until(events, lambda it: it.kind == "queues" and len(it.data["queues"]) == 2)


async def test_lists_are_told_for_all_their_filters(app: Jobbers, desk: Desk) -> None:
    first, other = [await app.dags["sums"].submit(start=number) for number in (1, 2)]
    queued = (await (await app.inspector()).tasks(Status.QUEUED)).tasks
    nodes = {run.id: {task.id for task in queued if task.run == run.id} for run in (first, other)}
    topics = {
        f"tasks:queued?run={first.id.lower()}": nodes[first.id],
        f"tasks:queued?run={other.id}&type=add&since=2020-01-31T12:00:00.000Z": nodes[other.id],
        "tasks:queued?until=2020-01-31T12:00:00%2B01:00": set(),
        "tasks:queued?worker=nobody": set(),
        "tasks:failed?group=0123456789abcdef": set(),
    }
    told: dict[str, list[str]] = {}
    async with serving(app) as api, listening(api, *topics) as events:
        while told.keys() != topics.keys():
            event = await until(events, lambda _: True)
            told[event.topic] = [task["id"] for task in event.data["tasks"]]
    assert all(nodes.values())
    assert {topic: set(ids) for topic, ids in told.items()} == topics


async def test_every_page_has_its_topic(app: Jobbers, desk: Desk) -> None:
    await app.schedules.create("nightly", app.find("keep").s(1), every=3600)
    task_id = (await app.find("keep").options(queue="fragile").submit(1)).id
    await (await app.client()).store.control.announce("w1", {"name": "one"}, 60_000)
    wanted = {
        "advice", "statistics", "breakers", "strikes", "groups?queue=fragile", "limits", "roles", "schedules?limit=5",
        "schedule:nightly", f"why:{task_id}", f"logs:{task_id}", "routes", "task-types", "task-type:keep",
        "dags", "worker:w1",
    }  # fmt: skip
    async with serving(app) as api, listening(api, *wanted) as events:
        seen = {}
        while seen.keys() != wanted:
            event = await until(events, lambda _: True)
            assert event.kind != "trouble", event
            seen[event.topic] = event.data
        for topic, path in [
            ("limits", "/limits"),
            ("schedule:nightly", "/schedules/nightly"),
            ("roles", "/roles"),
            ("dags", "/dags"),
            ("task-types", "/task-types"),
            ("task-type:keep", "/task-types/keep"),
        ]:
            assert seen[topic] == (await api.get(path)).json(), topic
        assert seen["groups?queue=fragile"]["groups"] == []
        assert seen["worker:w1"]["worker"]["facts"] == {"name": "one"}
        await (await app.inspector()).route("keep", "elsewhere")
        await until(events, lambda it: it.kind == "routes" and it.data["routes"][0]["queue"] == "elsewhere")
        await app.schedules.pause("nightly")
        told: set[str] = set()
        while told != {"schedule", "schedules"}:  # in whatever order they come
            event = await until(events, lambda it: it.kind in ("schedule", "schedules"))
            if event.data.get("paused") or event.data.get("schedules", [{}])[0].get("paused"):
                told.add(event.kind)
        await desk.fail(await desk.claim("fragile"), ValueError("no"))
        event = await until(events, lambda it: it.kind == "groups")
        assert [group["count"] for group in event.data["groups"]] == [1]


async def test_what_has_a_name_is_told_of_by_it(app: Jobbers) -> None:
    async with serving(app) as api, listening(api, "limit:nothing", "schedule:nothing") as events:
        for _ in range(2):
            event = await until(events, lambda it: it.kind == "trouble")
            assert event.data["code"] == "not_found"


async def test_a_task_is_told_of_until_its_end(app: Jobbers, desk: Desk) -> None:
    async with serving(app) as api:
        task_id = await submit(api)
        async with listening(api, f"task:{task_id}") as events:
            assert (await until(events, lambda _: True)).data["status"] == "queued"
            claimed = await desk.claim("sums")
            event = await until(events, lambda it: it.data["status"] == "running")
            assert (event.kind, event.data["args"], event.data["large"]) == ("task", [1], False)
            await desk.succeed(claimed, 2)
            await until(events, lambda it: it.data["status"] == "succeeded")


async def test_a_large_task_is_told_of_in_short(app: Jobbers) -> None:
    async with serving(app) as api:
        task_id = await submit(api, "keep", args=["x" * 100_000])
        async with listening(api, f"task:{task_id}") as events:
            data = (await until(events, lambda _: True)).data
    assert data["large"]
    assert "args" not in data


async def test_of_a_run_only_what_moved_is_told_again(app: Jobbers, desk: Desk) -> None:
    async with serving(app) as api:
        run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
        async with listening(api, f"run:{run}") as events:
            first = (await until(events, lambda _: True)).data
            assert first["whole"]
            assert [node["status"] for node in first["nodes"]] == ["queued", "blocked"]
            await desk.succeed(await desk.claim("sums"), 2)
            moved = await until(events, lambda it: it.data["nodes"][0]["status"] == "succeeded")
            assert not moved.data["whole"]
            assert {node["name"] for node in moved.data["nodes"]} == {"first", "second"}
            assert moved.data["nodes"][0]["started"] <= moved.data["nodes"][0]["finished"]
            claimed = await desk.claim("sums")
            only = (await until(events, lambda it: it.data["nodes"][0]["status"] == "running")).data
            assert [node["name"] for node in only["nodes"]] == ["second"]
            async with listening(api, f"run:{run}") as others:
                assert len((await until(others, lambda _: True)).data["nodes"]) == 2
            await desk.succeed(claimed, 3)
            await until(events, lambda it: it.data["status"] == "succeeded")


async def test_what_is_not_there_is_said_once(app: Jobbers) -> None:
    async with serving(app) as api, listening(api, "task:01ARZ3NDEKTSV4RRFFQ69G5FAV", "queues") as events:
        event = await until(events, lambda it: it.kind == "trouble")
        assert event.topic == "task:01ARZ3NDEKTSV4RRFFQ69G5FAV"
        assert event.data["code"] == "not_found"


@pytest.mark.parametrize(
    "topic",
    ["", "nothing", "tasks", "tasks:asleep", "tasks:queued?colour=red", "tasks:queued?limit=501", "task:x", "stats?a",
     "tasks:queued?limit=x", "ended?limit=5", "queues" * 100, "limit:", "schedule", "why:x", "groups:a", "worker:",
     "task-type", "audit", "keys", "tasks:queued?run=x", "tasks:failed?group=x", "tasks:queued?group=0123456789abcdef",
     "tasks:queued?since=2026-01-31", "tasks:queued?since=yesterday",
     "tasks:queued?since=2026-01-31T12:00:00Z&until=2026-01-31T11:00:00Z"],
)  # fmt: skip
async def test_topics_that_there_are_not(api: httpx2.AsyncClient, topic: str) -> None:
    answer = await api.get("/events", params={"topic": topic})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] in ("invalid_input", "invalid_id")


async def test_there_must_be_topics_but_not_too_many(api: httpx2.AsyncClient) -> None:
    error_of(await api.get("/events"), 422, "invalid_input")
    many = [f"tasks:queued?queue=q{number}" for number in range(17)]
    error_of(await api.get("/events", params={"topic": many}), 422, "invalid_input")


async def end_one(api: httpx2.AsyncClient, desk: Desk, type: str = "add") -> str:
    task_id = await submit(api, type)
    await desk.succeed(await desk.claim("sums" if type == "add" else "default"), 1)
    return task_id


async def test_what_ended_is_told_and_resumed_by_the_last_id(app: Jobbers, desk: Desk) -> None:
    async with serving(app) as api:
        await end_one(api, desk)  # before anybody listened
        async with listening(api, "ended", "ended?type=keep") as events:
            first = [await until(events, lambda _: True) for _ in range(2)]
            assert [event.data["tasks"] for event in first] == [[], []]
            told = await end_one(api, desk)
            event = await until(events, lambda it: it.topic == "ended" and it.data["tasks"])
            expected = {"id": told, "status": "succeeded", "type": "add", "queue": "sums"}
            assert event.data == {"tasks": [expected], "missed": False}
        missed = [await end_one(api, desk), await end_one(api, desk, "keep")]
        async with listening(api, "ended?type=keep", "ended", after=event.id) as events:
            ended: dict[str, list[str]] = {"ended": [], "ended?type=keep": []}
            while not all(ended.values()):
                again = await until(events, lambda _: True)
                assert not again.data["missed"]
                ended[again.topic] += [task["id"] for task in again.data["tasks"]]
            assert ended == {"ended": missed, "ended?type=keep": missed[1:]}
            last = await end_one(api, desk)
            later = await until(events, lambda it: it.topic == "ended" and it.data["tasks"])
            assert [task["id"] for task in later.data["tasks"]] == [last]


@pytest.mark.parametrize("position", ["1-1", "nonsense", "0-0.0-0"])
async def test_a_position_that_is_gone_says_so(app: Jobbers, desk: Desk, position: str) -> None:
    async with serving(app) as api:
        await end_one(api, desk)
        async with listening(api, "ended", after=position) as events:
            await until(events, lambda it: it.data["missed"])


async def calls(app: Jobbers) -> int:
    """How many commands the server has done."""
    info = await (await app.client()).store.inspect.info()
    return int(info["total_commands_processed"])


async def test_two_hundred_listeners_cost_as_much_as_one(app: Jobbers, desk: Desk) -> None:
    topics = ("stats", "queues", "ended")
    async with serving(app) as api, AsyncExitStack() as stack:
        await submit(api)
        limits = httpx2.Limits(max_connections=300)
        many = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=api.base_url, timeout=60, limits=limits, trust_env=False)
        )
        rates = []
        open_streams: list[AsyncIterator[Event]] = []
        for wanted in (1, 200):
            while len(open_streams) < wanted:
                open_streams.append(await stack.enter_async_context(listening(many, *topics)))
            await asyncio.gather(*(until(events, lambda _: True) for events in open_streams[-1:]))
            before, begun = await calls(app), time.monotonic()
            await asyncio.sleep(3)
            rates.append((await calls(app) - before) / (time.monotonic() - begun))
        assert rates[0] > 0
        assert rates[1] < 2 * rates[0] + 10, rates  # not two hundred times as much
        told = await end_one(api, desk, "keep")
        everybody = [until(it, lambda it: it.kind == "ended" and it.data["tasks"]) for it in open_streams]
        for event in await asyncio.gather(*everybody):
            assert [task["id"] for task in event.data["tasks"]] == [told]
    assert hubs.hub_of(app).watched == 0  # nobody listens: nothing is read


async def test_it_ends_when_the_server_stops(app: Jobbers) -> None:
    async with serving_task(app) as (api, server), listening(api, "stats") as events:
        await until(events, lambda _: True)
        begun = time.monotonic()
        server.cancel()
        async with asyncio.timeout(PATIENCE):
            assert [event.kind async for event in events if event.kind != "stats"] == []  # a proper end
            await asyncio.gather(server, return_exceptions=True)
        assert time.monotonic() - begun < 8  # and not after the grace of ten seconds


async def test_silence_is_filled_with_heartbeats(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 0.1)
    async with serving(app) as api:
        async with api.stream("GET", "/events", params={"topic": "ended"}) as answer:
            async with asyncio.timeout(PATIENCE):
                async for line in answer.aiter_lines():
                    if line.startswith(":"):
                        break
        assert line == ": still here"


async def test_who_takes_nothing_is_let_go(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.2)
    hub = hubs.hub_of(app)
    topics = read_topics(["stats"])
    stream = streams.EventStream(
        hub, lambda topic: reader_of(app, topic), topics, "", asyncio.Event(), traffic=Traffic(app)
    )
    sent: list[str] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if len(sent) > 1:
            await asyncio.Event().wait()  # its connection is full

    async with asyncio.timeout(PATIENCE):
        await stream({"type": "http", "headers": []}, receive, send)
    assert sent == ["http.response.start", "http.response.body"]
    assert (hub.watched, len(hub.listeners)) == (0, 0)


async def test_whom_the_store_cannot_tell_of_is_not_taken_for_anyone(
    app: Jobbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gates.Gate(app)

    async def away() -> bool:
        raise ServerUnavailable("it is away")

    monkeypatch.setattr(gate, "_open", away)
    for _ in range(2):
        with pytest.raises(ServerUnavailable):
            await gate.still_admits(Request({"type": "http", "headers": [], gates.ROUTE_KEY: None}))


@pytest.mark.parametrize("recovers", [True, False])
async def test_a_slow_listener_is_told_of_the_end_behind_what_is_being_sent_or_not_at_all(
    app: Jobbers, monkeypatch: pytest.MonkeyPatch, recovers: bool
) -> None:
    monkeypatch.setattr(streams, "LEAVE", 10.0 if recovers else 0.3)
    hub, stop, room = hubs.hub_of(app), asyncio.Event(), asyncio.Event()
    topics = read_topics(["stats"])
    stream = streams.EventStream(
        hub, lambda topic: reader_of(app, topic), topics, "", stop, traffic=Traffic(app)
    )
    sent: list[bytes] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if len(sent) == 2:
            asyncio.get_running_loop().call_soon(stop.set)
            if recovers:
                asyncio.get_running_loop().call_later(0.1, room.set)
            await room.wait()  # its connection is full, as a server waits before it writes
        sent.append(message.get("body", b""))

    async with asyncio.timeout(PATIENCE):
        await stream({"type": "http", "headers": [(b"accept-encoding", b"gzip")]}, receive, send)
    if recovers:
        assert b"event: stats" in gzip.decompress(b"".join(sent))
    assert len(sent) == (4 if recovers else 2)


class Slow:
    """Reads that take the times that were given, in seconds, and then none."""

    every = 0.05

    def __init__(self, *times: float) -> None:
        self.times = list(times)
        self.began: list[float] = []

    async def read(self, topics: Any) -> tuple[()]:
        self.began.append(time.monotonic())
        if self.times:
            await asyncio.sleep(self.times.pop(0))
        return ()

    def now(self, topic: Topic) -> None:
        return None


async def reads(reader: Slow, number: int) -> None:
    """Let it be read so often."""
    following = asyncio.create_task(hubs.Watch(reader).follow())
    async with asyncio.timeout(PATIENCE):
        while len(reader.began) < number:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_slow_read_is_followed_by_a_rest_that_has_an_end() -> None:
    costly = Slow(0.1)
    await reads(costly, 2)
    assert costly.began[1] - costly.began[0] >= 0.1 * hubs.SHARE
    stalled = Slow(1.5)
    await reads(stalled, 2)
    assert stalled.began[1] - stalled.began[0] < 1.5 + 10, "not ten times as long as the machine stood still"


async def test_a_full_service_refuses(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MAX_WATCHES", 1)
    async with serving(app) as api, listening(api, "stats") as events:
        await until(events, lambda _: True)
        async with listening(api, "stats"):
            error_of(await api.get("/events", params={"topic": "queues"}), 503, "too_many_streams")


class Busy:
    """A reader that always has news."""

    every = 0.01

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.number = 0

    async def read(self, topics: object) -> list[Update]:
        self.number += 1
        return [Update(self.topic, "stats", {"number": self.number})]

    def now(self, topic: Topic) -> Update:
        return Update(topic, "stats", {"number": self.number})


async def test_at_most_four_writes_a_second_and_the_newest_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "SOON", 0.01)
    stop = asyncio.Event()
    stream = streams.EventStream(
        hubs.Hub(), Busy, read_topics(["stats"]), "", stop, traffic=Traffic(make_app("redis://127.0.0.1:1/0"))
    )
    written: list[bytes] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body", b"").startswith(b"event"):
            written.append(message["body"])

    begun = time.monotonic()
    asyncio.get_running_loop().call_later(2, stop.set)
    await stream({"type": "http", "headers": []}, receive, send)
    assert 2 <= len(written) <= 4 * (time.monotonic() - begun) + 1
    numbers = [json.loads(body.split(b"data: ")[1])["data"]["number"] for body in written]
    assert all(body.count(b"data: ") == 1 for body in written)
    assert numbers[-1] > 2 * len(numbers)  # those between were passed over, not kept


def test_who_falls_far_behind_is_let_go_and_holds_nothing() -> None:
    (topic,) = read_topics(["ended"])
    listener = Listener([topic])
    for _ in range(3):
        listener.put(Update(topic, "ended", {"missed": False}, log=({},) * 4_000, position="1-1"))
    assert listener.lost
    assert listener.waiting == {}
    listener.put(Update(topic, "ended", {"missed": False}, log=({},), position="2-1"))
    assert listener.waiting == {}


@pytest.mark.parametrize("ends", ["revoked", "expired", "logged out", "closed"])
async def test_it_ends_when_its_listener_may_listen_no_more(
    app: Jobbers, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(streams, "LOOK_AGAIN", 0.2)
    monkeypatch.setattr(gates, "OPEN_SECONDS", 0.3)
    access = Access((await app.client()).store)
    async with serving(app) as api:
        key = ""
        if ends != "closed":
            await access.create("other", "read")
            key = (await access.create("mine", "read", expires=6 if ends == "expired" else None)).text
        site = {"Origin": str(api.base_url).split("/api")[0]}
        if ends == "logged out":
            assert (await api.post("/login", json={"key": key}, headers=site)).status_code == 200
        elif key:
            api.headers["X-API-Key"] = key
        async with listening(api, "stats") as events:
            await until(events, lambda _: True)
            if ends == "revoked":
                await access.revoke("mine")
            elif ends == "closed":
                await access.create("first", "read")
            elif ends == "logged out":
                assert (await api.post("/logout", json={}, headers=site)).status_code == 200
            async with asyncio.timeout(PATIENCE):
                assert {event.kind async for event in events} <= {"stats"}  # a proper end
        assert (await api.get("/queues")).status_code == 401
    assert hubs.hub_of(app).watched == 0


async def test_it_goes_on_while_nobody_can_be_asked(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_AGAIN", 0.05)
    asked = 0

    async def still_admitted() -> bool:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ServerUnavailable("it is away")
        return False

    sent: list[bytes] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    topics, hub = read_topics(["stats"]), hubs.hub_of(app)
    stream = streams.EventStream(
        hub,
        lambda it: reader_of(app, it),
        topics,
        "",
        asyncio.Event(),
        traffic=Traffic(app),
        still_admitted=still_admitted,
    )
    async with asyncio.timeout(PATIENCE):
        await stream({"type": "http", "headers": []}, receive, send)
    assert (asked, sent[-1]) == (3, b"")


async def test_a_restricted_key_follows_what_is_in_its_queues(app: Jobbers, desk: Desk) -> None:
    access = Access((await app.client()).store)
    keep = app.task_types["keep"]
    mine, other = [(await keep.options(queue=queue).submit(1)).id for queue in ("mail", "other")]
    dag = app.dag("theirs")
    dag.node(keep, 1)
    run = (await dag.submit()).id
    key = (await access.create("mail", "read", queues=["mail"])).text
    refused = {
        403: ["tasks:queued", "ended", "queues", "tasks:queued?queue=other", "ended?queue=other", "stats", "workers",
              f"why:{mine}", "groups", "runs"],
        404: [f"task:{other}", f"logs:{other}", f"run:{run}"],
    }  # fmt: skip
    async with serving(app) as api:
        api.headers["X-API-Key"] = key
        for status, topics in refused.items():
            for topic in topics:
                answer = await api.get("/events", params={"topic": ["ended?queue=mail", topic]})
                error_of(answer, status, "queue_forbidden" if status == 403 else "not_found")
        async with listening(api, "ended?queue=mail", f"task:{mine}", "tasks:queued?queue=mail") as events:
            listed = await until(events, lambda it: it.kind == "tasks")
            assert [task["id"] for task in listed.data["tasks"]] == [mine]
            for queue in ("other", "mail"):
                await desk.succeed(await desk.claim(queue), 1)
            ended = await until(events, lambda it: it.kind == "ended" and it.data["tasks"])
            assert [task["id"] for task in ended.data["tasks"]] == [mine]
