"""Lists for keys that are restricted to queues: runs and schedules that are wholly in these, numbers, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from jobbers import Jobbers, RoundRobin
from jobbers.api.routes import runs as run_routes
from jobbers.client import new_id
from jobbers.keyring import Access
from jobbers.store import runs as store_runs
from tests.api.support import call, error_of, served


@pytest.fixture
async def as_mail(app: Jobbers) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that may operate the queues mail and sms."""
    access = Access((await app.client()).store)
    key = (await access.create("mail", "operate", queues=["mail", "sms"])).text
    async with call(served(app)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


@pytest.fixture(autouse=True)
def graphs(app: Jobbers) -> None:
    """Graphs that are wholly in these queues, partly, and by chance."""
    keep = app.find("keep")

    @app.task(queue=RoundRobin(["mail", "other"]))
    async def around(value: Any = None) -> None:
        pass

    own, mixed, turns, many = (app.dag(name) for name in ("own", "mixed", "turns", "many"))
    own.node(keep, own.node(keep, "mine").on("sms")).on("mail")
    mixed.node(keep, mixed.node(keep, "theirs").on("mail"))
    turns.node(around)
    many.map(around, [1, 2]).on("mail")


async def listed(client: httpx2.AsyncClient, path: str, name: str) -> list[str]:
    """What all pages of a list have, one entry a page."""
    kind = path.partition("?")[0].strip("/")
    found, cursor = [], None
    for _ in range(50):
        more = {} if cursor is None else {"cursor": cursor}
        page = (await client.get(path, params={"limit": 1, **more})).json()
        assert len(page[kind]) <= 1
        found += [entry[name] for entry in page[kind]]
        cursor = page["cursor"]
        if cursor is None:
            return found
    raise AssertionError("the pages have no end")


async def test_runs(app: Jobbers, as_mail: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [(await app.dags["own"].submit()).id for _ in range(2)]
    others = [(await app.dags[name].submit()).id for name in ("mixed", "turns", "turns", "many")]
    shown = (await as_mail.get("/runs")).json()["runs"]
    alone = {run for run in others if (await as_mail.get(f"/runs/{run}")).status_code == 200}
    assert {run["id"] for run in shown} == {*mine, *alone}, "what is listed is what can be looked at"
    assert len(alone) == 1, "one of the two that go in turns is in mail as a whole"
    assert set(await listed(as_mail, "/runs", "id")) == {*mine, *alone}
    named = (await as_mail.get("/runs", params={"dag": "mixed"})).json()
    assert named == {"runs": [], "cursor": None}
    monkeypatch.setattr(run_routes, "MOST_PLANS", 2)
    page = (await as_mail.get("/runs", params={"limit": 500})).json()
    assert len(page["runs"]) < 3
    assert page["cursor"] is not None, "there is more, and this one looked at two"


async def test_what_runs_touch_is_kept_for_the_latest(
    app: Jobbers, as_mail: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_runs, "_MOST_TOUCHED", 3)
    run_id = new_id()
    await app.dags["own"].submit_as(run_id, {})
    for _ in range(2):
        for name in ("own", "mixed"):
            await app.dags[name].submit()
    for _ in range(2):
        shown = (await as_mail.get("/runs")).json()["runs"]
        assert [run["dag"] for run in shown] == ["own"] * 3
    store = (await app.client()).store
    assert len(store.runs._touched) == 3
    # the record expires, and the id comes again for something else
    await store.gateway.commands([("DEL", store.shards[0].task(run_id))])
    await app.dags["mixed"].submit_as(run_id, {})
    shown = (await as_mail.get("/runs")).json()["runs"]
    assert run_id not in {run["id"] for run in shown}


async def test_schedules(app: Jobbers, as_mail: httpx2.AsyncClient) -> None:
    keep, add = app.find("keep"), app.find("add")
    for name in ("own", "mixed", "turns", "many"):
        await app.schedules.create(f"dag-{name}", app.dags[name].call(), every=3600)
    for name, target in (("keep", keep.s()), ("add", add.s(1)), ("around", app.find("around").s())):
        await app.schedules.create(f"task-{name}", target, every=3600)

    @app.task(queue="sms")
    async def text() -> None:
        pass

    await app.schedules.create("task-text", text.s(), every=3600)
    gone = app.dag("gone")
    gone.node(keep).on("mail")
    await app.schedules.create("dag-gone", gone.call(), every=3600)
    del app.dags["gone"]
    assert await listed(as_mail, "/schedules", "name") == ["dag-own", "task-text"]
    everything = [state.name for state in await app.schedules.list()]
    for name in everything:
        alone = (await as_mail.get(f"/schedules/{name}")).status_code
        assert (alone == 200) is (name in ("dag-own", "task-text")), name


async def test_a_graph_that_goes_elsewhere_in_its_turn_is_not_theirs(
    app: Jobbers, as_mail: httpx2.AsyncClient
) -> None:
    """Its queue is chosen anew with every start: that this one would go to mail says nothing of the next."""
    for number in range(4):
        refused = error_of(await as_mail.post("/dags/turns/runs", json={}), 403, "queue_forbidden")
        assert "mail, other" in refused["message"]
        body = {"name": f"s{number}", "dag": "turns", "every": 3600}
        error_of(await as_mail.post("/schedules", json=body), 403, "queue_forbidden")
    assert (await (await app.inspector()).runs()).tasks == []
    assert not await app.schedules.list()


async def test_numbers_and_advice(app: Jobbers, as_mail: httpx2.AsyncClient) -> None:
    keep = app.find("keep")
    for queue in ("mail", "sms", "other"):
        await keep.options(queue=queue).submit()
    stats = (await as_mail.get("/stats/queues")).json()
    assert [queue["name"] for queue in stats["queues"]] == ["mail", "sms"]
    assert {row["queue"] for row in stats["types"]} <= {"mail", "sms"}
    advice = (await as_mail.get("/advice")).json()["advice"]
    assert [one["queue"] for one in advice] == ["mail", "sms"]
    page = (await as_mail.get("/advice?limit=1")).json()
    (rest,) = (await as_mail.get("/advice", params={"cursor": page["cursor"]})).json()["advice"]
    assert rest["queue"] == "sms"
    assert (await as_mail.get("/scale/mail")).status_code == 200
    error_of(await as_mail.get("/scale/other"), 403, "queue_forbidden")
    error_of(await as_mail.get("/stats"), 403, "queue_forbidden")


async def test_what_is_listed_of_those_who_are_not_restricted_is_all(app: Jobbers) -> None:
    access = Access((await app.client()).store)
    key = (await access.create("all", "read")).text
    for name in ("own", "mixed"):
        await app.dags[name].submit()
        await app.schedules.create(name, app.dags[name].call(), every=3600)
    async with call(served(app)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        assert len((await client.get("/runs")).json()["runs"]) == 2
        assert len((await client.get("/schedules")).json()["schedules"]) == 2
