"""A browser, and for each test an app of its own with a worker and the API, all real.

Needs Debian's Chromium (``apt-get install chromium``) and the package playwright; without one of them these tests are
skipped. Screenshots lie in the folder that ``pytest -s`` prints; ``--basetemp`` chooses where.
"""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.page.stage import SECONDS, Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

CHROMIUM = Path("/usr/bin/chromium")


def missing() -> str | None:
    """Why there can be no browser here, or ``None``."""
    if importlib.util.find_spec("playwright") is None:
        return "the package playwright is not installed (pip install 'jobbers[dev]')"
    if not CHROMIUM.exists():
        return f"there is no Chromium at {CHROMIUM} (apt-get install chromium)"
    return None


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A browser for the tests of a file; each has a context of its own in it, as if it were another person's."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=SECONDS)  # its own five seconds are over when a machine is slow
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the tests of a file: the browser belongs to it."""
    return "asyncio"


@pytest.fixture
async def stage(browser: Browser, jobbers_server: str) -> AsyncIterator[Stage]:
    """A page that is open on the overview of a service with a worker; nothing may have gone wrong in it at the end."""
    async with Stage(browser, jobbers_server, f"page-{secrets.token_hex(6)}") as stage:
        await stage.open()
        yield stage
        assert stage.complaints == []


@pytest.fixture
def shots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where screenshots go."""
    folder = tmp_path_factory.mktemp("page")
    yield folder
    print(f"\nscreenshots: {folder}")  # noqa: T201 - with -s one finds them
