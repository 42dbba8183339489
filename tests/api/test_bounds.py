"""Numbers, bodies and lists without bounds are refused before they cost anything."""

from __future__ import annotations

import gzip
import json

import httpx2
import pytest

from tests.api.support import error_of

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1E+309", "1e0400", "9" * 310 + ".0", "9" * 250 + "e99", "9" * 300 + "e9", "0.1e999"],
)
@pytest.mark.parametrize("value", ["{}", "[[{}]]", '{{"a": [1, {{"b": {}}}]}}'])
async def test_numbers_that_become_infinite(api: httpx2.AsyncClient, number: str, value: str) -> None:
    body = f'{{"type": "keep", "args": [{value.format(number)}]}}'
    error_of(await api.post("/tasks", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize(
    "number", ["1e308", "1e-400", "0e999", "12e3", "-1.5E+10", '"1e400"', '"' + "9" * 400 + '"']
)
async def test_numbers_that_do_not(api: httpx2.AsyncClient, number: str) -> None:
    made = await api.post("/tasks", content=f'{{"type": "keep", "args": [{number}]}}', headers=JSON)
    assert made.status_code == 201
    assert (await api.get(f"/tasks/{made.json()['id']}")).json()["args"] == [json.loads(number)]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_packed_bodies_are_refused(api: httpx2.AsyncClient, encoding: str) -> None:
    for body in (gzip.compress(b" " * 100_000_000 + b"{}"), b'{"type": "keep"}'):
        response = await api.post("/tasks", content=body, headers={**JSON, "content-encoding": encoding})
        error_of(response, 415, "unsupported_media_type")
    plain = await api.post(
        "/tasks", content=b'{"type": "keep"}', headers={**JSON, "content-encoding": "identity"}
    )
    assert plain.status_code == 201


async def test_arguments_are_counted_before_each_is_checked(api: httpx2.AsyncClient) -> None:
    many = [1] * 10_001
    for body in ({"args": many}, {"kwargs": {str(index): 1 for index in range(10_001)}}):
        error_of(await api.post("/tasks", json={"type": "keep", **body}), 422, "invalid_input")
        error_of(
            await api.post("/schedules", json={"name": "a", "every": 60, "type": "keep", **body}),
            422,
            "invalid_input",
        )
    assert (await api.post("/tasks", json={"type": "keep", "args": many[1:]})).status_code == 201
    assert (await api.post("/tasks", json={"type": "keep", "args": [many * 10]})).status_code == 201


@pytest.mark.parametrize(
    ("path", "items"),
    [
        ("/tasks/batch", '{"tasks": [%s]}'),
        ("/dead-letters/requeue", '{"ids": [%s]}'),
        ("/dead-letters/drop", '{"ids": [%s]}'),
        ("/keys", '{"name": "x", "scope": "read", "queues": [%s]}'),
    ],
)
async def test_lists_of_a_million(api: httpx2.AsyncClient, path: str, items: str) -> None:
    body = items % ",".join(["{}"] * 1_000_000)
    error_of(await api.post(path, content=body, headers=JSON), 422, "invalid_input")


@pytest.mark.parametrize(
    "path",
    [
        "/tasks?status=queued&limit=501", "/tasks?status=queued&limit=0", "/tasks?status=queued&type=" + "x" * 201,
        "/dead-letters?queue=" + "x" * 201, "/dead-letters/groups?limit=501", "/runs?limit=501", "/runs?dag=" + "x" * 201,
        "/schedules?limit=501", "/schedules?cursor=n" + "x" * 2001, "/queues?limit=501", "/workers?limit=501",
        "/audit?limit=501", "/stats?minutes=181",
        "/stats/queues?minutes=1441", "/stats/queues?step=1441", "/stats/workers?minutes=1441", "/advice?target_wait=1e9",
        "/advice?target_wait=nan", "/scale/mail?at_least=1000001", "/scale/mail?at_most=" + "9" * 400,
        "/tasks?status=queued&cursor=" + "1" * 101,
    ],
)  # fmt: skip
async def test_parameters_have_bounds(api: httpx2.AsyncClient, path: str) -> None:
    error_of(await api.get(path), 422, "invalid_input")


async def test_every_list_and_number_of_a_query_has_bounds(api: httpx2.AsyncClient) -> None:
    """A parameter that is added without bounds is found here."""
    description = (await api.get("/openapi.json")).json()
    unbounded = []
    for path, methods in description["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query":
                    continue
                schema = parameter["schema"]
                for one in schema.get("anyOf", [schema]):
                    numeric = one.get("type") in ("integer", "number")
                    if numeric and not ("maximum" in one and "minimum" in one):
                        unbounded.append(f"{path} {parameter['name']}")
                    if one.get("type") == "string" and not one.keys() & {
                        "maxLength",
                        "pattern",
                        "enum",
                        "format",
                        "$ref",
                    }:
                        unbounded.append(f"{path} {parameter['name']}")
    assert not unbounded
