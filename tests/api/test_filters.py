"""Lists of tasks by run, worker, time and error; and what is done with all that match."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from jobbers import Jobbers
from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio


async def ids(api: httpx2.AsyncClient, status: str, **filters: str) -> set[str]:
    """The tasks of all pages."""
    found: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = await api.get("/tasks", params={"status": status, "limit": 2, **filters, **cursor})
        assert page.status_code == 200, page.text
        found |= {task["id"] for task in page.json()["tasks"]}
        if page.json()["cursor"] is None:
            return found
        cursor = {"cursor": page.json()["cursor"]}


async def test_by_run_and_by_worker(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    dag = app.dag("pair")
    dag.node(app.find("keep"), 1)
    dag.node(app.find("keep"), 2)
    run = await dag.submit()
    other = (await app.find("keep").submit(3)).id
    mine = {node.id for node in await run.nodes()}
    assert await ids(api, "queued", run=run.id.lower()) == mine
    assert await ids(api, "queued") == mine | {other}
    claimed = {(await desk.claim("default")).id for _ in range(3)}
    assert await ids(api, "running", worker="desk") == claimed
    assert await ids(api, "running", worker="desk", run=run.id) == mine
    assert await ids(api, "running", worker="nobody") == set()


async def test_by_the_time_of_their_submission(api: httpx2.AsyncClient, app: Jobbers) -> None:
    task = (await app.find("keep").submit(1)).id
    created = datetime.fromisoformat((await api.get(f"/tasks/{task}")).json()["created"])
    later = (created + timedelta(milliseconds=1)).isoformat()
    assert await ids(api, "queued", since=created.isoformat(), until=later) == {task}
    assert await ids(api, "queued", since=later) == set()
    assert await ids(api, "queued", until=created.isoformat()) == set()
    answer = await api.get(
        "/tasks", params={"status": "queued", "since": later, "until": created.isoformat()}
    )
    error_of(answer, 422, "invalid_input")


async def test_by_error(api: httpx2.AsyncClient, app: Jobbers, desk: Desk) -> None:
    failed = []
    for number in range(4):
        await app.find("keep").options(queue="fragile").submit(number)
        claim = await desk.claim("fragile")
        await desk.fail(claim, ValueError(f"no {number}") if number % 2 else KeyError("gone"))
        failed.append(claim.id)
    groups = (await api.get("/dead-letters/groups")).json()["groups"]
    (group,) = [one["group"] for one in groups if one["error"] == "ValueError"]
    assert await ids(api, "failed", group=group) == {failed[1], failed[3]}
    error_of(await api.get("/tasks", params={"status": "queued", "group": group}), 422, "invalid_input")


async def test_all_that_match_are_cancelled_and_no_others(api: httpx2.AsyncClient, app: Jobbers) -> None:
    dag = app.dag("pair")
    dag.node(app.find("keep"), 1)
    run = await dag.submit()
    other = (await app.find("keep").submit(3)).id
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for chosen, matched in [({"since": soon}, 0), ({"until": soon}, 2), ({"run": run.id}, 1)]:
        body = {"action": "cancel", "filter": {"status": "queued", **chosen}, "dry_run": matched != 1}
        answer = await api.post("/tasks/bulk", json=body)
        assert answer.json()["matched"] == matched, answer.text
    assert await ids(api, "queued") == {other}
    body = {"action": "cancel", "filter": {"status": "queued", "group": "0" * 16}}
    error_of(await api.post("/tasks/bulk", json=body), 422, "invalid_input")


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": "x"},
        {"since": "yesterday"},
        {"until": "2026-01-01T00:00:00"},
        {"worker": "w" * 101},
        {"group": "x"},
        {"contains": ""},
        {"contains": "c" * 201},
    ],
)
async def test_what_is_no_filter(api: httpx2.AsyncClient, wrong: dict[str, str]) -> None:
    answer = await api.get("/tasks", params={"status": "queued", **wrong})
    assert answer.status_code == 422, answer.text


async def test_by_text_in_their_arguments(api: httpx2.AsyncClient, app: Jobbers) -> None:
    keep = app.find("keep")
    globex = [(await keep.submit({"customer": name})).id for name in ("Globex", "globex 2")]
    acme = (await keep.options(unique="invoice:acme:7").submit("an order")).id
    long = (await keep.submit("globex" + "x" * 20_000)).id
    assert await ids(api, "queued", contains='r": "gloBEX') == set(globex)
    assert await ids(api, "queued", contains="ACME:7") == {acme}
    assert await ids(api, "queued", contains="initech") == set()
    listed = {
        one["id"]: one for one in (await api.get("/tasks", params={"status": "queued"})).json()["tasks"]
    }
    assert listed[globex[0]]["glimpse"] == '{"customer": "Globex"}'
    assert listed[long]["glimpse"] == ""
    assert len((await api.get(f"/tasks/{long}")).json()["glimpse"]) == 120
    body = {"action": "cancel", "filter": {"status": "queued", "contains": "globex"}}
    assert (await api.post("/tasks/bulk", json=body)).json()["done"] == 2
    assert await ids(api, "queued") == {acme, long}
