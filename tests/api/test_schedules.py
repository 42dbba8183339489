"""Schedules over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.support import Desk, error_of

pytestmark = pytest.mark.anyio

NIGHTLY = {"name": "nightly", "type": "add", "args": [5], "cron": "0 3 * * *", "tz": "Asia/Tokyo"}


async def test_from_creation_to_deletion(api: httpx2.AsyncClient, desk: Desk) -> None:
    created = await api.post("/schedules", json=NIGHTLY)
    assert (created.status_code, created.json()) == (201, {"name": "nightly", "became": "made"})
    (listed,) = (await api.get("/schedules")).json()["schedules"]
    assert listed == (await api.get("/schedules/nightly")).json()
    assert (listed["timing"], listed["target"], listed["started"]) == ("0 3 * * * (Asia/Tokyo)", "add", 0)
    times = (await api.get("/schedules/nightly/times")).json()["times"]
    assert len(times) == 10
    assert times[0].endswith("T03:00:00+09:00")

    assert (await api.post("/schedules/nightly/pause", json={})).json()["became"] == "paused"
    assert (await api.get("/schedules/nightly")).json()["next"] is None
    started = await api.post("/schedules/nightly/run", json={})
    assert (await desk.claim("sums")).id == started.json()["id"]
    assert (await api.post("/schedules/nightly/resume", json={})).json()["became"] == "resumed"

    error_of(await api.post("/schedules", json=NIGHTLY), 409, "conflict")
    again = await api.post("/schedules", json=NIGHTLY | {"replace": True})
    assert (again.status_code, again.json()["became"]) == (200, "same")
    changed = await api.post("/schedules", json=NIGHTLY | {"replace": True, "tz": "UTC"})
    assert (changed.status_code, changed.json()["became"]) == (200, "changed")

    assert (await api.delete("/schedules/nightly")).json()["became"] == "deleted"
    for answer in (
        await api.get("/schedules/nightly"),
        await api.delete("/schedules/nightly"),
        await api.get("/schedules/nightly/times"),
        await api.post("/schedules/nightly/pause", json={}),
        await api.post("/schedules/nightly/run", json={}),
    ):
        error_of(answer, 404, "not_found")


async def test_of_a_graph_and_by_pages(api: httpx2.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        body = {"name": name, "dag": "sums", "kwargs": {"start": 5}, "every": 3600}
        assert (await api.post("/schedules", json=body)).status_code == 201
    run = (await api.post("/schedules/b/run", json={})).json()["id"]
    assert (await api.get(f"/runs/{run}")).json()["dag"] == "sums"
    first = (await api.get("/schedules", params={"limit": 1})).json()
    page = (await api.get("/schedules", params={"cursor": first["cursor"], "limit": 1})).json()["schedules"]
    assert [one["name"] for one in page] == ["b"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"cron": "0 0 30 2 *"}, 422, "invalid_input"),
        ({"tz": "Mars/Olympus"}, 422, "invalid_input"),
        ({"every": 5}, 422, "invalid_input"),
        ({"dag": "sums"}, 422, None),
        ({"type": "nothing"}, 422, "unknown_task_type"),
        ({"args": ["five"]}, 422, "invalid_argument"),
        ({"name": "a name"}, 422, None),
        ({"overlap": "perhaps"}, 422, None),
        ({"missed": "all"}, 422, "invalid_input"),
    ],
)
async def test_bad_input_changes_nothing(
    api: httpx2.AsyncClient, change: dict[str, Any], status: int, code: str | None
) -> None:
    answer = await api.post("/schedules", json=NIGHTLY | change)
    assert answer.status_code == status
    assert code in (None, answer.json()["error"]["code"])
    assert (await api.get("/schedules")).json()["schedules"] == []
