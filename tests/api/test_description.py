"""The description of the API: every operation says what it does, takes and answers, with examples that are right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from jobbers import Jobbers
from jobbers.api import create_app
from jobbers.api.errors import ANSWERS

NO_JSON = {
    f"GET /api/v1/{path}" for path in ("metrics", "events", "dags/{name}/drawing", "runs/{task_id}/drawing")
}


@pytest.fixture
async def description(app: Jobbers) -> dict[str, Any]:
    return create_app(app).openapi()


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def fits(description: dict[str, Any], schema: dict[str, Any], example: object, where: str) -> None:
    whole = {**schema, "components": description["components"]}
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(example)
    ]
    assert not errors, f"{where}: {errors}"


async def test_what_operations_say(description: dict[str, Any]) -> None:
    seen: set[str] = set()
    for name, operation in operations(description):
        assert 3 <= len(operation["summary"]) <= 90, (name, operation["summary"])
        assert not operation["summary"].endswith("."), name
        assert len(operation["description"]) >= 10, name
        assert operation["operationId"] not in seen, name
        seen.add(operation["operationId"])
        assert {"401", "403", "422", "429", "500", "502", "503"} <= operation["responses"].keys(), name
        assert ("requestBody" in operation) == ("408" in operation["responses"]), name
        assert (
            ("404" in operation["responses"])
            or "{" not in name
            or operation["x-scope"] != "read"
            or ("scale" in name)
        ), f"{name}: what if there is no such thing?"
        for status, answer in operation["responses"].items():
            assert len(answer["description"]) >= 5, (name, status)
    assert len(seen) > 75


async def test_parameters_are_described_with_examples(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            where = f"{name} {parameter['name']}"
            assert parameter.get("description"), where
            given = parameter.get("example", parameter["schema"].get("examples", [None])[0])
            if given is None:
                assert parameter["name"] == "cursor", where
                continue
            fits(description, parameter["schema"], given, where)


async def test_bodies_and_answers_have_examples_that_are_right(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        bodies = {f"{name} body": operation.get("requestBody")}
        answers = {status: answer for status, answer in operation["responses"].items() if status < "300"}
        bodies |= {f"{name} {status}": answer for status, answer in answers.items()}
        for where, body in bodies.items():
            if body is None or (name in NO_JSON and where.endswith("200")):
                continue
            media = body["content"]["application/json"]
            example = media.get("example", next(iter(media.get("examples", {}).values()), None))
            assert example not in (None, {}, []), where
            fits(description, media["schema"], example, where)


async def test_every_code_of_an_error_is_described(description: dict[str, Any]) -> None:
    told = " ".join(
        answer["description"]
        for _, operation in operations(description)
        for answer in operation["responses"].values()
    )
    inside = {"jobbers_error", "embedded_unavailable", "wait_timeout"}
    for code in ANSWERS.keys() - inside:
        assert f"`{code}`" in told, code


async def test_the_served_one_is_the_same(api: httpx2.AsyncClient, description: dict[str, Any]) -> None:
    assert (await api.get("/openapi.json")).json() == description
