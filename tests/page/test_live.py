"""The page is told of what happens by the event stream, and asks for nothing as long as it is."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.core.status import Status
from tests.page.stage import Stage
from tests.page.test_page import settled

pytest.importorskip("playwright")
from playwright.async_api import expect

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HIDE = """hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange')) }"""


def watched(stage: Stage) -> list[str]:
    """The requests from now on, without their query."""
    asked: list[str] = []
    stage.page.on(
        "request", lambda request: asked.append(request.url.rpartition("/api/v1/")[2].partition("?")[0])
    )
    return asked


async def test_news_come_without_asking(stage: Stage) -> None:
    page = stage.page
    await page.wait_for_timeout(2500)  # until the stream is there
    asked = watched(stage)
    await settled(stage, await stage.submit("hold", text="seen"), Status.RUNNING)
    await expect(page.locator(".number", has_text="Running").locator(".number-value")).to_have_text("1")
    await expect(page.locator("tr", has_text="slow")).to_be_visible()
    await page.wait_for_timeout(4500)
    assert asked == []
    task = await stage.submit("hold", text="other")
    await stage.go(f"#/tasks/{task}", "hold")
    await expect(page.locator(".title .status")).to_have_text("running")
    await page.wait_for_timeout(2500)
    asked.clear()
    stage.gate.set()
    await expect(page.locator(".title .status")).to_have_text("succeeded")
    await expect(page.get_by_role("group", name="Result")).to_contain_text('"other"')
    assert asked == [
        f"tasks/{task}",
        f"tasks/{task}/result",
    ]  # what it returned is no news: it is asked for, once


async def test_the_stream_pauses_in_a_hidden_tab(stage: Stage) -> None:
    page = stage.page
    ended: list[str] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    await page.wait_for_timeout(1500)
    asked = watched(stage)
    await page.evaluate(HIDE, True)
    await page.wait_for_timeout(3000)
    assert [url for url in ended if "/events?" in url]
    assert asked == []
    await page.evaluate(HIDE, False)
    await page.wait_for_timeout(1500)
    assert asked.count("events") == 1


async def test_it_comes_back_when_the_api_has_been_started_again(stage: Stage) -> None:
    page = stage.page
    stage.expect_complaints("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_NETWORK")
    await page.wait_for_timeout(1500)
    await stage.stop_api()
    await page.get_by_role("alert").get_by_text("The API does not answer").wait_for()
    asked = watched(stage)
    await stage.start_api()
    await page.get_by_role("alert").wait_for(state="detached")
    async with asyncio.timeout(30):
        while "events" not in asked:
            await page.wait_for_timeout(200)
    await page.wait_for_timeout(2500)
    asked.clear()
    await settled(stage, await stage.submit("hold", text="seen"), Status.RUNNING)
    await expect(page.locator(".number", has_text="Running").locator(".number-value")).to_have_text("1")
    assert asked == []
