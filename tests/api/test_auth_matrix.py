"""Every route with every kind of key: what it declares holds."""

from __future__ import annotations

import importlib
import pkgutil
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from jobbers import Jobbers
from jobbers.api import create_app, routes
from jobbers.api.callers import OPEN, declared, needs
from jobbers.api.route import ApiRoute
from jobbers.client import new_id
from jobbers.core.access import KeyFacts, Scope, digest, key_text
from jobbers.keyring import Access
from tests.api.support import call, error_of, served

STATIC = {"/admin", "/admin/{name:path}"}
"""What anybody may get, in the routers: the files of the page."""
FILLED = {"kind": "add", "role": "post", "name": "nothing", "worker": "w", "task_id": new_id()}
CREDENTIALS = ("none", "wrong", "expired", *Scope)


def routers() -> Iterator[APIRouter]:
    for module in pkgutil.iter_modules(routes.__path__):
        yield importlib.import_module(f"{routes.__name__}.{module.name}").router


def operations(api: FastAPI) -> dict[str, Mapping[str, Any]]:
    """Every method of every path of the description, and of the metrics that have a second path."""
    found = {
        f"{method.upper()} {path}": operation
        for path, methods in api.openapi()["paths"].items()
        for method, operation in methods.items()
    }
    return found | {"GET /metrics": found["GET /api/v1/metrics"]}


@pytest.fixture
async def keys(app: Jobbers) -> dict[str, str | None]:
    access = Access((await app.client()).store)
    secret = secrets.token_urlsafe(32)
    await (await app.client()).store.access.create_key(
        KeyFacts("expired", Scope.ADMIN, expires=1_000), digest(secret)
    )
    made = {scope: (await access.create(f"{scope}.key", scope)).text for scope in Scope}
    right = made[Scope.ADMIN]
    flipped = right[:-5] + ("A" if right[-5] != "A" else "B") + right[-4:]
    return {"none": None, "wrong": flipped, "expired": key_text("expired", secret), **made}


@pytest.fixture
async def strict(app: Jobbers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    monkeypatch.setattr("jobbers.api.slowdown.FIRST", 0)
    async with call(served(app)) as client:
        client.base_url = httpx2.URL("http://api.test")
        yield client


def test_every_route_declares_a_scope() -> None:
    found = [route for router in routers() for route in router.routes]
    assert len(found) > 30
    for route in found:
        path = getattr(route, "path", "")
        if path in STATIC:
            continue
        assert isinstance(route, ApiRoute), f"{path} is not of the class that the gate stands in"
        assert declared(route)[0] is not None, (
            f"{route.methods} {path} declares no scope: openapi_extra=needs(…)"
        )


async def test_what_is_declared_fits_the_method(app: Jobbers) -> None:
    for name, operation in operations(create_app(app)).items():
        scope = operation["x-scope"]
        if name.startswith("GET"):
            assert scope in (OPEN, "read", "admin"), name
        elif not name.endswith(("/login", "/logout")):
            assert Scope(scope).covers(Scope.SUBMIT), name
        if scope != OPEN:
            assert operation["security"], name
    opened = {name for name, operation in operations(create_app(app)).items() if operation["x-scope"] == OPEN}
    paths = {"GET /health", "GET /ready", "POST /login", "POST /logout"}
    assert opened == {name.replace("/", "/api/v1/", 1) for name in paths}


async def test_every_route_with_every_key(
    app: Jobbers, strict: httpx2.AsyncClient, keys: dict[str, str | None]
) -> None:
    tried = 0
    for name, operation in operations(create_app(app)).items():
        method, path = name.split()
        url = re.sub(r"\{(\w+)\}", lambda match: FILLED[match[1]], path)
        for credential in CREDENTIALS:
            key = keys[credential]
            headers = {} if key is None else {"X-API-Key": key}
            body = {} if method in {"GET", "DELETE"} else {"json": {}}
            response = await strict.request(method, url, headers=headers, **body)
            where = f"{name} with {credential}: {response.status_code} {response.text[:200]}"
            tried += 1
            if operation["x-scope"] == OPEN:
                assert response.status_code in (200, 422), where
            elif credential not in list(Scope):
                assert response.status_code == 401, where
                error_of(response, 401, "unauthorized")
                assert response.headers["www-authenticate"] == "Bearer"
            elif Scope(credential).covers(Scope(operation["x-scope"])):
                assert response.status_code not in (401, 403), where
                assert response.status_code < 500, where
            else:
                assert response.status_code == 403, where
                error_of(response, 403, "forbidden")
    assert tried > 200


async def test_refusals_do_not_tell_which_keys_there_are(
    strict: httpx2.AsyncClient, keys: dict[str, str | None]
) -> None:
    strangers = [
        None, keys["wrong"], keys["expired"], key_text("nobody", secrets.token_urlsafe(32)), "", "x", "é" * 50,
        "jobbers-key.", "jobbers-key..", key_text("-", secrets.token_urlsafe(32)), "jobbers-key." + "a" * 5_000,
        key_text("../*", "x" * 43), key_text("a\0b", "x" * 43), key_text("admin.key", ""),
    ]  # fmt: skip
    answers = set()
    for stranger in strangers:
        headers = [] if stranger is None else [(b"x-api-key", stranger.encode())]
        response = await strict.get("/api/v1/tasks?status=queued", headers=headers)
        assert response.status_code == 401, stranger
        answers.add(response.text)
    assert len(answers) == 1


async def test_a_route_that_declares_nothing_is_for_those_who_may_do_everything(
    app: Jobbers, keys: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = next(
        route
        for router in routers()
        for route in router.routes
        if isinstance(route, ApiRoute) and route.path == "/queues"
    )
    monkeypatch.setattr(queues, "openapi_extra", {})
    async with call(create_app(app)) as api:
        for scope in Scope:
            response = await api.get("/queues", headers={"X-API-Key": keys[scope] or ""})
            assert response.status_code == (200 if scope is Scope.ADMIN else 403), scope


def test_a_scope_that_does_not_exist_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="no scope"):
        needs("everything")
