"""The pictures of the page in the documentation: ``make pictures`` runs this and nothing else does.

It leaves ``docs/pictures/*.png``; to have them elsewhere, set ``--basetemp`` and see ``test_looks.py``.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.page.scene import WORKERS, make_media, play
from tests.page.stage import Stage

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[2] / "docs/pictures"
LARGEST = 150_000
"""Bytes of one picture: they are part of the repository."""
SIZE = {"width": 1280, "height": 880}


async def test_pictures(browser: Browser, jobbers_server: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    async with Stage(
        browser, jobbers_server, f"page-{secrets.token_hex(6)}", make=make_media, workers=WORKERS
    ) as stage:
        found = await play(stage)
        pages = {
            "overview": ("#/", "Overview"),
            "queue": ("#/queues/video", "video"),
            "task": (f"#/tasks/{found['task']}", "transcode"),
            "run": (f"#/runs/{found['run']}", "publish_video"),
        }
        page = await stage.open(viewport=SIZE, color_scheme="light", timezone_id="UTC", locale="en-GB")
        for name, (where, heading) in pages.items():
            await stage.go(where, heading)
            await page.locator("main .loading").first.wait_for(state="detached")
            await page.wait_for_timeout(1200)  # advice and news
            await page.screenshot(path=FOLDER / f"{name}.png")
        assert stage.complaints == []
    too_large = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.stat().st_size > LARGEST}
    assert not too_large
