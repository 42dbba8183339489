"""Fixtures of the scenarios."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.scenarios.harness import Scene


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scene(**settings): settings of the scenario's app and workers")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A server of its own; at the end the promises are checked. The mark ``scene(lease=1)`` chooses settings."""
    marker = request.node.get_closest_marker("scene")
    async with Scene(settings=dict(marker.kwargs) if marker else None) as scene:
        yield scene
        await scene.check()
