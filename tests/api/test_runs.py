"""Graphs and runs over HTTP."""

from __future__ import annotations

import httpx2
import pytest

from jobbers import Jobbers, new_id
from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def times(app: Jobbers) -> None:
    times = app.dag("times")
    times.node(app.find("remind"), times.param("when"))


async def test_graphs_are_shown(api: httpx2.AsyncClient) -> None:
    graphs = (await api.get("/dags")).json()["dags"]
    assert [graph["name"] for graph in graphs] == ["sums", "times"]
    assert (await api.get("/dags/sums")).json() == {
        "name": "sums",
        "parameters": ["start"],
        "nodes": [
            {"name": "first", "type": "add", "after": []},
            {"name": "second", "type": "add", "after": ["first"]},
        ],
    }
    error_of(await api.get("/dags/none"), 404, "not_found")


async def test_a_run_from_its_start_to_its_result(api: httpx2.AsyncClient, desk: Desk) -> None:
    started = await api.post("/dags/sums/runs", json={"params": {"start": 5}})
    assert started.status_code == 201
    run = started.json()["id"]
    await desk.succeed(await desk.claim("sums"), 6)
    shown = (await api.get(f"/runs/{run}")).json()
    assert (shown["id"], shown["dag"], shown["status"]) == (run, "sums", "blocked")
    assert [(node["name"], node["status"], node["queue"]) for node in shown["nodes"]] == [
        ("first", "succeeded", "sums"),
        ("second", "queued", "sums"),
    ]
    second = (await api.get(f"/tasks/{shown['nodes'][1]['id']}")).json()
    assert second["args"] == [{"$result": shown["nodes"][0]["id"]}, 10]
    await desk.succeed(await desk.claim("sums"), 16)
    assert (await api.get(f"/tasks/{run}/result")).json() == {"id": run, "status": "succeeded", "result": 16}


async def test_the_same_id_starts_one_run(api: httpx2.AsyncClient) -> None:
    body = {"params": {"start": 1}, "id": new_id()}
    answers = [await api.post("/dags/sums/runs", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [answer.json()["created"] for answer in answers] == [True, False]


async def test_runs_are_listed_paused_and_repeated_from_a_node(api: httpx2.AsyncClient, desk: Desk) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    listed = (await api.get("/runs", params={"dag": "sums"})).json()
    assert [(it["id"], it["dag"], it["status"]) for it in listed["runs"]] == [(run, "sums", "blocked")]
    assert (await api.get("/runs", params={"dag": "none"})).json() == {"runs": [], "cursor": None}
    assert (await api.post(f"/runs/{run}/pause", json={})).json() == {"id": run, "status": "blocked"}
    nodes = (await api.get(f"/runs/{run}")).json()["nodes"]
    assert {node["status"] for node in nodes} == {"blocked"}
    assert (await api.post(f"/runs/{run}/resume", json={})).status_code == 200
    await desk.succeed(await desk.claim("sums"), 2)
    await desk.succeed(await desk.claim("sums"), 12)
    error_of(await api.post(f"/runs/{run}/pause", json={}), 409, "conflict")
    again = await api.post(f"/runs/{run}/retry", json={"from_node": "second"})
    assert again.json() == {"id": run, "again": ["second"]}
    error_of(await api.post(f"/runs/{run}/retry", json={"from_node": "second"}), 409, "conflict")


async def test_a_run_is_cancelled_with_all_its_tasks(api: httpx2.AsyncClient) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 1}})).json()["id"]
    assert (await api.post(f"/tasks/{run}/cancel", json={})).json()["cancelled"] is True
    nodes = (await api.get(f"/runs/{run}")).json()["nodes"]
    assert [node["status"] for node in nodes] == ["cancelled", "cancelled"]
    assert (await api.post(f"/runs/{run}/retry", json={})).json() == {"id": run, "again": ["first", "second"]}
    error_of(await api.post(f"/runs/{run}/retry", json={}), 409, "conflict")


