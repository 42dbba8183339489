"""What a browser loads before the overview of a busy service is to be seen."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.scene import WORKERS, make_media, play
from tests.page.stage import Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MOST_BYTES = 100_000
MOST_REQUESTS = 36
SETTLED_MS = 2_000
"""After the heading is there, for what is loaded later, and for the first news."""


async def test_the_first_view_is_small(browser: Browser, jobbers_server: str) -> None:
    namespace = f"page-{secrets.token_hex(6)}"
    async with Stage(browser, jobbers_server, namespace, make=make_media, workers=WORKERS) as stage:
        await play(stage)
        context = await browser.new_context()
        page = stage.page = await context.new_page()
        devtools: Any = await context.new_cdp_session(page)
        received: dict[str, int] = {}
        asked: dict[str, str] = {}

        def add(event: dict[str, Any], sized: dict[str, Any]) -> None:
            """Count what came of a response that may never end."""
            request = event["requestId"]
            received[request] = received.get(request, 0) + max(0, int(sized["encodedDataLength"]))

        devtools.on(
            "Network.requestWillBeSent", lambda it: asked.update({it["requestId"]: it["request"]["url"]})
        )
        devtools.on("Network.responseReceived", lambda it: add(it, it["response"]))
        devtools.on("Network.dataReceived", lambda it: add(it, it))
        devtools.on(
            "Network.loadingFinished", lambda it: received.update({it["requestId"]: it["encodedDataLength"]})
        )
        await devtools.send("Network.enable")
        await page.goto(stage.url)
        await page.get_by_role("table", name="Task types of the last hour").wait_for()
        await page.wait_for_timeout(SETTLED_MS)
        sizes = sorted(((received.get(it, 0), url) for it, url in asked.items()), reverse=True)
        assert sum("/api/v1/events" in url for _, url in sizes) == 1, sizes
        assert 40_000 < sum(size for size, _ in sizes) < MOST_BYTES, sizes
        assert len(sizes) <= MOST_REQUESTS, sizes
