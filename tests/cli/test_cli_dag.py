"""``jobbers dag``."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("surroundings")


def test_graphs_are_listed_and_drawn(jobbers, shop) -> None:
    assert jobbers("dag", "--json").data == [{"name": "sums", "parameters": ["start"], "nodes": 2}]
    assert "sums" in jobbers("dag", "list").out
    drawn = jobbers("dag", "graph", "sums").out.splitlines()
    assert drawn == [
        "flowchart TD",
        '    n0["first<br/>add"]',
        '    n1["second<br/>add"]',
        "    n0 --> n1",
    ]
    assert jobbers("dag", "graph", "sums", "--json").data == [
        {"name": "first", "type": "add", "after": []},
        {"name": "second", "type": "add", "after": ["first"]},
    ]


def test_an_application_without_graphs(jobbers) -> None:
    assert "no graphs" in jobbers("dag").err


def test_a_run_is_started_looked_at_and_read(jobbers, shop, desk) -> None:
    run = jobbers("dag", "run", "sums", "--arg", "start=5").out.strip()
    assert "is open" in jobbers("dag", "status", run).err
    first = desk.claim()
    desk_succeed(desk, first, 7)
    shown = jobbers("dag", "status", run, "--json").data
    assert (shown["id"], shown["status"]) == (run, "blocked")
    assert [(node["name"], node["status"], node["after"]) for node in shown["nodes"]] == [
        ("first", "succeeded", []),
        ("second", "queued", ["first"]),
    ]
    assert "classDef succeeded" in jobbers("dag", "status", run, "--mermaid").out
    assert jobbers("status", first.id, "--json").data["headers"] == {"jobbers-run": run}
    desk.succeed(17)
    assert "is succeeded" in jobbers("dag", "status", run).err
    assert jobbers("result", run).out == "17\n"


def desk_succeed(desk, claimed, value) -> None:
    from jobbers.core.payload import pack
    from jobbers.store.tasks import Success
    from tests.cli.conftest import HOUR_MS

    async def work(app) -> list[str]:
        done = Success(claimed.id, claimed.owner, HOUR_MS, "result", pack(value))
        return await (await app.client()).store.tasks.succeed(0, [done])

    assert desk(work) == []


def test_a_run_that_failed(jobbers, shop, desk) -> None:
    run = jobbers("dag", "run", "sums", "--arg", "start=5", "--json").data["id"]
    desk.fail()
    assert "node first did not succeed" in jobbers("result", run, code=1).err
    nodes = jobbers("dag", "status", run, "--json").data["nodes"]
    assert [node["status"] for node in nodes] == ["failed", "skipped"]
    assert jobbers("dag", "retry", run, "--json").data == {"id": run, "again": ["first", "second"]}
    nodes = jobbers("dag", "status", run, "--json").data["nodes"]
    assert [node["status"] for node in nodes] == ["queued", "blocked"]
    assert "has not ended" in jobbers("dag", "retry", run, code=6).err


def test_a_run_is_cancelled(jobbers, shop) -> None:
    run = jobbers("dag", "run", "sums", "-a", "start=5").out.strip()
    jobbers("cancel", run)
    nodes = jobbers("dag", "status", run, "--json").data["nodes"]
    assert [node["status"] for node in nodes] == ["cancelled", "cancelled"]


def test_mistakes(jobbers, shop) -> None:
    assert "no graph 'sum' in this app (it has: sums)" in jobbers("dag", "graph", "sum", code=3).err
    assert "needs parameter 'start'" in jobbers("dag", "run", "sums", code=2).err
    assert (
        "has no parameter 'stop'"
        in jobbers("dag", "run", "sums", "-a", "start=1", "-a", "stop=2", code=2).err
    )
    assert "argument 'a' of task 'add'" in jobbers("dag", "run", "sums", "-a", "start=x", code=2).err
    assert "there is no run" in jobbers("dag", "status", "01ARZ3NDEKTSV4RRFFQ69G5FAV", code=3).err
    assert "not a ULID" in jobbers("dag", "status", "x", code=2).err