async def test_parameters_are_read_as_what_takes_them(api: httpx2.AsyncClient, app: Jobbers) -> None:
    started = await api.post("/dags/times/runs", json={"params": {"when": "2030-01-01T00:00:00Z"}})
    assert started.status_code == 201, started.text


async def test_what_is_refused(api: httpx2.AsyncClient) -> None:
    error_of(await api.post("/dags/none/runs", json={}), 404, "not_found")
    error_of(await api.post("/dags/sums/runs", json={}), 422, "invalid_input")
    wrong = error_of(
        await api.post("/dags/sums/runs", json={"params": {"start": "x"}}), 422, "invalid_argument"
    )
    assert wrong["parameter"] == "start"
    error_of(
        await api.post("/dags/sums/runs", json={"params": {"start": 1, "more": 1}}), 422, "invalid_input"
    )
    error_of(await api.post("/dags/sums/runs", json={"parms": {}}), 422, "invalid_input")
    error_of(await api.post("/dags/sums/runs", json={"id": "x"}), 422, "invalid_id")
    error_of(await api.get(f"/runs/{new_id()}"), 404, "not_found")


async def test_the_latest_runs_are_listed_in_pages(api: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await api.get("/runs")).json() == {"runs": [], "cursor": None}
    started = [await start(api, dag) for dag in ("sums", "times", "sums")]
    shown = (await api.get("/runs")).json()
    assert [run["id"] for run in shown["runs"]] == started[::-1]
    assert [(run["dag"], run["status"], run["finished"]) for run in shown["runs"]] == [
        ("sums", "blocked", None),
        ("times", "blocked", None),
        ("sums", "blocked", None),
    ]
    assert shown["cursor"] is None
    first = (await api.get("/runs?limit=2")).json()
    second = (await api.get("/runs", params={"limit": 2, "cursor": first["cursor"]})).json()
    assert [run["id"] for run in first["runs"] + second["runs"]] == started[::-1]
    assert [run["id"] for run in (await api.get("/runs?dag=times")).json()["runs"]] == [started[1]]
    await api.post(f"/tasks/{started[2]}/cancel", json={"reason": "enough"})
    ended = (await api.get("/runs?limit=1")).json()["runs"][0]
    assert (ended["status"], ended["reason"]) == ("cancelled", "enough")
    assert ended["finished"] is not None
    error_of(await api.get("/runs?cursor=5/x"), 422, "invalid_input")


async def test_what_lies_in_the_list_of_runs_does_not_break_it(api: httpx2.AsyncClient, app: Jobbers) -> None:
    store = (await app.client()).store
    run = await start(api, "sums")
    await store.gateway.command("ZADD", store.shards[0].runs, 1, "no id", 2, new_id())
    assert [one["id"] for one in (await api.get("/runs")).json()["runs"]] == [run]
    await store.gateway.command(
        "SET", store.shards[0].runs, "garbage"
    )  # neither a list nor in the way of a run
    assert (await api.get("/runs")).json()["runs"] == []
    again = await start(api, "sums")
    assert (await api.get(f"/runs/{again}")).json()["status"] == "blocked"


async def test_a_run_is_repeated_as_a_run(api: httpx2.AsyncClient, desk: Desk) -> None:
    run = await start(api, "sums")
    await desk.fail(await desk.claim("sums"), ValueError("no"))
    assert (await api.get(f"/runs/{run}")).json()["status"] == "failed"
    error = error_of(await api.post(f"/tasks/{run}/requeue", json={}), 409, "conflict")
    assert "is a run" in error["message"]
    assert (await api.post("/dead-letters/requeue", json={"all": True})).json()["requeued"] == 1  # the task
    assert (await api.get(f"/runs/{run}")).json()["status"] == "failed"


async def start(api: httpx2.AsyncClient, dag: str) -> str:
    params = {"sums": {"start": 1}, "times": {"when": "2030-01-01T06:00:00Z"}}[dag]
    started = await api.post(f"/dags/{dag}/runs", json={"params": params})
    assert started.status_code == 201, started.text
    return str(started.json()["id"])
