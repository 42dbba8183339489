"""The page's first view: what it loads over the wire, and when something is to be seen."""

from __future__ import annotations

import importlib.util
import shutil
import time
from typing import Any

from benchmarks.api.measures import Row
from benchmarks.api.service import Service

CHROMIUM = "chromium"
SETTLED_MS = 3_000
"""After the heading is there, for what is loaded later."""
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


async def first_view(service: Service) -> dict[str, Row]:
    """Open the overview, logged in and with nothing cached. Nothing without Chromium and Playwright."""
    if importlib.util.find_spec("playwright") is None or shutil.which(CHROMIUM) is None:
        return {}
    from playwright.async_api import async_playwright

    url = f"http://127.0.0.1:{service.port}"
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=shutil.which(CHROMIUM), args=arguments)
        try:
            context = await browser.new_context()
            await context.request.post(f"{url}/api/v1/login", data={"key": service.key})
            page = await context.new_page()
            received: dict[str, int] = {}
            devtools: Any = await context.new_cdp_session(page)
            devtools.on("Network.responseReceived", lambda it: _add(received, it, it["response"]))
            devtools.on("Network.dataReceived", lambda it: _add(received, it, it))
            devtools.on(
                "Network.loadingFinished",
                lambda it: received.update({it["requestId"]: it["encodedDataLength"]}),
            )
            await devtools.send("Network.enable")
            begun = time.perf_counter()
            await page.goto(f"{url}/admin/")
            await page.get_by_role("heading", level=1).wait_for()
            heading = time.perf_counter() - begun
            painted = await page.evaluate(_FIRST_PAINT)
            await page.wait_for_timeout(SETTLED_MS)
        finally:
            await browser.close()
    return {
        "first view": {
            "requests": len(received),
            "kB": sum(received.values()) / 1000,
            "first paint ms": painted,
            "heading ms": heading * 1000,
        }
    }


def _add(received: dict[str, int], event: dict[str, Any], sized: dict[str, Any]) -> None:
    """Count what came of a response that may never end; of one that ends the sum is set then."""
    request = event["requestId"]
    received[request] = received.get(request, 0) + max(0, int(sized["encodedDataLength"]))
