"""One service that asks nobody, and one that asks for keys, for all tests here: what is done to them must not end them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from jobbers.store.embedded import EmbeddedServer, start
from tests.security.process import JSON, Service, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    binary = os.environ.get("JOBBERS_TEST_SERVER")
    with start(tmp_path_factory.mktemp("security"), binary=binary) as started:
        yield started


def arguments(server: EmbeddedServer) -> list[str]:
    """What a service is started with to have a namespace of its own."""
    return [f"--redis-url={server.url}", f"--namespace=security-{secrets.token_hex(6)}"]


@pytest.fixture(scope="session")
def service(server: EmbeddedServer) -> Iterator[Service]:
    """A service that asks nobody for a key."""
    with running(arguments(server)) as started:
        yield started
        assert started.process.poll() is None, started.output


@pytest.fixture
def api(service: Service) -> Iterator[httpx2.Client]:
    """Calls it."""
    with service.client() as client:
        yield client


@dataclass
class Locked:
    """A service that asks for a key, and one that may do everything."""

    service: Service
    key: str


@pytest.fixture(scope="session")
def locked(server: EmbeddedServer) -> Iterator[Locked]:
    """A service that asks everybody for a key."""
    with running(arguments(server)) as started:
        with started.client() as client:
            made = client.post("/keys", json={"name": "root", "scope": "admin"}, headers=JSON)
            assert made.status_code == 201, made.text
            client.headers["x-api-key"] = made.json()["key"]
            assert client.get("/me").json()["scope"] == "admin"
        yield Locked(started, made.json()["key"])
        assert started.process.poll() is None, started.output


@pytest.fixture
def root(locked: Locked) -> Iterator[httpx2.Client]:
    """Calls it with that key."""
    with locked.service.client(headers={"x-api-key": locked.key}) as client:
        yield client
