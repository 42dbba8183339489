"""Graphs as text, and graphs and runs as drawings, over HTTP: what the command line prints."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.api import create_app, routes
from jobbers.errors import ConfigError
from jobbers.keyring import Access
from tests.api.support import Desk, call, error_of

DRAWN = """\
flowchart TD
    n0["first<br/>add"]
    n1["second<br/>add"]
    n0 --> n1"""


async def test_a_graph_as_text_builds_the_same_graph(api: httpx2.AsyncClient, app: Jobbers) -> None:
    for form, media in (("json", "application/json"), ("yaml", "application/yaml")):
        answer = await api.get("/dags/sums/text", params={"form": form})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media)
        assert answer.text == app.find_dag("sums").text(form)
    again = json.loads((await api.get("/dags/sums/text")).text)
    again["dag"] = "again"
    assert app.load_dag(json.dumps(again)).graph.nodes[1].name == "second"
    error_of(await api.get("/dags/none/text"), 404, "not_found")
    assert error_of(await api.get("/dags/sums/text?form=toml"), 422, "invalid_input")["parameter"] == "form"


async def test_a_graph_that_json_cannot_say(api: httpx2.AsyncClient, app: Jobbers) -> None:
    odd = app.dag("odd")
    odd.node(app.find("keep"), {1, 2})
    refusal = error_of(await api.get("/dags/odd/text"), 422, "invalid_input")
    assert "keep" in refusal["message"]


async def test_where_yaml_cannot_be_written(api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ConfigError("YAML needs PyYAML, which is not installed")

    monkeypatch.setattr("jobbers.dag.text.pyyaml", missing)
    refusal = error_of(await api.get("/dags/sums/text?form=yaml"), 422, "invalid_input")
    assert refusal["parameter"] == "form"
    assert "form=json" in refusal["message"]


async def test_a_graph_as_a_drawing(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/dags/sums/drawing")
    assert (answer.status_code, answer.text) == (200, DRAWN)
    assert answer.headers["content-type"].startswith("text/plain")
    picture = await api.get("/dags/sums/drawing?form=svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in picture.headers["content-security-policy"]
    titles = [
        title.text for title in ElementTree.fromstring(picture.text).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles == ["first: add", "second: add"]
    error_of(await api.get("/dags/none/drawing"), 404, "not_found")


async def test_a_run_as_a_drawing_says_where_it_stands(api: httpx2.AsyncClient, desk: Desk) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 5}})).json()["id"]
    await desk.succeed(await desk.claim("sums"), 6)
    drawn = (await api.get(f"/runs/{run}/drawing")).text
    assert '["first<br/>add<br/>succeeded"]' in drawn
    assert '["second<br/>add<br/>queued"]' in drawn
    picture = (await api.get(f"/runs/{run}/drawing?form=svg")).text
    assert "second: queued" in picture
    task = (await api.post("/tasks", json={"type": "keep"})).json()["id"]
    error_of(await api.get(f"/runs/{task}/drawing"), 404, "not_found")


async def test_what_nobody_could_look_at_is_not_drawn(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = (await api.post("/dags/sums/runs", json={"params": {"start": 5}})).json()["id"]
    monkeypatch.setattr(routes.drawings, "MOST_ARROWS", 0)
    for path in ("/dags/sums/drawing", f"/runs/{run}/drawing?form=svg"):
        refusal = error_of(await api.get(path), 422, "invalid_input")
        assert "1 arrows" in refusal["message"]
        assert (await api.get(path.partition("/drawing")[0])).status_code == 200


async def test_a_restricted_key_gets_the_text_of_graphs_and_drawings_of_runs_that_are_its_own(
    app: Jobbers,
) -> None:
    keep = app.find("keep")
    own, mixed, spread = app.dag("own"), app.dag("mixed"), app.dag("spread")
    own.node(keep, own.node(keep, "mine").on("mail")).on("mail")
    mixed.node(keep, mixed.node(keep, "theirs").on("mail"))
    spread.map(keep, [1, 2]).on("mail")
    mine, theirs = (await own.submit()).id, (await mixed.submit()).id
    key = (await Access((await app.client()).store).create("mail", "read", queues=["mail"])).text
    async with call(create_app(app)) as api:
        api.headers["X-API-Key"] = key
        for name in ("own", "spread"):
            assert (await api.get(f"/dags/{name}/text")).status_code == 200, name
        refusal = error_of(await api.get("/dags/mixed/text"), 403, "queue_forbidden")
        assert "goes to default" in refusal["message"]
        assert "theirs" not in (await api.get("/dags/mixed/drawing")).text
        assert (await api.get(f"/runs/{mine}/drawing")).status_code == 200
        error_of(await api.get(f"/runs/{theirs}/drawing"), 404, "not_found")
