"""A store with one shard: on a real server, and on the fake one that users' tests run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobbers.store.connect import Connector, ServerConnector
from jobbers.store.store import Store
from jobbers.store.url import parse
from jobbers.testing import FakeConnector, audit_store
from jobbers.testing.keyspace import erase, fresh_namespace


@pytest.fixture(params=["real", "fake"])
def connector(request: pytest.FixtureRequest) -> Connector:
    """How to reach the server of the test; the real one is started only for those who want it."""
    if request.param == "fake":
        return FakeConnector()
    url: str = request.getfixturevalue("jobbers_server")
    return ServerConnector(parse(url))


@pytest.fixture
async def store(connector: Connector, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An open store with one shard; what it holds at the end is audited."""
    store = Store(connector, namespace=fresh_namespace(), shards=1, patience=5.0)
    await store.open()
    try:
        yield store
        if request.node.get_closest_marker("leaves_garbage") is None:
            assert await audit_store(store) == []
    finally:
        await erase(store)
        await store.close()


@pytest.fixture
async def store_of_two(connector: Connector) -> AsyncIterator[Store]:
    """An open store with two shards, which is not audited."""
    store = Store(connector, namespace=fresh_namespace(), shards=2, patience=5.0)
    await store.open()
    try:
        yield store
    finally:
        await erase(store)
        await store.close()
