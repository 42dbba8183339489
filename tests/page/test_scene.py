"""The page with an hour behind it: rates, advice, waits against run times, log lines, graphs; in three workers' service."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.page.scene import WORKERS, make_media, play
from tests.page.stage import Stage

pytest.importorskip("playwright")
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def scene(browser: Browser, jobbers_server: str) -> AsyncIterator[Stage]:
    async with Stage(
        browser, jobbers_server, f"page-{secrets.token_hex(6)}", make=make_media, workers=WORKERS
    ) as stage:
        yield stage
        assert stage.complaints == []


async def test_an_hour_is_told(scene: Stage, shots: Path) -> None:
    found = await play(scene)
    page = await scene.open()
    overview = page.locator("main")
    await expect(overview.locator(".number", has_text="Running")).to_contain_text(
        "33 % of slots on 3 workers"
    )
    await expect(overview.locator(".number", has_text="Queued")).to_contain_text("done in")
    await expect(overview.locator(".pace")).to_have_count(4)
    await expect(page.get_by_role("img", name="notify: waited")).to_be_visible()
    await page.screenshot(path=shots / "overview.png", full_page=True)

    await scene.go("#/queues/video", "video")
    await scene.see("Can be run")
    await expect(page.get_by_text("Needs", exact=True).locator("..")).to_contain_text("worker")
    await expect(page.locator(".chart:not(.backlog) .bar")).to_have_count(60)
    await page.screenshot(path=shots / "queue.png", full_page=True)

    await scene.go(f"#/tasks/{found['task']}", "transcode")
    await expect(page.get_by_role("region", name="Log").get_by_role("listitem")).to_have_count(1)
    await scene.see("encoding harbour.mov as 1080p")
    await page.screenshot(path=shots / "task.png", full_page=True)

    await scene.go("#/types/transcode", "transcode")
    row = page.get_by_role("region", name="Last hour").locator("tbody tr")
    await expect(row).to_contain_text("video")
    assert int((await row.locator("td").nth(1).inner_text()).replace(",", "")) > 1000
    await scene.go("#/workers", "Workers")
    await expect(page.get_by_text("Loop late by")).to_have_count(3)


async def test_edges_go_around_nodes(scene: Stage) -> None:
    await scene.open()
    places = await scene.page.evaluate("""async () => {
        const { layout } = await import('./js/graph.js');
        const { places } = layout([
            { name: 'a', after: [] }, { name: 'b', after: ['a'] }, { name: 'c', after: ['b', 'a'] },
        ]);
        return [...places.values()].map(({ name, node, x, y }) => ({ name, node: node !== null, x, y }));
    }""")
    nodes = {place["name"]: place for place in places if place["node"]}
    (bend,) = [place for place in places if not place["node"]]
    assert bend["x"] == nodes["b"]["x"]
    assert abs(bend["y"] - nodes["b"]["y"]) > 21, "half the height of a node"
