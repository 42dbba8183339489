"""A real server for all tests here, and for each test an app with a namespace of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from jobbers import Jobbers
from jobbers.store.embedded import EmbeddedServer, start
from tests.api.support import Desk, call, make_app, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    binary = os.environ.get("JOBBERS_TEST_SERVER")
    with start(tmp_path_factory.mktemp("api"), binary=binary) as started:
        yield started


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def app(server: EmbeddedServer) -> AsyncIterator[Jobbers]:
    app = make_app(server.url)
    yield app
    await app.close()


@pytest.fixture
async def api(app: Jobbers) -> AsyncIterator[httpx2.AsyncClient]:
    async with call(served(app)) as client:
        yield client


@pytest.fixture
def desk(app: Jobbers) -> Desk:
    return Desk(app)
