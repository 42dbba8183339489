"""Fixtures of the scenarios."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.scenarios.harness import Scene


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "scene(**settings): settings of the scenario's app and workers; server=[...]: options of its server",
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """A server of its own; at the end the promises are checked. Marks such as ``scene(lease=1)`` choose settings."""
    given: dict[str, Any] = {}
    for marker in request.node.iter_markers("scene"):  # the test's own first
        given = {**marker.kwargs, **given}
    options = given.pop("server", ())
    async with Scene(settings=given, options=options) as scene:
        yield scene
        await scene.check()
