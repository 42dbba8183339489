"""Whatever is sent: never a 5xx, every refusal in the one shape, and what was accepted can be read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobbers import new_id

JSON = {"content-type": "application/json"}
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PATHS = [
    *("/tasks/{}", "/tasks/{}/result", "/tasks/{}/cancel", "/tasks/{}/requeue"),
    *("/queues/{}/pause", "/dead-letters/{}", "/{}"),
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
marks = st.fixed_dictionaries({"$base64": st.text(alphabet="AP8=_", max_size=8)})
times = st.datetimes().map(lambda at: f"{at.isoformat()}-11:59") | st.sampled_from(
    ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2030-01-01T00:00:00Z"]
)
names = st.sampled_from(["default", "a.b-c_d", "a:b", "", "{x}", "é", "x" * 101])
seconds = st.floats() | st.integers() | st.sampled_from([0, -0.0, 1e-9, 1e300, 3_153_600_000])
submissions = st.fixed_dictionaries(
    {"type": st.sampled_from(["keep", "keep", "keep", "add", "remind", "deliver", "none"])},
    optional={
        "args": st.lists(anything | marks | times, max_size=3),
        "kwargs": st.dictionaries(
            st.sampled_from(["a", "b", "when", "text", "to", "value", "data", "self", ""]),
            anything | marks | times,
            max_size=3,
        ),
        "id": st.builds(new_id) | st.text(max_size=27),
        "queue": names,
        "priority": st.integers(-1, 10) | anything,
        "delay": seconds,
        "at": times,
        "deadline": seconds,
        "unique": st.fixed_dictionaries(
            {"key": st.text(max_size=4)},
            optional={"until": st.sampled_from(["started", "finished"]) | seconds | anything},
        ),
        "headers": st.dictionaries(st.text(max_size=4), st.text(max_size=4)) | anything,
    },
)
queries = st.dictionaries(
    st.sampled_from(["status", "type", "queue", "cursor", "limit", "timeout"]),
    st.text(max_size=20)
    | st.sampled_from(
        ["queued", "failed", "running", "succeeded", "0/-", "-5/0-0", "5/1-1", "1-1", "99999999999999999999"]
    )
    | st.integers().map(str),
)


def sound(response: httpx2.Response) -> int:
    """The status of a response, which must be no 5xx and, if it is a refusal, of the one shape."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.json()["error"].keys() == {"code", "message", "parameter"}
    return response.status_code


async def readable(api: httpx2.AsyncClient, task_id: str) -> None:
    task = await api.get(f"/tasks/{task_id}")
    assert sound(task) == 200
    status = task.json()["status"]
    assert sound(await api.get("/tasks", params={"status": status})) == 200


@FUZZ
@given(task=submissions)
async def test_submissions(api: httpx2.AsyncClient, task: dict[str, Any]) -> None:
    response = await api.post("/tasks", content=json.dumps(task), headers=JSON)
    if sound(response) < 300:
        await readable(api, response.json()["id"])


@FUZZ
@given(tasks=st.lists(submissions, max_size=3))
async def test_batches(api: httpx2.AsyncClient, tasks: list[Any]) -> None:
    response = await api.post("/tasks/batch", content=json.dumps({"tasks": tasks}), headers=JSON)
    if sound(response) < 300:
        for task in response.json()["tasks"]:
            await readable(api, task["id"])


@FUZZ
@given(
    path=st.sampled_from(
        ["/tasks", "/tasks/batch", "/dags/sums/runs", "/dead-letters/requeue", "/dead-letters/drop"]
    ),
    body=st.binary() | anything.map(lambda value: json.dumps(value).encode()),
    content_type=st.just("application/json") | st.text(alphabet="aj/;=+json", max_size=20),
)
async def test_bodies(api: httpx2.AsyncClient, path: str, body: bytes, content_type: str) -> None:
    sound(await api.post(path, content=body, headers={"content-type": content_type}))


@FUZZ
@given(
    path=st.sampled_from(["/tasks", "/dead-letters", "/queues", f"/tasks/{new_id()}/result"]), query=queries
)
async def test_queries(api: httpx2.AsyncClient, path: str, query: dict[str, str]) -> None:
    sound(await api.get(path, params=query))


@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"]),
    part=st.text(max_size=30) | st.builds(new_id),
    path=st.sampled_from(
        [
            "/tasks/{}",
            "/tasks/{}/result",
            "/tasks/{}/cancel",
            "/tasks/{}/requeue",
            "/queues/{}/pause",
            "/dead-letters/{}",
            "/dags/{}",
            "/dags/{}/runs",
            "/runs/{}",
            "/runs/{}/retry",
            "/{}",
        ]
    ),
    body=anything,
)
async def test_paths(api: httpx2.AsyncClient, method: str, part: str, path: str, body: Any) -> None:
    url = path.format(quote(part, safe=""))
    response = await api.request(method, url, content=json.dumps(body), headers=JSON)
    assert response.status_code < 500
