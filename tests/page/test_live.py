"""The page is told of what happens by the event stream, and asks for nothing as long as it is."""

from __future__ import annotations

import asyncio

import pytest

from jobbers.api.live import readers
from jobbers.api.live.views import EVERY
from jobbers.core.status import Status
from tests.page.stage import SECONDS, Stage
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


async def at_rest(stage: Stage) -> list[str]:
    """The requests from now on, once the page asks for nothing any more because it is told of everything."""
    await stage.told()
    asked = ["something"]
    async with asyncio.timeout(SECONDS / 1000):
        while asked:
            asked = watched(stage)
            await stage.page.wait_for_timeout(2500)
    return asked


async def test_news_come_without_asking(stage: Stage) -> None:
    page = stage.page
    asked = await at_rest(stage)
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


async def test_lists_are_live_whatever_they_are_filtered_by(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stage.page
    monkeypatch.setattr(readers, "SEARCH", 0.3)
    rows = page.get_by_role("region", name="Tasks").locator("tbody tr")
    since = "since=2020-01-01T00:00:00.000Z"
    stage.expect_complaints("422")
    streams: list[int] = []
    page.on("response", lambda it: streams.append(it.status) if "/api/v1/events" in it.url else None)
    for query in ("run=no", f"{since}&group=no", f"{since}&until=2019-01-01T00:00:00.000Z"):
        await stage.go(f"#/tasks?status=running&{query}", "Tasks")
        await page.wait_for_timeout(500)
    await stage.go(f"#/tasks?status=running&{since}", "Tasks")
    await page.locator(".empty").first.wait_for()
    asked = await at_rest(stage)
    await settled(stage, await stage.submit("hold", text="seen"), Status.RUNNING)
    await expect(rows).to_have_count(1)
    assert asked == []
    assert set(streams) == {200}  # a topic that the API refuses would end what is told of all others


async def test_schedules_groups_limits_and_roles_are_told_of(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = stage.page
    for kind in EVERY:
        monkeypatch.setitem(EVERY, kind, 0.5)
    await stage.app.schedules.create("nightly", stage.app.find("echo").s(1), every=3600)
    roles = await stage.app.live_roles()

    async def fail() -> None:
        await settled(stage, await stage.submit("echo", "lost", fail=True), Status.FAILED)

    async def wait() -> None:
        await stage.submit("visit", "a")
        await stage.submit("visit", "a")

    for where, heading, change, shown in [
        ("#/schedules", "Schedules", lambda: stage.app.schedules.pause("nightly"), "paused"),
        ("#/schedules/nightly", "nightly", lambda: stage.app.schedules.resume("nightly"), "▸ on"),
        ("#/dead?by=error", "Dead letters", fail, "ValueError"),
        ("#/limits/visit:user", "visit:user", wait, "1 task"),
        ("#/roles", "Roles", lambda: roles.set("letters", ["slow"], force=True), "letters"),
    ]:
        async with page.expect_request(lambda request: "/events?" in request.url):
            await stage.go(where, heading)
        await page.wait_for_timeout(600)  # its first news
        asked = watched(stage)
        await change()
        await stage.see(shown)
        # another next time is no news of the times behind it: they are asked for, once
        assert asked == (["schedules/nightly", "schedules/nightly/times"] if "nightly" in where else []), (
            where
        )


async def test_the_stream_pauses_in_a_hidden_tab(stage: Stage) -> None:
    page = stage.page
    ended: list[str] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    asked = await at_rest(stage)
    await page.evaluate(HIDE, True)
    await page.wait_for_timeout(3000)
    assert [url for url in ended if "/events?" in url]
    assert asked == []
    async with page.expect_request(lambda request: "/events?" in request.url):
        await page.evaluate(HIDE, False)
    await page.wait_for_timeout(1500)
    assert asked.count("events") == 1


async def test_it_comes_back_when_the_api_has_been_started_again(stage: Stage) -> None:
    page = stage.page
    stage.expect_complaints("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_NETWORK")
    await stage.told()
    await stage.stop_api()
    await page.get_by_role("alert").get_by_text("The API does not answer").wait_for()
    asked = watched(stage)
    await stage.start_api()
    await page.get_by_role("alert").wait_for(state="detached")
    assert asked
    async with asyncio.timeout(30):
        while asked:  # a stream that was asked for too early is asked for again a little later
            asked.clear()
            await page.wait_for_timeout(3000)
    await settled(stage, await stage.submit("hold", text="seen"), Status.RUNNING)
    await expect(page.locator(".number", has_text="Running").locator(".number-value")).to_have_text("1")
    assert asked == []
